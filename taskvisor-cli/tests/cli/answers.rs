//! A console with a small tree in which something is wrong.

use serde_json::{Value, json};

use crate::mock::{Mock, Reply, Request};

pub(crate) fn full() -> Value {
    json!({
        "boot": "ab12", "seq": 3, "now": "2026-11-23T08:15:30.000Z", "name": "app", "access": "read_only",
        "shutdown_allowed": false, "phase": "running", "live": true, "ready": false, "leases": [],
        "slots": [
            { "name": "deploy", "phase": "running", "owners": [{ "path": "api", "id": 5, "state": "running" }],
              "queue": [{ "path": "web", "id": 6, "state": "queued" }], "queued": 1, "capacity": 100 },
            { "name": "jobs", "phase": "idle", "queued": 0, "capacity": 100, "keyed": true, "paused": true,
              "paused_since": "2026-11-23T08:05:30.000Z" },
            { "name": "jobs/acme", "phase": "running", "queued": 2, "capacity": 100, "paused": true,
              "owners": [{ "path": "jobs/acme/export", "id": 7, "state": "running" }],
              "queue": [{ "path": "jobs/acme/export-4", "id": 8, "state": "queued" },
                        { "path": "jobs/acme/export-5", "id": 9, "state": "queued" }] },
        ],
        "nodes": [
            { "name": "app", "path": "", "kind": "group", "strategy": "one_for_one", "state": "running", "index": 0,
              "children": 3, "ready": false, "restarts": 0, "failures": 0, "why": { "text": "runs" } },
            { "name": "store", "path": "store", "parent": "", "kind": "group", "strategy": "rest_for_one",
              "state": "running", "ready": false, "restarts": 1, "why": { "text": "waits for store/pool" } },
            { "name": "migrate", "path": "store/migrate", "parent": "store", "kind": "task", "state": "ended",
              "outcome": "completed", "ready": true, "attempt": 1, "since": "2026-11-23T08:13:25.000Z",
              "why": { "text": "has completed" } },
            { "name": "pool", "path": "store/pool", "parent": "store", "kind": "task", "state": "backoff",
              "ready": false, "attempt": 12, "restarts": 11, "failures": 3, "max_retries": 5,
              "last_error": "cannot connect: connection refused", "since": "2026-11-23T08:15:28.000Z",
              "next_at": "2026-11-23T08:15:33.000Z",
              "why": { "text": "waits after a failure", "until": "2026-11-23T08:15:33.000Z" },
              "recent": [[1, 2, "completed", 10], [3, 4, "failed", 11], [5, 6, "failed", 12]] },
            { "name": "serve", "path": "serve", "parent": "", "kind": "task", "state": "pending", "ready": false,
              "attempt": 0, "since": "2026-11-23T07:15:30.000Z", "after": ["store"],
              "why": { "text": "waits for store" } },
            { "name": "report", "path": "report", "parent": "", "kind": "task", "state": "running", "ready": true,
              "attempt": 1, "since": "2026-11-20T08:15:30.000Z", "why": { "text": "runs" } },
        ],
    })
}

/// The part of the tree at a path.
pub(crate) fn part(path: &str) -> Option<Value> {
    let mut full = full();
    let nodes = full["nodes"].as_array_mut().unwrap();
    let below = format!("{path}/");
    nodes.retain(|node| node["path"] == path || node["path"].as_str().unwrap().starts_with(&below));
    if nodes.is_empty() { None } else { Some(full) }
}

pub(crate) fn log() -> Value {
    json!({ "log": [
        { "kind": "TaskFailed", "seq": 7, "at": "2026-11-23T08:15:28.000Z", "level": "warn",
          "text": "store/pool #12 failed: connection refused" },
        { "kind": "TaskStarting", "seq": 8, "at": "2026-11-23T08:15:29.500Z", "level": "debug",
          "text": "report #1 starts" },
    ] })
}

pub(crate) fn answer(request: &Request) -> Reply {
    let found = |value: Option<Value>| value.map_or_else(|| Reply::error(404, "no such path"), Reply::json);
    match request.asks() {
        ("GET", "tree") => Reply::json(full()),
        ("GET", "log") => Reply::json(log()),
        ("GET", "timers") => Reply::json(json!({
            "now": "2026-11-23T08:15:30.000Z",
            "timers": [
                { "path": "store/pool", "next_at": "2026-11-23T08:15:33.000Z", "state": "backoff", "kind": "backoff" },
                { "path": "nightly", "next_at": "2026-11-24T02:30:00.000Z", "last_at": "2026-11-23T02:30:00.000Z",
                  "state": "scheduled", "kind": "schedule" },
            ],
        })),
        ("GET", query) => match query.split_once('=') {
            Some(("tree", path)) => found(part(path)),
            Some(("why", "jobs/acme/export-5")) => {
                let text = "waits at position 2 in the slot jobs/acme, which is paused";
                Reply::json(json!({ "path": "jobs/acme/export-5", "why": { "text": text }, "sentence": text,
                                    "slot": "jobs/acme" }))
            }
            Some(("why", path)) => found(part(path).map(|part| {
                let text = part["nodes"][0]["why"]["text"].as_str().unwrap();
                json!({ "path": path, "why": { "text": text }, "sentence": format!("{text}, 3 s left") })
            })),
            _ => Reply::error(404, "no such query"),
        },
        ("POST", query) => match query.split_once('=') {
            Some(("pause" | "resume", "jobs")) => Reply::error(404, "no such path"),
            Some((_, "gone")) => Reply::error(404, "no task or group `gone`"),
            Some((_, "late")) => Reply::error(409, "the supervisor shuts down"),
            Some(("trigger", _)) => Reply::json(json!({ "ok": true, "answer": "not waiting" })),
            Some((action, _)) => Reply::json(json!({ "ok": true, "answer": format!("{action} done") })),
            None => Reply::error(405, "no such action"),
        },
        _ => Reply::error(405, "no such method"),
    }
}

pub(crate) fn console() -> Mock {
    Mock::new(answer)
}
