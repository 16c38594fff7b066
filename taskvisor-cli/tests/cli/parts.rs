//! `status` of a part of the tree.

use serde_json::Value;

use crate::answers::{full, part};
use crate::mock::{Mock, Reply};
use crate::run;

/// `ready` of a group says that its run has been ready. The console has no health of a part, so that is judged by what is
/// below.
#[test]
fn status_of_a_group_is_that_of_what_is_in_it() {
    let status = |path: &str, change: fn(&mut Value)| {
        let mock = Mock::new(move |request| {
            let path = request.asks().1.split_once('=').map_or("", |(_, path)| path).to_owned();
            let mut part = if path.is_empty() { full() } else { part(&path).unwrap() };
            for node in part["nodes"].as_array_mut().unwrap() {
                if node["kind"] == "group" {
                    node["ready"] = true.into();
                } else if node["ready"] == false {
                    node["problem"] = "not_ready".into();
                }
            }
            change(&mut part);
            Reply::json(part)
        });
        let shown = run(&["--url", &mock.url, "status", path]);
        (shown.status, shown.stdout.lines().next().unwrap_or_default().to_owned())
    };
    let not_ready = |head: &str| (3, format!("{head}: running, not ready"));
    assert_eq!(status("store", |_| {}), not_ready("store"));
    assert_eq!(status("", |_| {}), not_ready("app"));
    // The tree is ready: what is not ready in the group does not count.
    let whole = |part: &mut Value| part["ready"] = true.into();
    assert_eq!(status("store", whole), (0, "store: running, ready".to_owned()));
    assert_eq!(status("", whole), (0, "app: running, ready".to_owned()));
    assert_eq!(status("", |part| part["nodes"].as_array_mut().unwrap().truncate(1)), not_ready("app"));
    assert_eq!(status("report", |_| {}), (0, "report: running, ready".to_owned()));
    for head in ["report", "store"] {
        let ends = status(head, |part| {
            part["nodes"].as_array_mut().unwrap().iter_mut().for_each(|node| node["problem"] = Value::Null);
            part["phase"] = "shutting down".into();
        });
        assert_eq!(ends, not_ready(head));
    }
}
