//! The schedules on a clock that is set.

use std::time::UNIX_EPOCH;

use taskvisor::test::set_wall_clock;
use tokio::time::{Duration, sleep};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(start_paused = true)]
async fn a_week_has_seven_reports_and_a_count_for_each_hour_of_work() -> Result<(), RuntimeError> {
    // A Monday in Berlin.
    set_wall_clock("2026-10-18T22:00:00Z");
    let reports = Arc::new(Reports::new(None));
    let tree = supervise!(
        defaults(zone = "Europe/Berlin"),
        tasks = [nightly { reports: Arc::clone(&reports) }, hourly { reports: Arc::clone(&reports) }],
    );
    tree.start().await?;
    // Seven days and an hour: in the last night, the clock is set back.
    sleep(DAY * 7 + DAY / 24).await;
    assert_eq!(reports.numbers(), (7, 5 * 11));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn a_report_that_was_due_while_the_program_was_down_is_made_at_its_start() -> Result<(), RuntimeError> {
    let state = std::env::temp_dir().join(format!("nightly-{}", std::process::id()));
    let reports = Arc::new(Reports::new(Some(state.clone())));
    // 02:30 in Berlin, on 2026-10-19.
    reports.make(Some(UNIX_EPOCH + Duration::from_secs(1_792_369_800))).unwrap();
    for (start, made) in [("2026-10-20T02:00:00Z", 2), ("2026-10-20T10:00:00Z", 1)] {
        set_wall_clock(start);
        let reports = Arc::new(Reports::new(Some(state.clone())));
        let tree = supervise!(tasks = [task(nightly { reports: Arc::clone(&reports) }, last_run = reports.last())]);
        tree.start().await?;
        sleep(DAY).await;
        assert_eq!(reports.numbers().0, made, "{start}");
        tree.shutdown().await?;
        reports.make(Some(UNIX_EPOCH + Duration::from_secs(1_792_369_800))).unwrap();
    }
    drop(std::fs::remove_file(state));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_changes_of_the_clock_are_shown() -> Result<(), RuntimeError> {
    let tree = supervise!(tasks = [nightly { reports: Arc::default() }]);
    let start = UNIX_EPOCH + Duration::from_secs(1_767_225_600); // 2026-01-01
    let shown = changes::around_after(&tree, "nightly", start)?;
    let expected = [
        "2026-03-27T02:30:00+01:00 nightly",
        "2026-03-28T02:30:00+01:00 nightly",
        "2026-03-29T03:00:00+02:00 nightly, for 02:30 which the clock skips",
        "2026-03-30T02:30:00+02:00 nightly",
        "2026-10-24T02:30:00+02:00 nightly",
        "2026-10-25T02:30:00+02:00 nightly",
        "2026-10-26T02:30:00+01:00 nightly",
        "2026-10-27T02:30:00+01:00 nightly",
    ];
    assert_eq!(shown, expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn lines_are_commands() -> Result<(), RuntimeError> {
    let reports = Arc::<Reports>::default();
    let tree = supervise!(tasks = [nightly { reports: Arc::clone(&reports) }]);
    tree.start().await?;
    let answer = |line| commands::answer(&tree, &tree.tasks.nightly, line);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(answer("run").as_deref(), Some("the report is made now"));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(reports.numbers().0, 1);
    assert_eq!(answer("pause").as_deref(), Some("no report begins until `resume`"));
    assert_eq!(answer("pause").as_deref(), Some("the report is paused already"));
    sleep(DAY * 3).await;
    assert_eq!(reports.numbers().0, 1);
    assert_eq!(answer("resume").as_deref(), Some("the report runs by its schedule again"));
    assert_eq!(answer("resume").as_deref(), Some("the report is not paused"));
    assert!(answer("settings").is_some_and(|table| table.contains("30 2 * * *")));
    assert_eq!(answer("next").map(|lines| lines.lines().count()), Some(3));
    assert!(answer("rum").is_some_and(|answer| answer.starts_with("`rum` is no command")));
    assert_eq!(answer("quit"), None);
    tree.shutdown().await
}

#[test]
fn a_deployment_changes_the_schedule_by_a_file_and_variables() {
    let file = std::env::temp_dir().join(format!("nightly-{}.toml", std::process::id()));
    std::fs::write(&file, "[nightly]\ncron = \"0 4 * * *\"\n[hourly]\npaused = true\n").unwrap();
    let arguments = Arguments { config: Some(file.clone()), ..Arguments::default() };
    let given = overrides(&arguments).unwrap().then(Overrides::variables("NIGHTLY", [("NIGHTLY_GRACE", "1m")]));
    let reports = Arc::<Reports>::default();
    let tree = supervise!(overrides = given, tasks = [nightly { reports: Arc::clone(&reports) }, hourly { reports }]);
    let settings = tree.settings();
    let of = |key: &str| settings.get(key).map(|setting| setting.value().to_owned());
    assert_eq!(of("nightly.cron").as_deref(), Some("0 4 * * *"));
    assert_eq!(of("hourly.paused").as_deref(), Some("true"));
    assert_eq!(of("grace").as_deref(), Some("1m"));
    std::fs::write(&file, "[nightly").unwrap();
    assert!(overrides(&arguments).unwrap_err().contains(".toml: "));
    drop(std::fs::remove_file(file));
    assert!(overrides(&arguments).unwrap_err().starts_with("cannot read "));
}

#[test]
fn arguments_are_read() {
    let parse = |given: &[&str]| Arguments::parse(given.iter().map(ToString::to_string));
    let all = parse(&["--list", "--state", "/tmp/x", "--config", "y", "--seconds", "3"]).unwrap();
    let (state, config, seconds) = (Some("/tmp/x".into()), Some("y".into()), Some(Duration::from_secs(3)));
    assert_eq!(all, Arguments { list: true, state, config, seconds });
    assert!(parse(&["--seconds", "x"]).unwrap_err().contains("`x`"));
    assert!(parse(&["--state"]).unwrap_err().contains("needs a value"));
    assert!(parse(&["-v"]).unwrap_err().contains("unknown argument `-v`"));
}
