//! Each command against the real console of a tree.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use taskvisor::{
    BackoffPolicy, Group, Ready, RestartPolicy, SlotSpec, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec,
    TaskState, Tree, TreeBuilder,
};
use taskvisor_console::{Access, Console};

use crate::follow::Following;
use crate::program::Program;
use crate::{Run, printed, run};

const HOUR: Duration = Duration::from_secs(3600);
const HOSTILE: &str = "a\x1b]0;owned\x07\x1b[2J\nfake: running\r\u{9b}31m\u{202e}\u{7f}";

fn runs(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Ok(())
    }))
}

/// A task that fails, and then waits for an hour.
fn fails(name: &str, error: &'static str) -> TaskSpec {
    let backoff = BackoffPolicy { first: HOUR, max: HOUR, ..BackoffPolicy::default() };
    let task = TaskFn::arc(name, move |_: TaskContext| async move { Err(TaskError::error(error)) });
    TaskSpec::inherit(task).with_backoff(backoff).with_max_retries(5)
}

fn ok(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |_: TaskContext| async { Ok(()) }))
}

/// A store whose pool has no connection, what waits for it, and what runs without it.
fn tree() -> TreeBuilder {
    let store = Group::rest_for_one("store")
        .task(ok("migrate").with_restart(RestartPolicy::Never))
        .task(fails("pool", "connection refused").with_ready(Ready::Signal));
    let config = SupervisorConfig { signals: taskvisor::Signals::NONE, ..SupervisorConfig::default() };
    Tree::builder(config)
        .group(store)
        .task(runs("serve").with_after(["store"]))
        .task(runs("report"))
        .task(ok("sync").with_restart(RestartPolicy::Always { interval: Some(HOUR) }))
}

fn settled() -> Program {
    let program = Program::start(tree());
    let is = |tree: &Tree, path: &str, state| tree.child(path).status().is_some_and(|status| status.state == state);
    program.wait(|tree, history| {
        is(tree, "store/pool", TaskState::Backoff)
            && is(tree, "sync", TaskState::Interval)
            && is(tree, "report", TaskState::Running)
            && tree.child("store/migrate").status().is_none_or(|status| status.state == TaskState::Ended)
            && history.of("sync").last().is_some_and(|attempt| attempt.ended.is_some())
    });
    program
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().filter(|word| !"├─│└".contains(word.chars().next().unwrap())).collect()
}

#[test]
fn status_of_a_real_tree_names_what_is_not_well() {
    let program = settled();
    let shown = run(&["--url", &program.url(), "status"]);
    assert_eq!((shown.status, &*shown.stderr), (3, ""), "{shown:?}");
    let lines: Vec<_> = shown.stdout.lines().collect();
    assert_eq!(lines[0], "app: running, live, not ready");
    assert!(lines[1].starts_with("  tasks  5 ("), "{shown:?}");
    let pool = lines.iter().find(|line| line.contains("store/pool  ")).expect("it needs attention");
    assert!(pool.contains("backoff") && pool.contains("failures 1 (max_retries 5)"), "{pool}");
    assert!(pool.contains("1h left") || pool.contains("59m"), "{pool}");
    assert!(pool.ends_with("\"connection refused\""), "{pool}");

    let of_path = |path: &str| run(&["--url", &program.url(), "status", path]);
    assert!(of_path("store/pool").stdout.starts_with("store/pool: backoff, not ready\n"));
    let report = of_path("report");
    assert!(report.status == 0 && report.stdout.starts_with("report: running, ready\n"), "{report:?}");
    let sync = of_path("sync");
    assert!(sync.stdout.contains("\n  last     1 completed\n"), "{sync:?}");
    assert_eq!(of_path("store").status, 3);
    assert_eq!(of_path("stroe").status, 4);
    program.end();
}

#[test]
fn why_of_a_real_tree_names_the_cause() {
    let program = settled();
    let shown = run(&["--url", &program.url(), "why", "serve"]);
    assert_eq!(shown.status, 0, "{shown:?}");
    assert!(shown.stdout.starts_with("serve: waits for store"), "{shown:?}");
    assert_eq!(run(&["--url", &program.url(), "why", "gone"]).status, 4);
    program.end();
}

