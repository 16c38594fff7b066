//! What goes wrong: each error says what, where, and what would be right.

use serde_json::json;

use crate::answers::{console, full};
use crate::mock::{Mock, Reply};
use crate::run;

/// Runs `status` against a server of one answer, which fails. Returns the error without the address.
fn wrong(reply: Reply) -> String {
    wrong_within("60s", reply)
}

fn wrong_within(time: &str, reply: Reply) -> String {
    let mock = Mock::new(move |_| reply.clone());
    let shown = run(&["--url", &mock.url, "--timeout", time, "status"]);
    assert_eq!((shown.status, &*shown.stdout), (1, ""), "{shown:?}");
    shown.stderr.trim_end().replace(&mock.url, "URL")
}

#[test]
fn nothing_that_listens_is_named_with_what_would_be_right() {
    let free = "127.0.0.1:1";
    let shown = run(&["--url", &format!("http://{free}/console"), "status"]);
    assert_eq!(shown.status, 1);
    let (what, hint) = shown.stderr.split_once("; ").unwrap();
    assert!(what.starts_with(&format!("taskvisor: nothing answers at http://{free}/console: Connection refused")));
    assert_eq!(hint, "does the program run, and is this where it serves its console?\n");
    let shown = run(&["--socket", "/nowhere/app.sock", "status"]);
    assert_eq!(shown.status, 1);
    assert!(
        shown.stderr.starts_with("taskvisor: nothing answers at unix:/nowhere/app.sock: No such file"),
        "{shown:?}"
    );
}

#[test]
fn another_server_is_no_console() {
    let expected = |found: &str| {
        format!(
            "taskvisor: URL is not a console of taskvisor: {found}; expected the URL at which the program mounts its \
             console, such as http://127.0.0.1:9000/console"
        )
    };
    let html = |status| Reply::Page(status, "text/html; charset=utf-8", "<h1>It works</h1>".to_owned());
    assert_eq!(wrong(html(200)), expected("it answers with status 200 and text/html; charset=utf-8"));
    assert_eq!(wrong(html(404)), expected("it answers with status 404 and text/html; charset=utf-8"));
    let moved = "HTTP/1.1 302 Found\r\nLocation: https://login.example.com/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(wrong(Reply::Bytes(moved.to_owned())), expected("it redirects to https://login.example.com/"));
    assert!(wrong(Reply::json("{\"hello\": 1}")).contains("not a console of taskvisor: its JSON has another form"));
    assert!(wrong(Reply::json("not JSON")).contains("not a console of taskvisor: its JSON has another form"));
    assert!(wrong(Reply::Bytes("SSH-2.0-OpenSSH_9\r\n".to_owned())).contains("the connection to URL broke: "));
}

#[test]
fn denied_access_names_the_token() {
    let denied = "taskvisor: URL denies access: read-only; if it asks for a token, give it in TASKVISOR_TOKEN";
    assert_eq!(wrong(Reply::error(403, "read-only")), denied);
    let page = Reply::Page(401, "text/plain", "who are you?".to_owned());
    assert!(wrong(page).starts_with("taskvisor: URL denies access: 401 Unauthorized; "));
}

#[test]
fn a_host_that_is_not_served_is_named() {
    let said = wrong(Reply::error(421, "the host \"x\" is not allowed"));
    let hint = "ask for it by a name that it serves";
    assert_eq!(said, format!("taskvisor: URL does not serve this host: the host \"x\" is not allowed; {hint}"));
}

#[test]
fn a_server_that_cannot_answer_refuses() {
    let said = wrong(Reply::Page(502, "text/html", "<h1>Bad Gateway</h1>".to_owned()));
    assert_eq!(said, "taskvisor: URL refuses: it cannot answer (status 502)");
    assert_eq!(wrong(Reply::error(503, "32 streams")), "taskvisor: URL refuses: 32 streams (status 503)");
}

#[test]
fn no_answer_ends_with_the_timeout() {
    let late = |reply: Reply| wrong_within("300ms", reply);
    assert_eq!(late(Reply::Open(String::new())), "taskvisor: no answer from URL within 300ms");
    let half = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    assert_eq!(late(Reply::Open(half.to_owned())), "taskvisor: no answer from URL within 300ms");
    let mock = Mock::new(|_| Reply::Open(String::new()));
    let shown = run(&["--url", &mock.url, "--timeout", "300ms", "restart", "a"]);
    assert!(shown.stderr.ends_with(" within 300ms; what was asked for may still happen\n"), "{shown:?}");
}

