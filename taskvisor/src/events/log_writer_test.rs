//! Tests of the lines of the log.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::super::EventKind;
use super::*;

fn event(kind: EventKind, task: &str) -> Event {
    Event { at: UNIX_EPOCH + Duration::from_millis(29_730_123), ..Event::about(kind, &Arc::from(task)) }
}

fn line(event: &Event) -> String {
    LogWriter::new(io::sink()).line(event, Addition::Nothing)
}

#[test]
fn the_lines_are_aligned() {
    let failed = Event { attempt: Some(3), ..event(EventKind::TaskFailed, "store/pool") }.because("refused");
    let waits = Event {
        attempt: Some(3),
        delay_ms: Some(400),
        ..event(EventKind::BackoffScheduled, "a-name-longer-than-its-column")
    };
    let late = Event { timeout_ms: Some(5000), ..event(EventKind::TimeoutHit, "ping") };
    let moves = Event {
        slot: Some("up".into()),
        count: Some(2),
        ..event(EventKind::ControllerSlotTransition, "up").because("idle -> running")
    };
    let paused = Event { task: None, slot: Some("up".into()), ..event(EventKind::TaskPaused, "") };
    let lost = Event { count: Some(7), ..event(EventKind::SubscriberOverflow, "metrics") };
    let over = Event { task: None, ..event(EventKind::ShutdownRequested, "").because("SIGTERM") };
    let done = Event { task: None, ..event(EventKind::AllStoppedWithinGrace, "") };
    let lines: String = [failed, waits, late, moves, paused, lost, over, done].iter().map(line).collect();
    assert_eq!(
        lines,
        r#"08:15:30.123 WARN  TaskFailed               store/pool           attempt=3 reason="refused"
08:15:30.123 DEBUG BackoffScheduled         a-name-longer-than-its-column attempt=3 delay=400ms
08:15:30.123 INFO  TimeoutHit               ping                 timeout=5000ms
08:15:30.123 DEBUG ControllerSlotTransition up                   slot=up waiting=2 change="idle -> running"
08:15:30.123 INFO  TaskPaused               up                   slot=up
08:15:30.123 WARN  SubscriberOverflow       metrics              lost=7
08:15:30.123 INFO  ShutdownRequested                             reason="SIGTERM"
08:15:30.123 INFO  AllStoppedWithinGrace
"#
    );
}

#[test]
fn o05_a_slow_shutdown_has_words_of_its_own() {
    let waits = Event {
        delay_ms: Some(1006),
        timeout_ms: Some(2999),
        count: Some(1),
        ..event(EventKind::ShutdownWaiting, "pool")
    };
    assert_eq!(
        line(&waits),
        "08:15:30.123 INFO  ShutdownWaiting          pool                 since=1006ms left=2999ms waiting=1\n"
    );
}