#[test]
fn tree_and_timers_of_a_real_tree_are_complete() {
    let program = settled();
    let shown = run(&["--url", &program.url(), "tree"]);
    let lines: Vec<_> = shown.stdout.lines().map(|line| words(line)[..2].join(" ")).collect();
    let expected = [
        "app running",
        "store running",
        "migrate completed",
        "pool backoff",
        "serve pending",
        "report running",
        "sync interval",
    ];
    assert_eq!(lines, expected, "{shown:?}");

    let shown = run(&["--url", &program.url(), "timers"]);
    let paths: Vec<_> = shown.stdout.lines().map(|line| words(line).split_off(words(line).len() - 2)).collect();
    let mut rows = paths[1..].to_vec();
    rows.sort_unstable();
    assert_eq!(rows, [["backoff", "store/pool"], ["interval", "sync"]], "{shown:?}");
    assert_eq!(shown.stdout.matches("in 1h").count() + shown.stdout.matches("in 59m").count(), 2, "{shown:?}");
    program.end();
}

/// A group whose task was ready at first, and has lost its connection since.
#[test]
fn status_of_a_group_of_a_real_tree_is_that_of_what_is_in_it() {
    let pool = TaskFn::arc("pool", |ctx: TaskContext| async move {
        ctx.ready();
        Err(TaskError::error("connection lost"))
    });
    let backoff = BackoffPolicy { first: HOUR, max: HOUR, ..BackoffPolicy::default() };
    let pool = TaskSpec::inherit(pool).with_ready(Ready::Signal).with_backoff(backoff);
    let config = SupervisorConfig { signals: taskvisor::Signals::NONE, ..SupervisorConfig::default() };
    let store = Group::one_for_one("store").group(Group::one_for_one("inner").task(pool));
    let other = Group::one_for_one("other").task(runs("report"));
    let program = Program::start(Tree::builder(config).group(store).group(other));
    let path = "store/inner/pool";
    program.wait(|tree, _| tree.child(path).status().is_some_and(|status| status.state == TaskState::Backoff));
    let status = |path: &str| {
        let shown = run(&["--url", &program.url(), "status", path]);
        (shown.status, shown.stdout.lines().next().unwrap_or_default().to_owned())
    };
    for (path, title) in [("", "app"), ("store", "store"), ("store/inner", "store/inner")] {
        assert_eq!(status(path), (3, format!("{title}: running, not ready")));
    }
    assert_eq!(status("other"), (0, "other: running, ready".to_owned()));
    program.end();
}

#[test]
fn actions_on_a_real_tree_say_what_happened() {
    let program = settled();
    let url = program.url();
    let act = |action: &str, path: &str| run(&["--url", &url, action, path]);
    assert_eq!(act("trigger", "report"), printed("report: not waiting\n"));
    assert_eq!(act("trigger", "serve"), printed("serve: waits for store, which a trigger does not end\n"));
    assert_eq!(act("trigger", "sync"), printed("sync: triggered\n"));
    assert_eq!(act("pause", ""), printed("the tree: paused\n"));
    assert_eq!(act("resume", ""), printed("the tree: resumed\n"));
    let said = "taskvisor: `app` is the whole tree, whose path is empty: \"\"\n".to_owned();
    assert_eq!(act("pause", "app"), Run { status: 4, stdout: String::new(), stderr: said });
    assert_eq!(act("restart", "report"), printed("report: restarted\n"));
    program.wait(|tree, _| tree.child("report").status().is_some_and(|status| status.attempt == 2));
    assert_eq!(act("pause", "store"), printed("store: paused\n"));
    assert_eq!(act("pause", "store"), printed("store: already paused\n"));
    assert_eq!(act("resume", "store"), printed("store: resumed\n"));
    assert_eq!(act("cancel", "report"), printed("report: canceled\n"));
    assert_eq!(run(&["--url", &url, "status", "report"]).stdout.lines().next(), Some("report: canceled, ready"));
    assert_eq!(act("restart", "gone").status, 4);
    let refused = act("trigger", "store");
    assert_eq!((refused.status, &*refused.stdout), (1, ""), "{refused:?}");
    program.end();
}

