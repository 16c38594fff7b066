//! The stream: what it sends, and when it ends.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use crate::common::*;
use http::{Method, StatusCode};
use http_body::Body as _;
use serde_json::{Value, json};
use taskvisor::{Group, History, SlotSpec, TaskState};
use taskvisor_console::Console;

/// The nodes as a client has them.
fn apply(known: &mut Vec<Value>, message: &Message) {
    if message.event == "snapshot" {
        known.clone_from(message.data["nodes"].as_array().expect("a list"));
        return;
    }
    for node in message.data["nodes"].as_array().expect("a list") {
        match known.iter_mut().find(|known| known["path"] == node["path"]) {
            Some(known) => *known = node.clone(),
            None => known.push(node.clone()),
        }
    }
    let removed = message.data["removed"].as_array().expect("a list");
    known.retain(|node| !removed.contains(&node["path"]));
}

async fn follow(stream: &mut Stream, known: &mut Vec<Value>, holds: impl Fn(&[Value]) -> bool) {
    while !holds(known) {
        let message = stream.next().await.expect("the stream goes on");
        apply(known, &message);
    }
}

fn state<'a>(known: &'a [Value], path: &str) -> Option<&'a str> {
    known.iter().find(|node| node["path"] == path)?["state"].as_str()
}

/// Returns the nodes by path, without what depends on the time at which they were read.
fn comparable(nodes: &[Value]) -> Vec<(String, Value)> {
    let mut nodes: Vec<_> = nodes.iter().map(|node| (node["path"].to_string(), node.clone())).collect();
    nodes.sort_by(|(a, _), (b, _)| a.cmp(b));
    nodes
}

