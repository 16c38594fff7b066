//! Schedules and pauses of a deployment.

use std::time::{Duration, UNIX_EPOCH};

use taskvisor::{RuntimeError, Schedule, SlotSpec, TaskState};
use tests::settle;

use super::*;

/// The variables of an environment, which the tests do not set.
fn environment(variables: &[(&str, &str)]) -> Overrides {
    Overrides::variables("APP", variables.iter().copied())
}

fn nightly() -> TreeBuilder {
    let spec =
        endless("nightly").with_restart(ALWAYS).with_schedule(Schedule::cron("30 2 * * *").zone("Europe/Berlin"));
    builder().task(spec)
}

fn runs(builder: TreeBuilder, variables: &[(&str, &str)]) -> Vec<String> {
    let tree = builder.with_overrides(environment(variables)).try_build().unwrap();
    let day = UNIX_EPOCH + Duration::from_secs(1_774_656_000); // 2026-03-28
    tree.schedule_after(day, 2).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn t3_a_schedule_is_overridden_with_its_zone() {
    let given = [("APP_NIGHTLY_CRON", "0 4 * * *"), ("APP_NIGHTLY_ZONE", "Asia/Kolkata")];
    assert_eq!(runs(nightly(), &given), ["2026-03-29T04:00:00+05:30 nightly", "2026-03-30T04:00:00+05:30 nightly"]);
    // Cleared, the zone is that of the tree: UTC, or what `APP_ZONE` says.
    let given = [("APP_NIGHTLY_ZONE", "none")];
    assert_eq!(runs(nightly(), &given)[0], "2026-03-28T02:30:00+00:00 nightly");
    let hourly = || builder().task(endless("hourly").with_restart(ALWAYS).with_schedule(Schedule::cron("@hourly")));
    assert_eq!(runs(hourly(), &[("APP_ZONE", "Asia/Kolkata")])[0], "2026-03-28T06:00:00+05:30 hourly");
    let given = [("APP_NIGHTLY_MISSED", "skip"), ("APP_NIGHTLY_LATE", "1h"), ("APP_NIGHTLY_SPLAY", "10m")];
    let tree = nightly().with_overrides(environment(&given)).try_build().unwrap();
    let settings = tree.settings();
    let of = |key: &str| settings.get(key).unwrap().value().to_owned();
    assert_eq!([of("nightly.missed"), of("nightly.late"), of("nightly.splay")], ["skip", "1h", "10m"]);
    assert!(tree.schedule(1).unwrap()[0].at > tree.schedule(1).unwrap()[0].scheduled_for);
}

#[test]
fn t3_a_schedule_that_is_wrong_names_its_variable() {
    let refused = |name: &str, value: &str| {
        let invalid = refused(nightly(), environment(&[(name, value)]));
        assert_eq!(invalid.len(), 1, "{invalid:?}");
        invalid[0].to_string()
    };
    for (name, value, message) in [
        ("APP_NIGHTLY_CRON", "0 0 2 * * *", "has 6 fields, expected 5: leave out the seconds: \"0 2 * * *\""),
        ("APP_NIGHTLY_CRON", "none", "it cannot be `none`, as a schedule is the program's structure"),
        ("APP_POLL_CRON", "@daily", "the task has no schedule, which is the program's structure"),
        ("APP_NIGHTLY_ZONE", "Europe/Berlim", "did you mean \"Europe/Berlin\"?"),
        ("APP_ZONE", "Europe/Berlim", "did you mean \"Europe/Berlin\"?"),
        ("APP_POLL_ZONE", "Europe/Berlin", "expected a schedule beside it: `cron`"),
        ("APP_POLL_LATE", "1h", "expected a schedule beside it: `cron`"),
        ("APP_NIGHTLY_MISSED", "twice", "\"twice\" is neither \"once\" nor \"skip\""),
        ("APP_NIGHTLY_LATE", "1ms", "expected at least 1s"),
        ("APP_NIGHTLY_INITIAL_DELAY", "1s", "no `initial_delay` beside it"),
    ] {
        let shown = refused(name, value);
        assert!(shown.contains(name) && shown.contains(message), "{shown}");
    }
}

/// The schedule itself may be overridden as well; that is not reported.
#[test]
fn t3_a_period_beside_a_schedule_is_one_error_at_the_period() {
    for option in ["EVERY", "INTERVAL"] {
        let variable = format!("APP_NIGHTLY_{option}");
        let from_file = Overrides::from([("nightly.cron", "0 4 * * *")]);
        let invalid = refused(nightly(), from_file.then(environment(&[(&variable, "1s")])));
        let message = "the task has a schedule, which is the program's structure: override its `cron` instead";
        assert_eq!(invalid.iter().map(ToString::to_string).collect::<Vec<_>>(), [format!("{variable}: {message}")]);
    }
}

#[test]
fn t3_the_runs_of_a_tree_with_invalid_overrides_are_not_listed() {
    let tree = nightly().with_overrides(environment(&[("APP_NIGHTLY_CRN", "@daily")])).build();
    let error = tree.schedule(1).unwrap_err().to_string();
    assert!(error.contains("APP_NIGHTLY_CRN") && error.contains("APP_NIGHTLY_CRON"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn t3_tasks_groups_and_slots_are_paused_by_a_deployment() -> std::result::Result<(), RuntimeError> {
    let given = [("APP_POLL_PAUSED", "true"), ("APP_STORE_PAUSED", "true"), ("APP_SLOTS_JOBS_PAUSED", "true")];
    let tree = nightly().with_slot(SlotSpec::new("jobs")).with_overrides(environment(&given)).build();
    tree.start().await?;
    settle().await;
    assert_eq!(tree.child("poll").status().unwrap().state, TaskState::Paused);
    assert!(tree.group("store").is_paused() && tree.child("store/pool").status().unwrap().paused);
    assert!(tree.slot("jobs").is_paused());
    assert_eq!(tree.child("nightly").status().unwrap().state, TaskState::Scheduled);
    assert_eq!(tree.settings().get("poll.paused").unwrap().value(), "true");
    // It is where it begins, and not how it stays.
    assert!(tree.child("poll").resume());
    settle().await;
    assert_eq!(tree.child("poll").status().unwrap().state, TaskState::Running);
    tree.shutdown().await
}