#[test]
fn slots_of_a_real_tree_are_shown_and_paused_also_while_they_are_idle() {
    let slots = [SlotSpec::new("deploy"), SlotSpec::new("jobs").with_keys()];
    let program = Program::start(slots.into_iter().fold(tree(), TreeBuilder::with_slot));
    let url = program.url();
    let ask = |arguments: &[&str]| run(&[&["--url", &url], arguments].concat());
    let first = |run: Run| run.stdout.lines().map(|line| words(line)[..2].join(" ")).collect::<Vec<_>>();
    assert_eq!(first(ask(&["slots"])), ["SLOT PHASE", "deploy idle", "jobs idle"]);
    assert_eq!(ask(&["pause-slot", "jobs"]), printed("jobs: paused\n"));
    assert_eq!(ask(&["pause-slot", "jobs/acme"]), printed("jobs/acme: paused\n"));
    assert_eq!(first(ask(&["slots"])), ["SLOT PHASE", "deploy idle", "jobs paused", "jobs/acme paused"]);
    assert!(ask(&["slots", "jobs"]).stdout.contains("\n  keys    acme\n"));
    assert!(ask(&["status"]).stdout.contains("\n  slot jobs  "), "{:?}", ask(&["status"]));
    assert_eq!(ask(&["resume-slot", "jobs"]), printed("jobs: resumed\n"));
    assert_eq!(ask(&["pause", "sync"]), printed("sync: paused\n"));
    let status = ask(&["status"]).stdout;
    let paused = status.split("\npaused\n").nth(1).expect(&status);
    let ago = paused.split_once("  paused ").and_then(|(_, rest)| rest.split_once("s ago  is paused, and "));
    let seconds: u32 = ago.expect(&status).0.parse().expect(&status);
    assert!(paused.starts_with("  sync ") && seconds < 60, "{status}");
    assert_eq!(ask(&["why", "jobs/zeta"]).status, 4);
    program.end();
}

#[test]
fn what_waits_in_the_slot_of_a_real_tree_is_neither_idle_nor_missing() {
    let program = Program::start(tree().with_slot(SlotSpec::new("jobs").with_keys().with_capacity(5)));
    let url = program.url();
    let ask = |arguments: &[&str]| run(&[&["--url", &url], arguments].concat());
    assert_eq!(ask(&["pause-slot", "jobs"]), printed("jobs: paused\n"));
    for name in ["export-1", "export-2", "export-3"] {
        program.submit("jobs/acme", runs(name));
    }
    program.submit("jobs/zeta", runs("export-1"));
    program.submit("plain", runs("plain-1"));
    program.submit("plain", runs("plain-2"));
    let waits = "jobs/acme/export-2: waits at position 2 in the slot jobs/acme, which is paused; see `taskvisor slots jobs/acme`\n";
    assert_eq!(ask(&["why", "jobs/acme/export-2"]), printed(waits));
    let plain = "plain-2: waits at position 1 in the slot plain; see `taskvisor slots plain`\n";
    assert_eq!(ask(&["why", "plain-2"]), printed(plain));
    let status = ask(&["status", "jobs/acme/export-2"]);
    assert!(status.status == 3 && status.stdout.starts_with("jobs/acme/export-2: queued, not ready\n"), "{status:?}");
    let cancel = ask(&["cancel", "jobs/acme/export-2"]);
    assert_eq!((cancel.status, &*cancel.stdout), (1, ""), "{cancel:?}");
    let said =
        ": it waits at position 2 in the slot jobs/acme, which is paused; before it starts, only the handle that ";
    assert!(cancel.stderr.contains(said), "{cancel:?}");
    let paused = ask(&["status"]).stdout;
    let row = paused.lines().find(|line| line.starts_with("  slot jobs ")).expect(&paused);
    assert!(row.starts_with("  slot jobs  waiting  paused ") && row.ends_with("  4 queued"), "{row}");
    assert_eq!(ask(&["resume-slot", "jobs"]), printed("jobs: resumed\n"));
    let jobs = ask(&["slots", "jobs"]).stdout;
    assert!(jobs.starts_with("jobs: running\n") && jobs.contains("\n  queued  2\n"), "{jobs}");
    program.end();
}

#[test]
fn json_of_a_real_tree_parses() {
    let program = settled();
    for arguments in
        [&["status"][..], &["status", "store"], &["why", "serve"], &["tree"], &["timers"], &["pause", "sync"]]
    {
        let shown = run(&[&["--url", &program.url(), "--json"], arguments].concat());
        let value: Value = serde_json::from_str(&shown.stdout).expect(&shown.stdout);
        assert!(value.is_object(), "{arguments:?}");
        assert_eq!(shown.status, if arguments[0] == "status" { 3 } else { 0 });
    }
    program.end();
}

