//! The commands that only look.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::answers::{answer, console, full};
use crate::mock::{Mock, Reply};
use crate::{Run, command, ended, printed, run};

#[test]
fn status_says_what_needs_attention_and_exits_with_3_while_it_is_not_ready() {
    let shown = run(&["--url", &console().url, "status"]);
    let expected = "\
app: running, live, not ready
  tasks   4 (1 backoff, 1 completed, 1 pending, 1 running)
  access  read-only

needs attention
  store/pool  backoff  #12  failures 3 (max_retries 5)  waits after a failure, 3s left  \"cannot connect: connection refused\"

paused
  slot jobs  running  paused 10m ago  2 queued
";
    assert_eq!(shown, Run { status: 3, ..printed(expected) });
}

#[test]
fn status_of_a_ready_tree_exits_with_0() {
    let mock = Mock::new(|_| {
        let mut full = full();
        full["ready"] = true.into();
        full["slots"] = json!([]);
        full["nodes"].as_array_mut().unwrap().retain(|node| node["ready"] == true);
        full["access"] = "full".into();
        Reply::json(full)
    });
    let shown = run(&["--url", &mock.url, "status"]);
    assert_eq!(shown, printed("app: running, live, ready\n  tasks  2 (1 completed, 1 running)\n"));
}

#[test]
fn status_of_a_path_says_all_that_is_known_of_it() {
    let url = console().url;
    let task = "\
store/pool: backoff, not ready
  why       waits after a failure, 3s left
  attempt   12
  restarts  11
  failures  3 (max_retries 5)
  since     2026-11-23 08:15:28Z (2s ago)
  next      2026-11-23 08:15:33Z (in 3s)
  last      1 completed, 2 failed
  error     cannot connect: connection refused
";
    assert_eq!(run(&["--url", &url, "status", "store/pool"]), Run { status: 3, ..printed(task) });
    let group = "\
store: running, not ready
  why       waits for store/pool
  kind      group rest_for_one
  tasks     2 (1 backoff, 1 completed)
  restarts  1

needs attention
  store/pool  backoff  #12  failures 3 (max_retries 5)  waits after a failure, 3s left  \"cannot connect: connection refused\"
";
    assert_eq!(run(&["--url", &url, "status", "store"]), Run { status: 3, ..printed(group) });
    let ready = "report: running, ready\n  why      runs\n  attempt  1\n  since    2026-11-20 08:15:30Z (3d ago)\n";
    assert_eq!(run(&["--url", &url, "status", "report"]), printed(ready));
}

#[test]
fn why_is_one_sentence() {
    let url = console().url;
    assert_eq!(run(&["--url", &url, "why", "serve"]), printed("serve: waits for store, 3 s left\n"));
}

#[test]
fn tree_has_a_line_for_each_node_in_columns() {
    let expected = "\
app            running    one_for_one
├─ store       running    rest_for_one
│  ├─ migrate  completed  #1            2m 5s
│  └─ pool     backoff    #12           2s     failures 3 (max_retries 5) next in 3s  \"cannot connect: connection refused\"
├─ serve       pending                  1h
└─ report      running    #1            3d
";
    assert_eq!(run(&["--url", &console().url, "tree"]), printed(expected));
}

#[test]
fn timers_say_next_left_last_and_passed() {
    let expected = "\
NEXT                  LEFT        LAST                  PASSED      KIND      PATH
2026-11-23 08:15:33Z  in 3s       -                     -           backoff   store/pool
2026-11-24 02:30:00Z  in 18h 14m  2026-11-23 02:30:00Z  5h 45m ago  schedule  nightly
";
    assert_eq!(run(&["--url", &console().url, "timers"]), printed(expected));
    let none = Mock::new(|_| Reply::json(json!({ "timers": [] })));
    assert_eq!(run(&["--url", &none.url, "timers"]), printed("no timers\n"));
}

#[test]
fn events_without_follow_are_those_that_the_console_has_seen() {
    let expected = "\
2026-11-23T08:15:28.000Z WARN  store/pool #12 failed: connection refused
2026-11-23T08:15:29.500Z DEBUG report #1 starts
";
    assert_eq!(run(&["--url", &console().url, "events"]), printed(expected));
    let none = Mock::new(|_| Reply::json(json!({ "log": [] })));
    let shown = run(&["--url", &none.url, "events"]);
    assert_eq!((shown.status, &*shown.stdout), (0, ""));
    let hint = "taskvisor: no events: a console keeps them only while somebody follows, as `events -f` does\n";
    assert_eq!(shown.stderr, hint);
    // Actions are kept while nobody follows.
    let action = json!({ "kind": "ConsoleAction", "at": "2026-11-23T08:15:28.000Z", "level": "info", "text": "ConsoleAction a" });
    let actions = Mock::new(move |_| Reply::json(json!({ "log": [action] })));
    let shown = run(&["--url", &actions.url, "events"]);
    assert_eq!((&*shown.stdout, &*shown.stderr), ("2026-11-23T08:15:28.000Z INFO  ConsoleAction a\n", hint));
}