#[tokio::test(start_paused = true)]
async fn first_comes_the_whole_tree_and_then_what_changes() {
    let history = History::new();
    let store = Group::one_for_one("store").task(fails("pool", "refused")).task(runs("cache").with_after(["pool"]));
    let tree = started(builder().with_subscriber(history.clone()).group(store).task(runs("web"))).await;
    let console = console(&tree).history(history);

    let mut stream = Stream::open(&console).await;
    let mut known = Vec::new();
    let snapshot = stream.next().await.expect("a snapshot");
    assert_eq!(snapshot.event, "snapshot");
    let id = format!("{}-{}", snapshot.data["boot"].as_str().expect("text"), snapshot.data["seq"]);
    assert_eq!(snapshot.id, id);
    apply(&mut known, &snapshot);
    let order: Vec<_> = known.iter().map(|node| node["path"].as_str().expect("text")).collect();
    assert_eq!(order, ["", "store", "store/pool", "store/cache", "web"]);
    follow(&mut stream, &mut known, |known| state(known, "store/pool") == Some("backoff")).await;
    follow(&mut stream, &mut known, |known| known.iter().any(|node| node["recent"][0][2] == "failed")).await;

    tree.child("web").pause_and_stop();
    follow(&mut stream, &mut known, |known| state(known, "web") == Some("paused")).await;
    let added = tree.supervisor().add_task(runs("extra")).await.expect("it is added");
    follow(&mut stream, &mut known, |known| state(known, "extra") == Some("running")).await;
    assert_eq!(known.iter().find(|node| node["path"] == "extra").expect("it")["parent"], "");
    added.cancel().await.expect("it stops");
    follow(&mut stream, &mut known, |known| state(known, "extra").is_none()).await;

    let now = get(&console, "?tree").await.json();
    assert_eq!(comparable(&known), comparable(now["nodes"].as_array().expect("a list")));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_added_comes_with_everything_in_it_at_its_place_and_goes_with_it() {
    let tree = started(builder().group(Group::one_for_one("pool").task(runs("own")))).await;
    let console = console(&tree);
    let mut stream = Stream::open(&console).await;
    let mut known = Vec::new();
    follow(&mut stream, &mut known, |known| state(known, "pool/own") == Some("running")).await;
    let began = tokio::time::Instant::now();
    for _ in 0..2 {
        let deep = Group::one_for_one("deep").task(runs("b"));
        let added =
            tree.group("pool").add_group(Group::rest_for_one("n").task(runs("a")).group(deep)).expect("it is added");
        follow(&mut stream, &mut known, |known| state(known, "pool/n/deep/b") == Some("running")).await;
        let parent = |path: &str| known.iter().find(|node| node["path"] == path).map(|node| node["parent"].clone());
        for (path, above) in
            [("pool/n/deep/b", "pool/n/deep"), ("pool/n/deep", "pool/n"), ("pool/n/a", "pool/n"), ("pool/n", "pool")]
        {
            assert_eq!(parent(path).as_ref().and_then(Value::as_str), Some(above), "{path}");
        }
        let now = get(&console, "?tree").await.json();
        assert_eq!(comparable(&known), comparable(now["nodes"].as_array().expect("a list")));
        added.cancel().await.expect("it stops");
        follow(&mut stream, &mut known, |known| known.len() == 3).await;
    }
    assert!(began.elapsed() < Duration::from_secs(5), "by events, and not by the comparison of the whole tree");
}

#[tokio::test(start_paused = true)]
async fn at_most_four_flushes_a_second_and_none_if_nothing_changes() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree);
    let mut stream = Stream::open(&console).await;
    stream.until(|message| message.event == "snapshot").await;
    let began = tokio::time::Instant::now();
    let storm = tokio::spawn(async move {
        loop {
            tree.child("web").pause();
            tree.child("web").resume();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for _ in 0..20 {
        assert_eq!(stream.next().await.expect("it goes on").event, "changes");
    }
    assert!(began.elapsed() >= Duration::from_millis(19 * 250), "{:?}", began.elapsed());
    storm.abort();
    let _ = storm.await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_shows_every_15_seconds_that_it_lives() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree);
    let mut body = begin(&console, request(Method::GET, "?events")).await.into_body();
    let began = tokio::time::Instant::now();
    let mut comments = 0;
    while comments < 3 {
        let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.expect("it goes on");
        let data = frame.expect("infallible").into_data().expect("data");
        let is_comment = data.starts_with(b":");
        // A page notices events only.
        assert!(!is_comment || data.ends_with(b"\nevent: beat\ndata:\n\n"), "{data:?}");
        comments += usize::from(is_comment);
    }
    let seconds = began.elapsed().as_secs();
    assert!((45..=50).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_shows_that_it_lives_while_others_come_and_go() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree);
    let mut silent = begin(&console, request(Method::GET, "?events")).await.into_body();
    let others = async {
        for _ in 0..6 {
            let mut other = Stream::open(&console).await;
            other.until(|message| message.event == "snapshot").await;
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    };
    let mut beats = 0;
    let read = async {
        loop {
            let frame = poll_fn(|cx| Pin::new(&mut silent).poll_frame(cx)).await.expect("it goes on");
            beats += usize::from(frame.expect("infallible").into_data().expect("data").starts_with(b":"));
        }
    };
    tokio::select! {
        () = others => {}
        () = read => {}
    }
    assert!((3..=4).contains(&beats), "{beats} in a minute");
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_with_a_bye_as_soon_as_a_shutdown_is_requested() {
    let stays = taskvisor::TaskFn::arc("stays", |_: taskvisor::TaskContext| std::future::pending());
    let tree = started(builder().task(stays)).await;
    let console = console(&tree);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = Stream::open(&console).await;
        stream.until(|message| message.event == "snapshot").await;
        streams.push(stream);
    }
    let shutdown = tokio::spawn(tree.shutdown());
    for stream in &mut streams {
        let bye = stream.until(|message| message.event == "bye").await;
        assert_eq!(bye.data, json!({ "reason": "shutdown()" }));
        assert!(stream.next().await.is_none());
    }
    assert_eq!(tree.supervisor().phase(), taskvisor::Phase::ShuttingDown, "the task still runs");
    assert_eq!(console.streams(), 0);
    let mut late = Stream::open(&console).await;
    assert_eq!(late.next().await.expect("a message").event, "snapshot");
    assert_eq!(late.next().await.expect("a message").event, "bye");
    assert!(late.next().await.is_none());
    let _ = shutdown.await;
    assert_eq!(get(&console, "?tree").await.json()["phase"], "stopped", "it can still be asked");
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_with_a_supervisor_that_is_dropped() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree);
    let mut stream = Stream::open(&console).await;
    stream.until(|message| message.event == "snapshot").await;
    drop(tree);
    stream.until(|message| message.event == "bye").await;
    assert!(stream.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn there_are_at_most_32_streams_and_one_that_is_dropped_makes_room() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree);
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(Stream::open(&console).await);
    }
    assert_eq!(console.streams(), 32);
    assert_eq!(get(&console, "?events").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&console, "?tree").await.status, StatusCode::OK);
    streams.pop();
    assert_eq!(console.streams(), 31);
    streams.push(Stream::open(&console).await);
    for stream in &mut streams {
        assert_eq!(stream.next().await.expect("a message").event, "snapshot");
    }
    drop(streams);
    assert_eq!(console.streams(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_head_request_opens_no_stream() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree);
    let answer = ask(&console, request(Method::HEAD, "?events")).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/event-stream"));
    assert_eq!(console.streams(), 0);
    let whole = get(&console, "?style.css").await;
    let head = ask(&console, request(Method::HEAD, "?style.css")).await;
    assert_eq!((head.text.as_str(), head.header("content-length")), ("", &*whole.text.len().to_string()));
}

