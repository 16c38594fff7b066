//! What the queries answer, and what the actions do.

use crate::common::*;
use http::StatusCode;
use serde_json::json;
use taskvisor::{Group, History, SlotSpec, TaskContext, TaskFn, TaskSpec, TaskState};
use tower_service::Service as _;

#[tokio::test(start_paused = true)]
async fn the_tree_is_flat_with_parents_before_children() {
    let inner = Group::one_for_one("inner").task(runs("deep"));
    let store = Group::rest_for_one("store").task(fails("pool", "refused")).group(inner);
    let tree = started(builder().with_name("app").group(store).task(runs("web"))).await;
    let whole = get(&console(&tree), "?tree").await.json();
    for (field, value) in [
        ("name", json!("app")),
        ("access", json!("read_only")),
        ("shutdown_allowed", json!(false)),
        ("phase", json!("running")),
        ("live", json!(true)),
        ("ready", json!(false)),
        ("slots", json!([])),
        ("leases", json!([])),
    ] {
        assert_eq!(whole[field], value, "{field}");
    }
    let nodes = whole["nodes"].as_array().expect("a list");
    let places: Vec<_> = nodes.iter().map(|node| (&node["path"], &node["parent"], &node["index"])).collect();
    let null = serde_json::Value::Null;
    assert_eq!(
        places,
        [
            (&json!(""), &null, &json!(0)),
            (&json!("store"), &json!(""), &json!(0)),
            (&json!("store/pool"), &json!("store"), &json!(0)),
            (&json!("store/inner"), &json!("store"), &json!(1)),
            (&json!("store/inner/deep"), &json!("store/inner"), &json!(0)),
            (&json!("web"), &json!(""), &json!(1)),
        ]
    );
    assert_eq!(node(&whole, "store").expect("it")["children"], 2);
    let part = get(&console(&tree), "?tree=store/inner").await.json();
    let paths: Vec<_> = part["nodes"].as_array().expect("a list").iter().map(|node| &node["path"]).collect();
    assert_eq!(paths, [&json!("store/inner"), &json!("store/inner/deep")]);
    assert_eq!(get(&console(&tree), "?tree=nowhere").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_node_has_its_settings_its_error_its_history_and_why() {
    let history = History::new();
    let pool = fails("pool", "connection refused").with_max_retries(7);
    let store = Group::one_for_one("store").task(pool).task(runs("cache").with_after(["pool"]));
    let tree = started(builder().with_subscriber(history.clone()).group(store)).await;
    let console = console(&tree).history(history);
    // The history has heard of the end of the attempt when its path is there.
    while get(&console, "?node=store/pool").await.json()["history"]["entries"][0]["outcome"] != "failed" {
        tokio::task::yield_now().await;
    }
    let detail = get(&console, "?node=store/pool").await.json();
    assert_eq!(detail["settings"]["max_retries"], "7");
    assert_eq!(detail["error"], json!({ "message": "connection refused", "sources": [] }));
    assert_eq!(detail["history"]["entries"][0]["reason"], "connection refused");
    assert_eq!((&detail["node"]["state"], &detail["node"]["max_retries"]), (&json!("backoff"), &json!(7)));
    assert_eq!(detail["node"]["recent"][0][2], "failed");
    assert_eq!(detail["node"]["why"]["text"], "is in backoff after attempt 1 failed");
    assert_eq!((&detail["awaits"], &detail["events"]), (&json!([]), &json!([])));
    assert_eq!(get(&console, "?node=store").await.json()["node"]["children"], 2);
    assert_eq!(get(&console, "?node=").await.json()["node"]["path"], "");
    assert_eq!(get(&console, "?node=store/none").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&console, "?node").await.json()["error"], "`node` needs a path: `?node=..`");
}

#[tokio::test(start_paused = true)]
async fn why_names_what_is_waited_for_and_how_long() {
    let store = Group::one_for_one("store").task(fails("pool", "refused")).task(runs("cache").with_after(["pool"]));
    let tree = started(builder().group(store).task(runs("web"))).await;
    let console = console(&tree);
    let why = get(&console, "?why=store/pool").await.json();
    assert_eq!(why["why"]["text"], "is in backoff after attempt 1 failed");
    let sentence = why["sentence"].as_str().expect("text");
    assert!(
        sentence.starts_with("is in backoff after attempt 1 failed, ") && sentence.ends_with(" left"),
        "{sentence}"
    );
    assert!(why["why"]["until"].as_str().expect("a time").ends_with('Z'));
    assert_eq!(get(&console, "?why=web").await.json()["sentence"], "runs attempt 1");
    assert_eq!(get(&console, "?why=none").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn why_names_who_holds_the_permits() {
    let limited = |name: &str| runs(name).with_named_limit("db");
    let names = ["a", "b", "c", "d", "e", "f", "g, too", "h", "last"];
    let tree = started(builder().with_named_limit("db", 8).tasks(names.map(limited))).await;
    let console = console(&tree);
    let why = get(&console, "?why=last").await.json();
    let text = "waits for a permit of the limit db, all of which are held by a, b, c, d, e, f and 2 more";
    assert_eq!((&why["why"]["text"], &why["sentence"]), (&json!(text), &json!(text)));
    assert_eq!(get(&console, "?node=last").await.json()["awaits"], json!(names[..8]));
}

#[tokio::test(start_paused = true)]
async fn timers_come_in_their_order() {
    let delayed = |name: &str, hours: u64| {
        let delay = std::time::Duration::from_secs(hours * 3600);
        TaskSpec::inherit(task(name)).with_initial_delay(delay)
    };
    let tree =
        started(builder().task(delayed("late", 9)).task(delayed("soon", 2)).task(fails("pool", "refused"))).await;
    // The time of the backoff is known one turn after its begin.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let timers = get(&console(&tree), "?timers").await.json();
    let timers = timers["timers"].as_array().expect("a list");
    let found: Vec<_> = timers.iter().map(|timer| (&timer["path"], &timer["kind"], &timer["state"])).collect();
    assert_eq!(
        found,
        [
            (&json!("pool"), &json!("backoff"), &json!("backoff")),
            (&json!("soon"), &json!("delay"), &json!("delayed")),
            (&json!("late"), &json!("delay"), &json!("delayed")),
        ]
    );
    assert!(timers.iter().all(|timer| timer["next_at"].is_string()));
}

#[tokio::test(start_paused = true)]
async fn an_action_answers_what_has_really_happened() {
    let stays = TaskFn::arc("stays", |_: TaskContext| std::future::pending());
    let stays = TaskSpec::inherit(stays).with_stop_timeout(std::time::Duration::from_secs(1));
    let tree = started(
        builder()
            .task(runs("web"))
            .task(fails("pool", "refused"))
            .task(task("done"))
            .task(stays)
            .group(Group::one_for_one("jobs").task(runs("a"))),
    )
    .await;
    let hangs = TaskFn::arc("hangs", |_: TaskContext| std::future::pending());
    let hangs = TaskSpec::inherit(hangs).with_stop_timeout(std::time::Duration::from_secs(1));
    tree.supervisor().add_task(hangs.clone()).await.expect("it runs");
    tree.group("jobs").add_task(hangs).await.expect("it runs");
    tokio::task::yield_now().await;
    let console = console(&tree).allow_actions();
    let answers = [
        ("?cancel=hangs", "aborted"),
        ("?cancel=jobs/hangs", "aborted"),
        ("?pause=web", "paused"),
        ("?pause=web", "already paused"),
        ("?resume=web", "resumed"),
        ("?resume=web", "not paused"),
        ("?pause=jobs", "paused"),
        ("?resume=jobs/a", "not paused by itself, but by what is above it"),
        ("?pause=jobs/a", "paused"),
        ("?resume=jobs/a", "resumed, but what is above it is paused"),
        ("?resume=jobs", "resumed"),
        ("?trigger=pool", "triggered"),
        ("?trigger=web", "not waiting"),
        ("?restart=web", "restarted"),
        ("?restart=jobs", "restarted"),
        ("?cancel=jobs", "canceled"),
        ("?cancel=pool", "canceled"),
        ("?cancel=stays", "aborted"),
    ];
    for (query, expected) in answers {
        let answer = post(&console, query).await;
        assert_eq!(answer.json(), json!({ "ok": true, "answer": expected }), "{query}");
    }
    assert_eq!(tree.child("stays").status().expect("it").state, TaskState::Ended);
    let refused = [
        ("?restart=none", StatusCode::NOT_FOUND),
        ("?cancel=none", StatusCode::NOT_FOUND),
        ("?pause_slot=none", StatusCode::NOT_FOUND),
        ("?restart=", StatusCode::CONFLICT),
        ("?cancel=", StatusCode::CONFLICT),
        ("?cancel=done", StatusCode::CONFLICT),
        ("?restart=done", StatusCode::CONFLICT),
        ("?trigger=jobs", StatusCode::CONFLICT),
        ("?restart", StatusCode::BAD_REQUEST),
    ];
    for (query, status) in refused {
        let answer = post(&console, query).await;
        assert_eq!(answer.status, status, "{query}");
        assert!(answer.json()["error"].is_string(), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_with_keys_can_be_paused_while_no_key_is_busy_and_so_can_a_key() {
    let tree = started(builder().with_slot(SlotSpec::new("jobs").with_keys())).await;
    let console = console(&tree).allow_actions();
    let slots = get(&console, "?tree").await.json()["slots"].clone();
    assert_eq!(slots, json!([{ "name": "jobs", "phase": "idle", "queued": 0, "capacity": 100, "keyed": true }]));
    for (query, expected) in [
        ("?pause_slot=jobs", "paused"),
        ("?pause_slot=jobs/acme", "paused"),
        ("?resume_slot=jobs/acme", "resumed, but what is above it is paused"),
        ("?resume_slot=jobs/zeta", "not paused by itself, but by what is above it"),
        ("?resume_slot=jobs", "resumed"),
    ] {
        assert_eq!(post(&console, query).await.json()["answer"], expected, "{query}");
    }
    // What is no slot, though a name in it is.
    tree.slot("other/key").submit(runs("a")).await.expect("it is accepted");
    for query in ["?pause_slot=jobs/", "?pause_slot=job", "?pause_slot=jobsite", "?pause_slot=other"] {
        assert_eq!(post(&console, query).await.status, StatusCode::NOT_FOUND, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_waits_says_where_and_no_action_pretends_that_it_is_not_there() {
    let tree = started(builder().with_slot(SlotSpec::new("jobs").with_keys())).await;
    let console = console(&tree).allow_actions();
    let key = tree.slot("jobs").key("acme");
    let mut waiting = Vec::new();
    for name in ["a", "b"] {
        key.submit(runs(name)).await.expect("it is accepted");
        waiting.push(tree.slot("plain").submit(runs(&format!("plain-{name}"))).await.expect("it is accepted"));
    }
    let why = |path: &str| {
        let query = format!("?why={path}");
        let console = &console;
        async move { get(console, &query).await.json() }
    };
    let waits = |path: &str, text: &str, slot: &str| json!({ "path": path, "why": { "text": text }, "sentence": text, "slot": slot });
    let text = "waits at position 1 in the slot jobs/acme";
    assert_eq!(why("jobs/acme/b").await, waits("jobs/acme/b", text, "jobs/acme"));
    assert_eq!(why("plain-b").await, waits("plain-b", "waits at position 1 in the slot plain", "plain"));
    assert!(why("jobs/acme/a").await["slot"].is_null(), "it runs");
    tree.slot("jobs").pause();
    let paused = "waits at position 1 in the slot jobs/acme, which is paused";
    assert_eq!(why("jobs/acme/b").await["sentence"], paused);
    for action in ["cancel", "trigger", "restart", "pause", "resume"] {
        let answer = post(&console, &format!("?{action}=jobs/acme/b")).await;
        let refused = match action {
            "cancel" => "before it starts, only the handle that `submit` returned can cancel it",
            _ => "it has not started",
        };
        assert_eq!(answer.status, StatusCode::CONFLICT, "{action}");
        assert_eq!(answer.json()["error"], format!("it {paused}; {refused}"), "{action}");
    }
    for path in ["jobs/acme/c", "jobs/acme", "jobs/zeta/b"] {
        assert_eq!(get(&console, &format!("?why={path}")).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(post(&console, &format!("?cancel={path}")).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    // The handle does what the refusal says.
    assert!(waiting[1].cancel().await.expect("it waits"));
    assert_eq!(get(&console, "?why=plain-b").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_takes_long_to_stop_is_said_to_be_stopping() {
    let slow = TaskFn::arc("slow", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        tokio::time::sleep(std::time::Duration::from_secs(20)).await;
        Ok(())
    });
    let tree = started(builder().task(slow)).await;
    let console = console(&tree).allow_actions();
    assert_eq!(post(&console, "?cancel=slow").await.json()["answer"], "stopping");
    assert_eq!(get(&console, "?why=slow").await.json()["sentence"], "was requested to stop, and has not ended");
    tree.child("slow").outcome().await;
}

#[tokio::test(start_paused = true)]
async fn during_a_shutdown_nothing_is_started() {
    let drains = TaskFn::arc("drains", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        Ok(())
    });
    let tree = started(builder().task(drains).with_slot(SlotSpec::new("jobs"))).await;
    let console = console(&tree).allow_actions().allow_shutdown();
    assert_eq!(post(&console, "?shutdown").await.json()["answer"], "shutting down");
    assert_eq!(post(&console, "?shutdown").await.json()["answer"], "already shutting down");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    for query in ["?restart=drains", "?pause=drains", "?pause_slot=jobs"] {
        assert_eq!(post(&console, query).await.status, StatusCode::CONFLICT, "{query}");
    }
    assert_eq!(get(&console, "?tree").await.json()["phase"], "shutting down");
    tree.supervisor().wait().await.expect("it stops");
}

#[cfg(feature = "fleet")]
#[tokio::test(start_paused = true)]
async fn leases_and_the_fleet_are_shown() {
    use taskvisor::fleet::{Fleet, LocalStore};
    let fleet = Fleet::new(LocalStore::new()).label("web-1");
    let tree = started(builder().with_fleet(fleet).task(runs("bill").with_singleton_key("the-bill"))).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let whole = get(&console(&tree), "?tree").await.json();
    let lease = &whole["leases"][0];
    assert_eq!((&lease["path"], &lease["key"], &lease["held"]), (&json!("bill"), &json!("the-bill"), &json!(true)));
    assert_eq!(lease["owner"], "web-1");
    assert!(lease["token"].is_u64());
    assert_eq!(whole["fleet"], json!({ "reachable": true }));
}

#[cfg(feature = "fleet")]
#[tokio::test(start_paused = true)]
async fn what_stands_by_has_no_timer_and_a_trigger_names_the_replica_that_runs_it() {
    use std::time::Duration;

    use taskvisor::fleet::{Fleet, LocalStore};
    use taskvisor::{RestartPolicy, Schedule};

    let store = LocalStore::new();
    let replica = |label: &str| {
        let hourly = |name: &str| {
            let always = RestartPolicy::Always { interval: None };
            TaskSpec::inherit(task(name)).with_restart(always).with_schedule(Schedule::cron("0 * * * *"))
        };
        let billing = Group::one_for_one("billing").task(hourly("nightly")).task(runs("bill"));
        let own = TaskSpec::inherit(task("own"))
            .with_restart(RestartPolicy::Always { interval: Some(Duration::from_secs(9)) });
        let fleet = Fleet::new(store.clone()).name("app").label(label);
        builder().with_fleet(fleet).task(hourly("nightly").with_singleton()).group(billing.with_singleton()).task(own)
    };
    let first = started(replica("first")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = started(replica("second")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let paths = |timers: serde_json::Value| {
        let timers = timers["timers"].as_array().expect("a list").clone();
        let mut paths: Vec<_> = timers.iter().map(|timer| timer["path"].as_str().expect("text").to_owned()).collect();
        paths.sort();
        paths
    };
    let timers = get(&console(&first), "?timers").await.json();
    assert_eq!(paths(timers), ["billing/nightly", "nightly", "own"]);
    let console = console(&second).allow_actions();
    assert_eq!(paths(get(&console, "?timers").await.json()), ["own"]);
    for path in ["nightly", "billing/nightly", "billing/bill"] {
        let answer = post(&console, &format!("?trigger={path}")).await.json()["answer"].clone();
        assert_eq!(answer, "stands by; first runs it", "{path}");
    }
}

/// A server can have a runtime of its own.
#[test]
fn a_runtime_without_timers_and_one_that_is_over_get_answers() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let tree = runtime.block_on(started(builder().task(runs("web")).task(runs("other"))));
    let console = console(&tree);
    let without_timers = tokio::runtime::Builder::new_multi_thread().build().expect("a runtime");
    let ends = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let over = ends.handle().clone();
    drop(ends);
    for query in ["?tree", "?node=web", "?why=web", "?timers", "?log", ""] {
        for runtime in [without_timers.handle(), &over] {
            let answer = runtime.block_on(console.clone().call(request(http::Method::GET, query)));
            assert_eq!(answer.expect("it is infallible").status(), StatusCode::OK, "{query}");
        }
    }
    let console = console.allow_actions();
    for (runtime, path) in [(without_timers.handle(), "web"), (&over, "other")] {
        let answer = runtime.block_on(console.clone().call(request(http::Method::POST, &format!("?cancel={path}"))));
        assert_eq!(answer.expect("it is infallible").status(), StatusCode::OK, "{path}");
        let outcome = runtime.block_on(tree.child(path).outcome());
        assert!(matches!(outcome, Some(taskvisor::TaskOutcome::Canceled { .. })), "{outcome:?}");
    }
}