#[test]
fn an_answer_that_is_cut_off_is_an_error() {
    let half = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    assert!(wrong(Reply::Bytes(half.to_owned())).starts_with("taskvisor: the connection to URL broke: "));
    assert!(wrong(Reply::Bytes(String::new())).starts_with("taskvisor: the connection to URL broke: "));
}

#[test]
fn an_answer_without_an_end_is_given_up() {
    // What the other side says about itself stays short, and on its line.
    let said = wrong(Reply::error(500, &"x\n\x1b[2J".repeat(10_000)));
    assert!(said.len() < 500 && said.lines().count() == 1 && !said.contains('\x1b'), "{said}");
}

#[test]
fn wrong_arguments_exit_with_2() {
    let url = console().url;
    for (arguments, said) in [
        (&[][..], "a command is missing, see `taskvisor --help`"),
        (&["statsu"], "unknown command `statsu`, did you mean `status`?"),
        (&["why"], "`why` needs a path, such as `why store/pool`"),
        (&["status", "a", "b"], "unexpected argument `b` after `status`"),
    ] {
        let shown = run(&[&["--url", &url], arguments].concat());
        assert_eq!((shown.status, shown.stderr), (2, format!("taskvisor: {said}\n")));
    }
    assert_eq!(run(&["status"]).status, 2);
}

#[cfg(feature = "rustls")]
#[test]
fn a_server_without_tls_is_named() {
    // It answers the first bytes of TLS in its own way.
    let mock = Mock::new(|_| Reply::Bytes("HTTP/1.1 400 Bad Request\r\n\r\n".to_owned()));
    let url = mock.url.replace("http://", "https://");
    let shown = run(&["--url", &url, "--timeout", "2s", "status"]);
    assert_eq!(shown.status, 1);
    let is_named = |what: &str| shown.stderr.starts_with(&format!("taskvisor: {what}"));
    assert!(is_named(&format!("no TLS with {url}: ")) || is_named(&format!("no answer from {url} ")), "{shown:?}");
}

#[test]
fn help_and_version_are_printed() {
    let help = run(&["--help"]);
    assert_eq!((help.status, &*help.stderr), (0, ""));
    assert!(help.stdout.contains("Usage: taskvisor [OPTIONS] <COMMAND>"));
    assert!(help.stdout.lines().all(|line| line.len() <= 80), "it fits a terminal");
    assert_eq!(run(&["-V"]).stdout, concat!("taskvisor ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// What is suggested can be pasted into a shell.
#[test]
fn a_suggested_command_quotes_its_argument() {
    for (name, argument) in [("a b", "'a b'"), ("$(id)", "'$(id)'"), ("o'neil", r"'o'\''neil'"), ("a/b.c:d", "a/b.c:d")]
    {
        let mock = Mock::new(move |request| match request.asks() {
            ("GET", "tree") => {
                let mut full = full();
                full["slots"] = json!([{ "name": name, "phase": "idle" },
                    { "name": "waits", "phase": "running", "queue": [{ "path": format!("{name} x") }] }]);
                full["nodes"] = json!([{ "path": format!("{name} node"), "kind": "task", "state": "running" }]);
                Reply::json(full)
            }
            (_, "why=waits") => Reply::json(json!({ "path": "waits", "sentence": "waits", "slot": name })),
            _ => Reply::error(404, "no such path"),
        });
        let said = |arguments: &[&str]| {
            let shown = run(&[&["--url", &mock.url], arguments].concat());
            format!("{}{}", shown.stdout, shown.stderr)
        };
        assert_eq!(
            said(&["pause", name]),
            format!("taskvisor: `{name}` is a slot: `taskvisor pause-slot {argument}`\n")
        );
        assert_eq!(said(&["why", "waits"]), format!("waits: waits; see `taskvisor slots {argument}`\n"));
        let node = format!("{name} node");
        let quoted = node.replace('\'', r"'\''");
        let expected = format!("taskvisor: `{node}` is no slot, but a task or group: `taskvisor status '{quoted}'`\n");
        assert_eq!(said(&["slots", &node]), expected);
    }
}
