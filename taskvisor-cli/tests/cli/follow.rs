//! `events -f`.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::answers::full;
use crate::command;
use crate::mock::{Mock, Reply};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

fn message(event: &str, data: &Value) -> String {
    format!("id: x\nevent: {event}\ndata: {data}\n\n")
}

fn snapshot(boot: &str) -> String {
    let mut full = full();
    full["boot"] = boot.into();
    message("snapshot", &full)
}

fn event(seq: u64, text: &str) -> Value {
    json!({ "seq": seq, "at": "2026-11-23T08:15:30.000Z", "level": "info", "text": text })
}

fn action() -> Value {
    json!({ "at": "2026-11-23T08:15:30.000Z", "level": "info", "text": "ConsoleAction a restart: restarted" })
}

fn changes(log: &[Value]) -> String {
    message("changes", &json!({ "seq": 2, "log": log }))
}

/// A run of `events -f`, whose output is read line by line.
pub(crate) struct Following {
    child: Child,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
    pub(crate) remarks: Lines<BufReader<ChildStderr>>,
}

impl Following {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = command(&[&["events", "-f"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let remarks = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines, remarks }
    }

    pub(crate) fn line(&mut self) -> String {
        self.lines.next().expect("it still runs").unwrap()
    }

    pub(crate) fn remark(&mut self) -> String {
        self.remarks.next().expect("it still runs").unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A console whose process is started again after its first stream.
fn restarting() -> Mock {
    let streams = Arc::new(AtomicUsize::new(0));
    Mock::new(move |request| {
        let count = streams.load(Ordering::Relaxed);
        match request.asks().1 {
            "events" => {
                streams.fetch_add(1, Ordering::Relaxed);
                match count {
                    0 => {
                        let changed = changes(&[event(7, "old"), action(), event(9, "seen live")]);
                        let bye = message("bye", &json!({ "reason": "received SIGTERM" }));
                        Reply::Bytes([HEAD, ": \n\n", &snapshot("one"), &changed, &bye].concat())
                    }
                    // The process is gone.
                    1 => Reply::Bytes(String::new()),
                    _ => Reply::Open([HEAD, &snapshot("two"), &changes(&[event(2, "fresh live")])].concat()),
                }
            }
            "log" if count <= 1 => Reply::json(json!({ "log": [event(7, "old"), action(), event(8, "newer")] })),
            "log" => Reply::json(json!({ "log": [event(1, "fresh")] })),
            _ => Reply::json(full()),
        }
    })
}

#[test]
fn events_are_followed_through_a_restart_and_none_is_printed_twice() {
    let mock = restarting();
    let mut following = Following::start(&["--url", &mock.url]);
    let texts: Vec<_> = (0..6).map(|_| following.line().split_off("2026-11-23T08:15:30.000Z INFO  ".len())).collect();
    assert_eq!(texts, ["old", "ConsoleAction a restart: restarted", "newer", "seen live", "fresh", "fresh live"]);
    assert_eq!(following.remark(), "taskvisor: the tree shuts down: received SIGTERM");
    assert!(following.remark().ends_with("; trying again"));
    assert_eq!(following.remark(), "taskvisor: the program was started again");
}

#[test]
fn followed_events_as_json_are_one_object_a_line() {
    let mock = restarting();
    let mut following = Following::start(&["--url", &mock.url, "--json"]);
    let seqs: Vec<_> =
        (0..6).map(|_| serde_json::from_str::<Value>(&following.line()).unwrap()["seq"].as_u64()).collect();
    assert_eq!(seqs, [Some(7), None, Some(8), Some(9), Some(1), Some(2)]);
}

#[test]
fn lost_events_are_said() {
    let mock = Mock::new(|request| match request.asks().1 {
        "events" => Reply::Open([HEAD, &snapshot("one"), &message("changes", &json!({ "log_lost": 12 }))].concat()),
        _ => Reply::json(json!({ "log": [] })),
    });
    assert_eq!(Following::start(&["--url", &mock.url]).remark(), "taskvisor: 12 events were lost");
}

#[test]
fn a_first_connection_that_fails_is_an_error() {
    for reply in [Reply::Bytes(String::new()), Reply::error(503, "32 streams"), Reply::json(full())] {
        let mock = Mock::new(move |_| reply.clone());
        assert_eq!(crate::run(&["--url", &mock.url, "events", "-f"]).status, 1);
    }
}

#[test]
fn access_that_is_taken_away_ends_it() {
    let streams = AtomicUsize::new(0);
    let mock = Mock::new(move |request| match request.asks().1 {
        "events" if streams.fetch_add(1, Ordering::Relaxed) == 0 => Reply::Bytes([HEAD, &snapshot("one")].concat()),
        "log" => Reply::json(json!({ "log": [] })),
        _ => Reply::error(403, "not any more"),
    });
    let shown = crate::run(&["--url", &mock.url, "events", "-f"]);
    assert_eq!(shown.status, 1);
    assert!(shown.stderr.contains("denies access: not any more"), "{shown:?}");
}
