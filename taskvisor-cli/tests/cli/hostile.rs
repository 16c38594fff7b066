//! Names and errors that attack the terminal.

use serde_json::{Value, json};

use crate::answers::full;
use crate::mock::{Mock, Reply, Request};
use crate::run;

const HOSTILE: &str = "a\x1b]0;owned\x07\x1b[2J\nfake: running\r\t\u{9b}31m\u{202e}\u{7f}\u{200b}\"<b>";

fn answer(request: &Request) -> Reply {
    let now = "2026-11-23T08:15:30.000Z";
    match request.asks() {
        ("GET", "log") => {
            Reply::json(json!({ "log": [{ "seq": 1, "at": HOSTILE, "level": HOSTILE, "text": HOSTILE }] }))
        }
        ("GET", "timers") => Reply::json(json!({
            "timers": [{ "path": HOSTILE, "next_at": now, "state": HOSTILE, "kind": HOSTILE }], "now": now,
        })),
        ("GET", query) if query.starts_with("why") => {
            Reply::json(json!({ "path": HOSTILE, "why": { "text": HOSTILE }, "sentence": HOSTILE }))
        }
        ("GET", query) => {
            let mut full = full();
            for key in ["name", "phase", "access"] {
                full[key] = HOSTILE.into();
            }
            full["fleet"] = json!({ "reachable": false, "error": HOSTILE });
            let node = &mut full["nodes"][3];
            for key in ["name", "path", "strategy", "last_error", "outcome", "state"] {
                node[key] = HOSTILE.into();
            }
            node["why"] = json!({ "text": HOSTILE });
            node["problem"] = HOSTILE.into();
            node["recent"] = json!([[1, 2, HOSTILE, 1]]);
            if query.starts_with("tree=") {
                full["nodes"] = json!([node.take()]);
            }
            Reply::json(full)
        }
        _ => Reply::json(json!({ "ok": true, "answer": HOSTILE })),
    }
}

#[test]
fn names_and_errors_cannot_act_on_the_terminal() {
    let url = Mock::new(answer).url;
    for arguments in [
        &["status"][..],
        &["status", "x"],
        &["why", "x"],
        &["tree"],
        &["timers"],
        &["events"],
        &["restart", HOSTILE],
        &["restart", "x"],
    ] {
        for json in [&[][..], &["--json"]] {
            let shown = run(&[&["--url", &url], arguments, json].concat());
            assert!(shown.stdout.contains("owned"), "{shown:?}");
            let acts = |character: char| {
                (character.is_control() && character != '\n') || "\u{202e}\u{200b}".contains(character)
            };
            assert!(!shown.stdout.contains(acts) && !shown.stderr.contains(acts), "{shown:?}");
            assert!(!shown.stdout.lines().any(|line| line.starts_with("fake")), "{shown:?}");
            if !json.is_empty() {
                let value: Value = serde_json::from_str(&shown.stdout).unwrap();
                assert!(value.to_string().contains("owned"));
            }
        }
    }
}

#[test]
fn errors_cannot_act_on_the_terminal() {
    for status in [403, 404, 409, 421, 500] {
        let mock = Mock::new(move |_| Reply::error(status, HOSTILE));
        let shown = run(&["--url", &mock.url, "why", "x"]);
        assert!(shown.stderr.contains("owned") && shown.stderr.lines().count() == 1, "{shown:?}");
        assert!(!shown.stderr.trim_end().contains(char::is_control), "{shown:?}");
    }
    let shown = run(&["--url", HOSTILE, HOSTILE]);
    assert!(!shown.stderr.trim_end().contains(char::is_control), "{shown:?}");
}

#[test]
fn a_long_path_is_whole() {
    let path = format!("store/{}", "a-part-of-a-name-".repeat(12));
    let name = path["store/".len()..].to_owned();
    let now = "2026-11-23T08:15:30.000Z";
    let long = path.clone();
    let mock = Mock::new(move |request: &Request| {
        if request.asks() == ("GET", "timers") {
            let timer = json!({ "path": &long, "next_at": now, "state": "backoff", "kind": "backoff" });
            return Reply::json(json!({ "timers": [timer], "now": now }));
        }
        let mut full = full();
        let mut node = full["nodes"][3].clone();
        node["path"] = long.clone().into();
        node["name"] = long["store/".len()..].into();
        node["paused_since"] = now.into();
        full["nodes"].as_array_mut().unwrap().insert(4, node);
        let slot = json!({ "name": &long, "phase": "idle", "paused": true, "paused_since": now });
        full["slots"].as_array_mut().unwrap().push(slot);
        Reply::json(full)
    });
    for (command, expected) in [("status", &path), ("timers", &path), ("tree", &name), ("slots", &path)] {
        let shown = run(&["--url", &mock.url, command]);
        assert!(shown.stdout.contains(&**expected), "{command}: {shown:?}");
    }
}

#[test]
fn what_has_a_line_for_itself_is_whole() {
    let states =
        ["pending", "queued", "delayed", "throttled", "standby", "scheduled", "interval", "paused", "stopping"];
    let sentence = format!("waits for {}", "one of many others, ".repeat(10));
    let (why, first) = (sentence.clone(), sentence.trim_end().to_owned());
    let mock = Mock::new(move |_: &Request| {
        let mut full = full();
        full["nodes"][3]["why"] = json!({ "text": &why });
        full["fleet"] = json!({ "reachable": false, "error": &why });
        full["slots"][0]["queue"][0]["path"] = format!("last/{}", "queued-".repeat(20)).into();
        for (number, state) in states.into_iter().enumerate() {
            let mut node = full["nodes"][4].clone();
            for key in ["name", "path"] {
                node[key] = format!("task-{number}").into();
            }
            node["state"] = state.into();
            full["nodes"].as_array_mut().unwrap().push(node);
        }
        Reply::json(full)
    });
    let shown = |arguments: &[&str]| run(&[&["--url", &mock.url], arguments].concat()).stdout;
    let tree = shown(&["status"]);
    for state in states {
        assert!(tree.lines().any(|line| line.starts_with("  tasks") && line.contains(state)), "{state}: {tree}");
    }
    assert!(tree.contains(&format!("the store of leases does not answer: {first}")), "{tree}");
    let slot = shown(&["slots", "deploy"]);
    assert!(slot.contains(&format!("{} (queued)", "queued-".repeat(20))), "{slot}");
}