#[test]
fn the_help_and_the_readme_say_how_long_events_are_kept() {
    let help = run(&["--help"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [&help, include_str!("../../README.md"), include_str!("../../../taskvisor/src/guide/console.md")] {
        assert!(text.contains("last events, which the console keeps only while somebody follows"), "{text}");
    }
}

#[test]
fn the_readme_shows_what_is_printed() {
    let url = console().url;
    for command in ["status", "tree", "timers"] {
        let shown = format!("$ taskvisor {command}\n{}```\n", run(&["--url", &url, command]).stdout);
        assert!(include_str!("../../README.md").contains(&shown), "{shown}");
    }
}

#[test]
fn json_is_the_answer_of_the_console_on_one_line() {
    let url = console().url;
    for arguments in [&["status"][..], &["why", "serve"], &["tree"], &["timers"]] {
        let shown = run(&[&["--url", &url, "--json"], arguments].concat());
        let value: Value = serde_json::from_str(&shown.stdout).expect(&shown.stdout);
        assert_eq!((value.is_object(), shown.stdout.lines().count()), (true, 1), "{arguments:?}");
        assert_eq!(shown.status, if arguments == ["status"] { 3 } else { 0 });
    }
    let events = run(&["--url", &url, "--json", "events"]);
    let seqs: Vec<_> = events
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect(line)["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [7, 8]);
}

#[test]
fn a_path_that_is_not_there_exits_with_4() {
    let url = console().url;
    for command in ["status", "why"] {
        let expected =
            Run { status: 4, stdout: String::new(), stderr: "taskvisor: no task, group or slot `gone`\n".to_owned() };
        assert_eq!(run(&["--url", &url, command, "gone"]), expected);
    }
}

#[test]
fn what_is_near_a_path_that_is_not_there_is_named() {
    let url = console().url;
    for (path, near) in [("pool", "store/pool"), ("stroe", "store"), ("store/pol", "store/pool"), ("deplyo", "deploy")]
    {
        let shown = run(&["--url", &url, "why", path]);
        let expected = format!("taskvisor: no task, group or slot `{path}`; near: `{near}`\n");
        assert_eq!((shown.status, &*shown.stdout, shown.stderr), (4, "", expected));
    }
}

#[test]
fn a_slot_is_no_path_and_what_is_right_is_said() {
    let url = console().url;
    for (arguments, said) in [
        (["why", "deploy"], "`deploy` is a slot: `taskvisor slots deploy`"),
        (["status", "jobs/acme"], "`jobs/acme` is a slot: `taskvisor slots jobs/acme`"),
        (["why", "jobs/zeta"], "`jobs/zeta` is an idle key of the slot `jobs`: `taskvisor slots jobs`"),
        (["pause", "jobs"], "`jobs` is a slot: `taskvisor pause-slot jobs`"),
        (["resume", "jobs"], "`jobs` is a slot: `taskvisor resume-slot jobs`"),
        (["slots", "jobs/zeta"], "`jobs/zeta` is an idle key of the slot `jobs`"),
        (
            ["why", "jobs/zeta/a"],
            "nothing runs or waits at `jobs/zeta/a`, whose key of the slot `jobs` is idle: `taskvisor slots jobs`",
        ),
        (["why", "jobs/acme/a"], "nothing runs or waits at `jobs/acme/a`: `taskvisor slots jobs/acme`"),
        (["slots", "web"], "`web` waits in the slot `deploy`: `taskvisor slots deploy`"),
        (
            ["slots", "jobs/acme/export-4"],
            "`jobs/acme/export-4` waits in the slot `jobs/acme`: `taskvisor slots jobs/acme`",
        ),
        (["slots", "store"], "`store` is no slot, but a task or group: `taskvisor status store`"),
        (["slots", "deploi"], "no task, group or slot `deploi`; near: `deploy`"),
    ] {
        let shown = run(&[&["--url", &url], &arguments[..]].concat());
        assert_eq!((shown.status, &*shown.stdout, shown.stderr), (4, "", format!("taskvisor: {said}\n")));
    }
}

#[test]
fn a_submission_that_waits_is_queued_and_not_missing() {
    let (url, path) = (console().url, "jobs/acme/export-5");
    let sentence = "waits at position 2 in the slot jobs/acme, which is paused";
    let why = format!("{path}: {sentence}; see `taskvisor slots jobs/acme`\n");
    assert_eq!(run(&["--url", &url, "why", path]), printed(&why));
    let status = format!("{path}: queued, not ready\n  why   {sentence}\n  slot  `taskvisor slots jobs/acme`\n");
    assert_eq!(run(&["--url", &url, "status", path]), Run { status: 3, ..printed(&status) });
    let json = run(&["--url", &url, "status", path, "--json"]);
    assert_eq!((json.status, &serde_json::from_str::<Value>(&json.stdout).unwrap()["slot"]), (3, &json!("jobs/acme")));
}

#[test]
fn a_slot_with_keys_is_as_busy_as_its_busiest_key_and_has_the_sum_of_their_queues() {
    let phases = |keys: &[(&str, u64)]| {
        let mut slots = vec![json!({ "name": "jobs", "phase": "idle", "queued": 0, "capacity": 5, "keyed": true })];
        slots.extend(keys.iter().enumerate().map(|(number, (phase, queued))| {
            json!({ "name": format!("jobs/{number}"), "phase": phase, "queued": queued, "capacity": 5 })
        }));
        // No key of it.
        slots.push(json!({ "name": "jobsite", "phase": "running", "queued": 3, "capacity": 5 }));
        let mock = Mock::new(move |_| {
            let mut full = full();
            full["slots"] = json!(slots);
            Reply::json(full)
        });
        let shown = run(&["--url", &mock.url, "slots"]).stdout;
        let row = shown.lines().find(|line| line.starts_with("jobs ")).expect(&shown);
        row.split_whitespace().skip(1).take(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(phases(&[]), "idle 0");
    assert_eq!(phases(&[("waiting", 4)]), "waiting 4");
    assert_eq!(phases(&[("running", 0), ("waiting", 5), ("stopping", 5)]), "running 10");
    assert_eq!(phases(&[("waiting", 5), ("stopping", 1)]), "stopping 6");
}

#[test]
fn slots_show_what_runs_and_waits_in_them() {
    let expected = "\
SLOT       PHASE    QUEUED  OWNER
deploy     running  1/100   api
jobs       paused   2       -                 has keys  paused 10m ago
jobs/acme  paused   2/100   jobs/acme/export
";
    let url = console().url;
    assert_eq!(run(&["--url", &url, "slots"]), printed(expected));
    let deploy = "deploy: running\n  queued  1/100\n  owner   api (running)\n  queue   web (queued)\n";
    assert_eq!(run(&["--url", &url, "slots", "deploy"]), printed(deploy));
    let jobs = "\
jobs: paused
  phase   running
  since   paused 10m ago
  keys    acme
  queued  2
          at most 100 in each key
";
    assert_eq!(run(&["--url", &url, "slots", "jobs"]), printed(jobs));
    let none = Mock::new(|_| {
        let mut full = full();
        full["slots"] = json!([]);
        Reply::json(full)
    });
    assert_eq!(run(&["--url", &none.url, "slots"]), printed("no slots\n"));
    let json = |arguments: &[&str]| {
        let shown = run(&[&["--url", &url, "--json"], arguments].concat());
        serde_json::from_str::<Value>(&shown.stdout).expect(&shown.stdout)
    };
    assert_eq!(json(&["slots"]), full()["slots"]);
    assert_eq!(json(&["slots", "deploy"]), full()["slots"][0]);
}

#[test]
fn status_shows_what_is_paused_also_if_it_is_not_due() {
    let mock = Mock::new(|_| {
        let mut full = full();
        let nodes = full["nodes"].as_array_mut().unwrap();
        nodes.retain(|node| node["ready"] == true || node["path"] == "store");
        nodes.push(
            json!({ "name": "poll", "path": "poll", "parent": "", "kind": "task", "state": "interval", "ready": true,
            "paused": true, "paused_since": "2026-11-23T08:10:30.000Z",
            "why": { "text": "is paused, and waits for its interval", "until": "2026-11-23T08:16:30.000Z" } }),
        );
        nodes[0]["paused"] = true.into();
        nodes[1]["paused"] = true.into();
        Reply::json(full)
    });
    let shown = run(&["--url", &mock.url, "status"]);
    let expected = "
paused
  store      running                   waits for store/pool
  poll       interval  paused 5m ago   is paused, and waits for its interval, 1m left
  slot jobs  running   paused 10m ago  2 queued
";
    let (_, paused) = shown.stdout.split_once("access  read-only\n").expect(&shown.stdout);
    assert_eq!(paused, expected);
    let of_path = run(&["--url", &mock.url, "status", "poll"]).stdout;
    assert!(of_path.contains("paused"), "{of_path}");
}

#[test]
fn events_below_the_level_are_left_out() {
    let url = console().url;
    let warn = "2026-11-23T08:15:28.000Z WARN  store/pool #12 failed: connection refused\n";
    assert_eq!(run(&["--url", &url, "events", "--level", "warn"]), printed(warn));
    assert_eq!(run(&["--url", &url, "events", "--level", "error"]), printed(""));
    assert_eq!(run(&["--url", &url, "events", "--level", "debug"]).stdout.lines().count(), 2);
    let json = run(&["--url", &url, "--json", "events", "--level", "info"]);
    assert_eq!(json.stdout.lines().count(), 1, "{json:?}");
    let wrong = run(&["--url", &url, "events", "--level", "loud"]);
    let said = "taskvisor: `--level` is `loud`, expected `debug`, `info`, `warn` or `error`\n";
    assert_eq!((wrong.status, &*wrong.stderr), (2, said));
}

#[test]
fn looking_never_posts_and_sends_the_host_of_the_url() {
    let mock = console();
    for arguments in [&["status"][..], &["why", "serve"], &["tree"], &["timers"], &["events"]] {
        run(&[&["--url", &mock.url], arguments].concat());
    }
    let host = mock.url.trim_start_matches("http://").trim_end_matches("/console");
    for request in mock.requests() {
        assert_eq!(request.asks().0, "GET");
        assert!(request.line.contains(" /console?"), "{request:?}");
        assert!(request.has(&format!("host: {host}")), "{request:?}");
    }
    assert_eq!(mock.requests().len(), 5);
}

#[test]
fn a_unix_socket_is_a_console_too() {
    let path = std::env::temp_dir().join(format!("taskvisor-cli-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let mock = Mock::at_socket(&path, answer);
    let socket = path.to_str().unwrap();
    let expected = printed("serve: waits for store, 3 s left\n");
    assert_eq!(run(&["--socket", socket, "why", "serve"]), expected);
    assert_eq!(run(&["--url", &mock.url, "why", "serve"]), expected);
    assert_eq!(ended(command(&["why", "serve"]).env("TASKVISOR_URL", &mock.url).output().unwrap()), expected);
    assert_eq!(run(&["--socket", socket, "--url", "http://ops/console", "why", "serve"]), expected);
    let requests = mock.requests();
    assert!(requests[..3].iter().all(|request| request.has("host: localhost") && request.line.contains(" /?why")));
    assert!(requests[3].has("host: ops") && requests[3].line.contains(" /console?why"));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_token_of_the_environment_is_sent() {
    let mock = console();
    ended(command(&["--url", &mock.url, "tree"]).env("TASKVISOR_TOKEN", "hush").output().unwrap());
    assert!(mock.requests()[0].has("authorization: bearer hush"));
}

#[test]
fn colors_are_for_terminals_and_not_with_no_color() {
    let url = console().url;
    let on_terminal = |environment: &[(&str, &str)]| {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        // It must not become the terminal of this process, whose end would be a SIGHUP.
        let flags = OpenptFlags::NOCTTY.bits().try_into().unwrap();
        let slave = std::fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(name).unwrap();
        let mut command = command(&["--url", &url, "tree"]);
        command.envs(environment.iter().copied()).stdout(slave).stderr(Stdio::null());
        assert!(command.status().unwrap().success());
        // The text waits in the terminal.
        let mut text = [0; 8192];
        let length = rustix::io::read(&terminal, &mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    assert!(on_terminal(&[("TERM", "xterm")]).contains("\x1b[31mbackoff\x1b[0m"));
    assert!(!on_terminal(&[("TERM", "xterm"), ("NO_COLOR", "1")]).contains('\x1b'));
    assert!(!on_terminal(&[("TERM", "dumb")]).contains('\x1b'));
    assert!(!run(&["--url", &url, "tree"]).stdout.contains('\x1b'));
}

#[test]
fn a_reader_that_goes_ends_it_quietly() {
    let mock = Mock::new(|_| {
        let mut full = full();
        let nodes = full["nodes"].as_array_mut().unwrap();
        // More than a pipe holds.
        let node = nodes[5].clone();
        nodes.extend(vec![node; 20_000]);
        Reply::json(full)
    });
    for json in [&[][..], &["--json"]] {
        let mut child = command(&[&["--url", &mock.url, "tree"], json].concat());
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(ended(child.wait_with_output().unwrap()), printed(""));
    }
}
