//! The commands that change something.

use serde_json::Value;

use crate::answers::console;
use crate::{Run, printed, run};

#[test]
fn each_action_is_a_post_that_no_page_of_another_site_can_make() {
    let mock = console();
    for action in ["restart", "cancel", "pause", "resume"] {
        assert_eq!(run(&["--url", &mock.url, action, "store/pool"]), printed(&format!("store/pool: {action} done\n")));
    }
    for (request, action) in mock.requests().iter().zip(["restart", "cancel", "pause", "resume"]) {
        assert_eq!(request.asks(), ("POST", &*format!("{action}=store/pool")));
        assert!(request.has("sec-fetch-site: same-origin"), "{request:?}");
    }
}

#[test]
fn a_slot_is_paused_and_resumed_by_its_name() {
    let mock = console();
    for (command, action) in [("pause-slot", "pause_slot"), ("resume-slot", "resume_slot")] {
        let done = printed(&format!("jobs/acme: {action} done\n"));
        assert_eq!(run(&["--url", &mock.url, command, "jobs/acme"]), done);
        assert_eq!(mock.requests().last().unwrap().asks(), ("POST", &*format!("{action}=jobs/acme")));
    }
}

#[test]
fn what_really_happened_is_printed() {
    assert_eq!(run(&["--url", &console().url, "trigger", "report"]), printed("report: not waiting\n"));
}

#[test]
fn the_answer_as_json_parses() {
    let shown = run(&["--url", &console().url, "restart", "a", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&shown.stdout).unwrap()["answer"], "restart done");
}

#[test]
fn a_path_is_sent_encoded() {
    let mock = console();
    run(&["--url", &mock.url, "restart", "tenant é/a&b=c?d#e%2F"]);
    assert_eq!(mock.requests()[0].asks().1, "restart=tenant%20%C3%A9/a%26b%3Dc%3Fd%23e%252F");
}

#[test]
fn a_refused_action_exits_with_1_and_an_unknown_path_with_4() {
    let mock = console();
    let url = &mock.url;
    let failed = |status, said: String| Run { status, stdout: String::new(), stderr: format!("taskvisor: {said}\n") };
    let refused = failed(1, format!("{url} refuses: the supervisor shuts down (status 409)"));
    assert_eq!(run(&["--url", url, "restart", "late"]), refused);
    assert_eq!(run(&["--url", url, "pause", "gone"]), failed(4, "no task, group or slot `gone`".to_owned()));
}