#[test]
fn a_real_console_denies_and_says_why() {
    let addr = ([127, 0, 0, 1], 0).into();
    let needs_token = |console: Console| {
        console.access(|request| match request.headers.get("authorization") {
            Some(token) if token == "Bearer hush" => Access::ReadOnly,
            _ => Access::Denied,
        })
    };
    let program = Program::start_at(addr, tree(), needs_token);
    let url = program.url();
    let denied = run(&["--url", &url, "tree"]);
    assert_eq!(denied.status, 1);
    assert!(denied.stderr.contains(" denies access: access is denied; "), "{denied:?}");
    let with_token = |arguments: &[&str]| {
        let arguments = [&["--url", &*url], arguments].concat();
        crate::ended(crate::command(&arguments).env("TASKVISOR_TOKEN", "hush").output().unwrap())
    };
    assert_eq!(with_token(&["tree"]).status, 0);
    let acts = with_token(&["restart", "report"]);
    assert_eq!(acts.status, 1);
    assert!(acts.stderr.contains(" denies access: this console is read-only; "), "{acts:?}");
    program.end();
}

#[test]
fn a_real_console_at_a_socket_names_the_host_that_it_does_not_serve() {
    let path = std::env::temp_dir().join(format!("taskvisor-cli-console-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let program = settled();
    program.serve_at(&path);
    let socket = path.to_str().unwrap();
    assert_eq!(run(&["--socket", socket, "tree"]).status, 0);
    let other = run(&["--socket", socket, "--url", "http://evil.example/", "tree"]);
    assert_eq!(other.status, 1);
    assert!(other.stderr.contains(" does not serve this host: ") && other.stderr.contains("evil.example"), "{other:?}");
    std::fs::remove_file(&path).unwrap();
    program.end();
}

#[test]
fn hostile_names_and_errors_of_a_real_tree_cannot_act_on_the_terminal() {
    let config = SupervisorConfig { signals: taskvisor::Signals::NONE, ..SupervisorConfig::default() };
    let program = Program::start(Tree::builder(config).task(fails(HOSTILE, HOSTILE)));
    program.wait(|tree, _| tree.child(HOSTILE).status().is_some_and(|status| status.state == TaskState::Backoff));
    for arguments in
        [&["status"][..], &["status", HOSTILE], &["why", HOSTILE], &["tree"], &["timers"], &["pause", HOSTILE]]
    {
        for json in [&[][..], &["--json"]] {
            let Run { stdout, stderr, .. } = run(&[&["--url", &program.url()], arguments, json].concat());
            assert!(stdout.contains("owned") || arguments[0] == "pause", "{stdout} {stderr}");
            let acts = |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
            assert!(!stdout.contains(acts) && !stderr.contains(acts), "{stdout:?} {stderr:?}");
            assert!(!stdout.lines().any(|line| line.starts_with("fake")), "{stdout:?}");
        }
    }
    program.end();
}

#[test]
fn events_of_a_real_program_are_followed_through_its_restart() {
    let program = settled();
    let (url, addr) = (program.url(), program.addr());
    let mut following = Following::start(&["--url", &url]);
    let mut until = |text: &str| loop {
        let line = following.line();
        if line.contains(text) {
            break line;
        }
    };
    // A stream shows what happens after its begin, so it happens until it is seen.
    let is_seen = AtomicBool::new(false);
    let acting = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_seen.load(Ordering::Relaxed) {
                run(&["--url", &url, "restart", "report"]);
            }
        });
        let line = until("TaskStarting report");
        is_seen.store(true, Ordering::Relaxed);
        line
    });
    assert!(acting.contains("Z INFO  TaskStarting report attempt="), "{acting}");
    program.end();
    let program = Program::start_at(addr, tree(), Console::allow_actions);
    let said = loop {
        let remark = following.remark();
        if remark.contains("started again") {
            break remark;
        }
    };
    assert_eq!(said, "taskvisor: the program was started again");
    // An action is in the log of the new process, and so in the stream.
    assert_eq!(run(&["--url", &program.url(), "pause", "sync"]), printed("sync: paused\n"));
    while !following.line().contains("ConsoleAction sync pause: paused") {}
    program.end();
}