#[test]
fn no_task_can_forge_a_line_or_what_is_in_it() {
    let failed = event(EventKind::TaskFailed, "pi\u{1b}[2Kng").because("refused\r\nTaskRemoved \"x\" \u{1b}[0m");
    assert_eq!(
        line(&failed),
        "08:15:30.123 WARN  TaskFailed               pi\\u{1b}[2Kng        \
         reason=\"refused\\r\\nTaskRemoved \\\"x\\\" \\u{1b}[0m\"\n"
    );
    for (forged, written) in
        [("x attempt=9", r#""x attempt=9""#), ("x\ny", r#""x\ny""#), ("x\u{2028}y", r#""x\u{2028}y""#)]
    {
        let event = Event { slot: Some(forged.into()), ..event(EventKind::ControllerSubmitted, forged) };
        let line = line(&event);
        assert!(line.contains(&format!(" {written} ")), "{line}");
        assert!(line.ends_with(&format!(" slot={written}\n")), "{line}");
        assert_eq!(line.lines().count(), 1);
    }
}

#[test]
fn colors_surround_the_level_and_are_on_terminals_only() {
    let writer = LogWriter::new(io::sink()).with_colors();
    assert_eq!(
        writer.line(&event(EventKind::ActorDead, "x"), Addition::Nothing),
        "\x1b[2m08:15:30.123\x1b[0m \x1b[31mERROR\x1b[0m ActorDead                x\n"
    );
    assert!(wants_colors(true, None) && wants_colors(true, Some(OsStr::new(""))));
    assert!(!wants_colors(true, Some(OsStr::new("0"))) && !wants_colors(false, None));
    let file = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    assert!(!LogWriter::new(file).with_colors_on_terminal().colors, "a file is no terminal");
}

/// A writer that fails on every write.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[tokio::test]
async fn a_closed_output_is_no_harm() {
    LogWriter::new(Closed).on_event(&event(EventKind::TaskFailed, "x")).await;
}

#[tokio::test]
async fn o40_what_failed_long_ago_is_forgotten_when_events_were_lost() {
    let writer = LogWriter::new(io::sink());
    let at = |seconds, event: Event| Event { at: UNIX_EPOCH + Duration::from_secs(seconds), ..event };
    for (seconds, kind, about) in [
        (0, EventKind::TaskFailed, "ended since"),
        (60, EventKind::TaskFailed, "fails"),
        (61, EventKind::SubscriberOverflow, "metrics"),
    ] {
        writer.on_event(&at(seconds, event(kind, about))).await;
    }
    let known = |path: &str| lock(&writer.repeats).as_ref().unwrap().knows(path);
    assert!(known("ended since"), "another subscriber has lost events");
    writer.on_event(&at(61, event(EventKind::SubscriberOverflow, writer.name()))).await;
    assert_eq!((known("ended since"), known("fails")), (false, true));
}

#[tokio::test]
async fn o40_a_shutdown_writes_the_end_of_what_is_in_a_group_that_keeps_failing() {
    let writer = LogWriter::new(Vec::new());
    for _ in 0..3 {
        writer.on_event(&event(EventKind::GroupFailed, "store").because("refused")).await;
    }
    writer.on_event(&event(EventKind::TaskRemoved, "store/before")).await;
    writer.on_event(&Event { task: None, ..event(EventKind::ShutdownRequested, "") }).await;
    writer.on_event(&event(EventKind::TaskRemoved, "store/pool")).await;
    let written = String::from_utf8(writer.writer.into_inner().unwrap()).unwrap();
    let removed: Vec<_> = written.lines().filter(|line| line.contains("TaskRemoved")).collect();
    assert!(matches!(removed[..], [line] if line.contains("store/pool")), "{written}");
}

#[tokio::test]
async fn what_is_below_the_level_is_not_written() {
    let writer = LogWriter::new(Vec::new()).with_level(LogLevel::Warn);
    let exhausted = || event(EventKind::ActorExhausted, "x");
    for event in [exhausted(), exhausted().because("refused"), event(EventKind::BackoffScheduled, "x")] {
        writer.on_event(&event).await;
    }
    let written = String::from_utf8(writer.writer.into_inner().unwrap()).unwrap();
    assert_eq!(written, "08:15:30.123 ERROR ActorExhausted           x                    reason=\"refused\"\n");
}

#[tokio::test]
async fn o40_each_warning_is_written() {
    let writer = LogWriter::new(Vec::new());
    for _ in 0..5 {
        writer.on_event(&event(EventKind::Warning, "store").because("refused")).await;
    }
    let written = String::from_utf8(writer.writer.into_inner().unwrap()).unwrap();
    assert_eq!(written.lines().count(), 5, "{written}");
}

#[tokio::test]
async fn an_end_in_success_is_told_from_one_in_failure() {
    let writer = LogWriter::new(Vec::new());
    writer.on_event(&event(EventKind::ActorExhausted, "x")).await;
    let written = String::from_utf8(writer.writer.into_inner().unwrap()).unwrap();
    assert_eq!(written, "08:15:30.123 INFO  ActorExhausted           x                    outcome=completed\n");
}

#[test]
fn o40_what_a_writer_is_told_last_stands() {
    let writer = || LogWriter::new(io::sink());
    let failed = event(EventKind::TaskFailed, "a");
    let shown = |writer: LogWriter<io::Sink>| writer.line(&failed, Addition::Nothing);
    assert_eq!(shown(writer().with_colors().without_colors()), shown(writer()));
    assert_ne!(shown(writer().without_colors().with_colors()), shown(writer()));
}

#[test]
fn o40_repeated_failures_are_left_out_where_failures_are_written() {
    let each = |level| LogWriter::new(io::sink()).with_level(level).writes_each();
    let levels = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
    assert_eq!(levels.map(each), [false, false, false, true]);
    assert!(LogWriter::new(io::sink()).with_every_failure().writes_each());
}