#[tokio::test]
async fn a_stream_asks_proxies_not_to_collect_it() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree);
    for method in [Method::GET, Method::HEAD] {
        let stream = begin(&console, request(method, "?events")).await;
        // Without it, nginx keeps the events until its buffer is full or the stream ends.
        assert_eq!(stream.headers()["x-accel-buffering"], "no");
    }
    assert!(!get(&console, "?tree").await.headers.contains_key("x-accel-buffering"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_slow_gets_a_new_snapshot_and_not_what_it_has_missed() {
    let tasks: Vec<_> = (0..200).map(|number| runs(&format!("task-{number}"))).collect();
    let tree = started(builder().tasks(tasks)).await;
    let console = console(&tree);
    let mut slow = Stream::open(&console).await;
    slow.until(|message| message.event == "snapshot").await;
    let mut fast = Stream::open(&console).await;
    let mut known = Vec::new();
    for _ in 0..40 {
        for pauses in [true, false] {
            if pauses {
                tree.group("").pause()
            } else {
                tree.group("").resume()
            };
            let is_there =
                |known: &[Value]| known.len() == 201 && known.iter().all(|node| (node["paused"] == true) == pauses);
            follow(&mut fast, &mut known, is_there).await;
        }
    }
    // It has read nothing of these 80 changes of 201 nodes, which are more than it may have waiting.
    let mut late = Vec::new();
    let mut messages = 0;
    let snapshot = loop {
        let message = slow.next().await.expect("it goes on");
        messages += 1;
        if message.event == "snapshot" {
            break message;
        }
    };
    assert!(messages < 20, "{messages}");
    apply(&mut late, &snapshot);
    assert_eq!(comparable(&late), comparable(&known));
}

#[tokio::test(start_paused = true)]
async fn after_lost_events_the_whole_tree_comes_again_and_is_right() {
    let tree = started(builder().task(runs("web")).task(runs("other"))).await;
    let console = console(&tree);
    let mut stream = Stream::open(&console).await;
    stream.until(|message| message.event == "snapshot").await;
    // More than wait for the pump, in one turn.
    for _ in 0..20_000 {
        tree.child("web").pause();
        tree.child("web").resume();
    }
    tree.child("other").pause_and_stop();
    let again = stream.until(|message| message.event == "snapshot").await;
    let mut known = Vec::new();
    apply(&mut known, &again);
    follow(&mut stream, &mut known, |known| state(known, "other") == Some("paused")).await;
    assert_eq!(
        comparable(&known),
        comparable(get(&console, "?tree").await.json()["nodes"].as_array().expect("a list"))
    );
}

#[tokio::test(start_paused = true)]
async fn pauses_slots_and_actions_are_sent() {
    let tree = started(builder().task(runs("web")).with_slot(SlotSpec::new("jobs"))).await;
    let console = console(&tree).allow_actions();
    let mut stream = Stream::open(&console).await;
    let snapshot = stream.until(|message| message.event == "snapshot").await;
    assert_eq!(snapshot.data["slots"][0]["name"], "jobs");
    tree.slot("jobs").submit(runs("a")).await.expect("it is accepted");
    let changes = stream.until(|message| message.data["slots"][0]["phase"] == "running").await;
    assert_eq!(changes.data["slots"][0]["owners"][0]["path"], "a");
    assert_eq!(post(&console, "?pause_slot=jobs").await.json()["answer"], "paused");
    let of_action = |log: &Value| {
        let lines = log.as_array().expect("a list").iter();
        lines.filter(|line| line["kind"] == "ConsoleAction").cloned().collect::<Vec<_>>()
    };
    let changes = stream.until(|message| !of_action(&message.data["log"]).is_empty()).await;
    let line = of_action(&changes.data["log"]).remove(0);
    assert_eq!((&line["task"], &line["reason"]), (&json!("jobs"), &json!("paused")));
    assert_eq!(line["text"], "ConsoleAction jobs pause_slot: paused");
    drop(stream);
    assert_eq!(of_action(&get(&console, "?log").await.json()["log"]), [line]);
    assert_eq!(tree.child("web").status().expect("it").state, TaskState::Running);
}

#[tokio::test(start_paused = true)]
async fn streams_come_again_after_the_last_one_has_gone() {
    let tree = started(builder().task(runs("web"))).await;
    let console: Console = console(&tree);
    for _ in 0..3 {
        let mut stream = Stream::open(&console).await;
        assert_eq!(stream.next().await.expect("a message").event, "snapshot");
        let mut other = Stream::open(&console.clone()).await;
        drop(stream);
        assert_eq!(other.next().await.expect("a message").event, "snapshot");
    }
    assert_eq!(console.streams(), 0);
}

/// What events name is read again, and what follows from it. So it needs no comparison of the whole tree.
#[tokio::test(start_paused = true)]
async fn a_storm_of_changes_ends_equal_to_the_tree() {
    for seed in 0..6 {
        let mut state = seed * 7_919 + 1;
        let mut random = move |below: usize| {
            state = (state * 1_103_515_245 + 12_345) % 2_147_483_648_usize;
            (state >> 8) % below
        };
        let store = Group::rest_for_one("store")
            .task(fails("pool", "refused").with_max_retries(2))
            .task(runs("cache").with_after(["pool"]))
            .task(runs("api").with_after(["cache"]));
        let jobs = Group::one_for_all("jobs")
            .task(runs("a"))
            .task(runs("b"))
            .group(Group::one_for_one("inner").task(runs("c")));
        let tree =
            started(builder().group(store).group(jobs).task(runs("web").with_after(["jobs"])).task(runs("log"))).await;
        let console = console(&tree);
        let mut stream = Stream::open(&console).await;
        let mut known = Vec::new();
        apply(&mut known, &stream.next().await.expect("a snapshot"));
        let tasks = ["store/pool", "store/cache", "store/api", "jobs/a", "jobs/b", "jobs/inner/c", "web", "log"];
        let groups = ["store", "jobs", "jobs/inner", ""];
        for step in 0..40 {
            let (task, group) = (tree.child(tasks[random(tasks.len())]), tree.group(groups[random(groups.len())]));
            match random(8) {
                0 => _ = task.pause_and_stop(),
                1 => _ = task.resume(),
                2 => _ = task.restart(),
                3 => _ = task.trigger(),
                4 => _ = group.pause(),
                5 => _ = group.resume(),
                6 => _ = group.restart(),
                _ => {
                    let name = format!("added-{}", random(4));
                    if tree.supervisor().add_task(runs(&name)).await.is_err() {
                        let _ = tree.supervisor().cancel(&name).await;
                    }
                }
            }
            if step % 5 == 0 {
                tokio::time::sleep(Duration::from_millis(random(300) as u64)).await;
            }
        }
        // Less than the time to the next comparison of the whole tree.
        let end = tokio::time::Instant::now() + Duration::from_secs(4);
        while let Ok(message) = tokio::time::timeout_at(end, stream.next()).await {
            apply(&mut known, &message.expect("the stream goes on"));
        }
        let now = get(&console, "?tree").await.json();
        assert_eq!(comparable(&known), comparable(now["nodes"].as_array().expect("a list")), "seed {seed}");
    }
}

#[test]
fn a_full_pool_of_threads_holds_up_neither_streams_nor_answers() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
    let (release, released) = std::sync::mpsc::channel::<()>();
    runtime.expect("a runtime").block_on(async {
        let pool = tokio::task::spawn_blocking(move || released.recv());
        let tree = started(builder().task(runs("web"))).await;
        let console = console(&tree);
        let first = Stream::open(&console).await.next().await.expect("a snapshot");
        assert_eq!(first.event, "snapshot");
        for query in ["?tree", "?node=web", "?why=web", "?timers", "?log"] {
            assert_eq!(get(&console, query).await.status, StatusCode::OK, "{query}");
        }
        assert!(!pool.is_finished());
        drop(release);
    });
}
