//! Tests of what a log writes of failures that repeat.

use super::super::often::Time;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(time: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH + time
}

fn again(times: u64, within: Duration) -> Tell {
    Tell::Again(Often { times, within, differ: false })
}

#[test]
fn o40_equal_failures_are_told_ever_more_rarely_and_new_ones_at_once() {
    let mut repeats = Repeats::default();
    let told: Vec<_> = (0..40_000_u32)
        .filter_map(|n| match repeats.failed("a", "refused", at(SECOND * n / 10)) {
            Tell::Nothing => None,
            tell => Some((n + 1, tell)),
        })
        .collect();
    let numbers: Vec<u32> = told.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 8, 32, 128, 512, 2_048, 8_192, 32_768]);
    assert_eq!(told[2].1, Tell::Whole);
    assert_eq!(told[6].1, again(512, SECOND * 511 / 10));
    assert!(repeats.is_quiet("a") && !repeats.is_quiet("b"));
    let now = at(SECOND * 4_000);
    assert_eq!(repeats.failed("b", "refused", now), Tell::Whole, "each task has its own");
    assert_eq!(repeats.failed("a", "timed out", now), Tell::Whole);
    assert!(!repeats.is_quiet("a"));
    assert_eq!(repeats.failed("a", "refused", now), Tell::Whole);
}

#[test]
fn o40_texts_that_differ_each_time_are_told_ever_more_rarely_as_well() {
    let mut repeats = Repeats::default();
    let mut fails = |n: u32| repeats.failed("a", &format!("refused, request {n}"), at(SECOND * n / 10));
    for n in 0..=CHANGES {
        assert_eq!(fails(n), Tell::Whole);
    }
    // The last of these was told at 0.8 s.
    assert!((9..6_008).all(|n| fails(n) == Tell::Nothing));
    let often = |times: u32| Often { times: times.into(), within: SECOND * (times - 1) / 10, differ: true };
    assert_eq!(fails(6_008), Tell::Again(often(6_009)));
    assert!((6_009..12_008).all(|n| fails(n) == Tell::Nothing));
    assert_eq!(fails(12_008), Tell::Again(often(12_009)));
    assert_eq!(often(12_009).to_string(), "errors that differ, 12009 times in 20 min");
    assert!(repeats.is_quiet("a"));

    assert_eq!(repeats.over("a"), Some(often(12_009)));
    assert_eq!(repeats.failed("a", "refused", at(SECOND * 1_201)), Tell::Whole, "after a success, all begins again");
}

#[test]
fn o40_two_texts_that_take_turns_are_told_ever_more_rarely_as_well() {
    let mut repeats = Repeats::default();
    let mut fails = |n: u32| repeats.failed("a", ["refused", "timed out"][n as usize % 2], at(SECOND * n));
    assert_eq!((0..609).filter(|n| fails(*n) != Tell::Nothing).count(), 9);
    assert_eq!(
        fails(609),
        Tell::Again(Often { times: 610, within: SECOND * 609, differ: true }),
        "not the last one told"
    );
}

#[test]
fn o40_a_clock_that_is_set_back_hides_no_text_that_differs() {
    let mut repeats = Repeats::default();
    let mut fails = |n: u32, now: Duration| repeats.failed("a", &n.to_string(), at(now));
    for n in 0..=CHANGES {
        fails(n, SECOND * 3_600);
    }
    assert_eq!(fails(100, SECOND * 3_600), Tell::Nothing);
    assert!(matches!(fails(101, SECOND), Tell::Again(_)));
    assert_eq!(fails(102, SECOND), Tell::Nothing);
}

#[cfg(feature = "logging")]
#[test]
fn o40_that_a_task_becomes_ready_is_told_once_after_each_failure_that_is_told() {
    let mut repeats = Repeats::default();
    assert!(repeats.becomes_ready("a"));
    let mut told = |text: &str, becomes_ready: &[bool]| {
        let mut after = |ready: &bool| {
            repeats.failed("a", text, at(SECOND));
            *ready && repeats.becomes_ready("a")
        };
        becomes_ready.iter().map(&mut after).collect::<Vec<_>>()
    };
    let ready = told("refused", &[true; 33]);
    let after: Vec<_> = (1..).zip(ready).filter_map(|(failures, is_told)| is_told.then_some(failures)).collect();
    assert_eq!(after, [1, 2, 3, 8, 32], "the last line of a task that runs on is no failure");
    // As long as it cannot connect, it is not ready.
    let ready = [false, false, false, false, true, true];
    assert_eq!(told("timed out", &ready), [false, false, false, false, true, false]);
    // Texts that differ are told each ten minutes.
    let mut repeats = Repeats::default();
    let mut told = |n: u32| {
        repeats.failed("a", &format!("request {n} refused"), at(SECOND * 100 * n));
        repeats.becomes_ready("a")
    };
    let after: Vec<_> = (0..22).filter(|n| told(*n)).collect();
    assert_eq!(after, [0, 1, 2, 3, 4, 5, 6, 7, 8, 14, 20]);
}

#[test]
fn o40_a_recovery_says_after_what() {
    let mut repeats = Repeats::default();
    for n in 0..600 {
        repeats.failed("a", "refused", at(SECOND * n / 2));
    }
    let often = repeats.over("a").unwrap();
    assert_eq!(
        (often.to_string(), often.recovered()),
        ("same error, 600 times in 4 min".into(), "after 600 failures in 4 min".into())
    );
    assert_eq!(repeats.over("a"), None);
    repeats.failed("a", "refused", at(SECOND));
    assert_eq!(repeats.over("a"), None, "its one failure was told");
}

#[test]
fn o40_a_failure_after_a_long_quiet_time_is_told() {
    let mut repeats = Repeats::default();
    for n in 0..100 {
        repeats.failed("a", "refused", at(SECOND * n));
    }
    assert_eq!(repeats.failed("a", "refused", at(SECOND * 4_000)), Tell::Whole);
    // A task that fails each hour is not quiet for longer than usual.
    let hourly: Vec<_> = (0..6).map(|n| repeats.failed("b", "refused", at(SECOND * 3_600 * n))).collect();
    assert_eq!(hourly[3..], [Tell::Nothing, Tell::Nothing, Tell::Nothing]);
}

#[test]
fn o40_a_quiet_time_is_longer_than_four_usual_ones() {
    let failed_each = |pause: Duration| {
        let mut repeats = Repeats::default();
        for n in 0..4 {
            repeats.failed("a", "refused", at(pause * n));
        }
        repeats
    };
    let (pause, moment) = (SECOND * 20, Duration::from_millis(1));
    for (after, expected) in [(pause * 4, Tell::Nothing), (pause * 4 + moment, Tell::Whole)] {
        assert_eq!(failed_each(pause).failed("a", "refused", at(pause * 3 + after)), expected);
    }
    // A failure within a minute does not begin a new series.
    for (after, expected) in [(LATE, Tell::Nothing), (LATE + moment, Tell::Whole)] {
        assert_eq!(failed_each(SECOND).failed("a", "refused", at(SECOND * 3 + after)), expected);
    }
}

#[cfg(all(feature = "logging", feature = "tracing"))]
#[test]
fn o40_a_stop_ends_only_a_series_that_is_over() {
    let (mut repeats, mut repeated) = (Repeats::default(), Repeated::default());
    for n in 0..5 {
        repeats.failed("a", "refused", at(SECOND * n));
        repeated.failed("refused", at(SECOND * n));
    }
    for (now, is_quiet) in [(SECOND * 5, true), (SECOND * 4 + LATE, true), (SECOND * 5 + LATE, false)] {
        repeats.stopped("a", at(now));
        repeated.stopped(at(now));
        assert_eq!((repeats.is_quiet("a"), repeated.is_quiet()), (is_quiet, is_quiet));
    }
    repeats.stopped("b", at(SECOND));
}

#[test]
fn o40_what_was_told_one_by_one_is_not_counted_again() {
    let mut repeats = Repeats::default();
    for times in 1..=SINGLY + 1 {
        for _ in 0..times {
            repeats.failed("a", "refused", at(SECOND));
        }
        assert_eq!(repeats.over("a").is_some(), times > SINGLY);
    }
}

#[test]
fn o40_what_a_failed_group_does_not_make_again_is_forgotten() {
    let mut repeats = Repeats::<String>::default();
    for run in 0..1_000 {
        let now = at(SECOND * run);
        for child in [format!("g/inner/{run}"), format!("g/{run}"), "g/same".into()] {
            repeats.failed(child.clone(), "refused", now);
            repeats.ended(&child, now);
        }
        repeats.group_failed("g/inner".into(), "refused", now);
        repeats.ended("g/inner", now);
        repeats.group_failed("g".into(), "refused", now);
        assert!(repeats.streaks.len() <= 7, "{run}: {:?}", repeats.streaks.keys());
    }
    assert_eq!(repeats.streaks["g/same"].times, 1_000, "it goes on with its series");
    assert_eq!(repeats.streaks["g/inner"].times, 1_000);
}

#[test]
fn o40_what_comes_back_with_its_group_without_a_failure_is_not_forgotten() {
    let mut repeats = Repeats::<&'static str>::default();
    for run in 0..10 {
        let now = at(SECOND * run);
        // They take turns.
        repeats.failed(["g/a", "g/b"][run as usize % 2], "refused", now);
        for child in ["g/a", "g/b"] {
            repeats.ended(child, now);
        }
        repeats.group_failed("g", "refused", now);
    }
    assert_eq!(["g/a", "g/b"].map(|child| repeats.streaks[child].times), [5, 5]);
}

#[test]
fn o40_a_task_that_its_failed_group_registers_again_goes_on_with_its_series() {
    let now = at(SECOND);
    let failed = |repeats: &mut Repeats<&'static str>, path| repeats.failed(path, "refused", now);
    for (group, goes_on) in [("store", true), ("store/inner", true), ("stor", false), ("store/inner/a", false)] {
        let mut repeats = Repeats::default();
        for _ in 0..4 {
            failed(&mut repeats, "store/inner/a");
        }
        repeats.ended("store/inner/a", now);
        assert!(!repeats.is_quiet("store/inner/a"), "it can be another task");
        repeats.group_failed(group, "refused", now);
        let expected = if goes_on { Tell::Nothing } else { Tell::Whole };
        assert_eq!(failed(&mut repeats, "store/inner/a"), expected, "{group}");
    }
    let mut repeats = Repeats::default();
    for _ in 0..4 {
        repeats.group_failed("store/inner", "refused", now);
    }
    repeats.ended("store/inner", now);
    repeats.group_failed("store", "refused", now);
    assert_eq!(repeats.group_failed("store/inner", "refused", now), Tell::Nothing);
    repeats.ended("store/inner", now);
    assert_eq!(repeats.group_failed("store/inner", "refused", now), Tell::Whole, "it can be another group");
}

#[test]
fn o40_what_is_in_a_group_is_quiet_as_long_as_the_group_keeps_failing() {
    let mut repeats = Repeats::default();
    for n in 0..SINGLY {
        assert!(!repeats.is_within_quiet("store/a", at(SECOND)), "{n}");
        repeats.group_failed("store", "refused", at(SECOND));
    }
    for (path, is_quiet) in
        [("store/a", true), ("store/b/c", true), ("store", false), ("stores/a", false), ("a", false)]
    {
        assert_eq!(repeats.is_within_quiet(path, at(SECOND)), is_quiet, "{path}");
        assert_eq!(repeats.is_quiet_group(path, at(SECOND)), is_quiet || path == "store", "{path}");
    }
    let late = at(SECOND + LATE);
    assert!(repeats.is_within_quiet("store/a", late) && repeats.is_quiet_group("store", late));
    let late = late + SECOND;
    assert!(!repeats.is_within_quiet("store/a", late) && !repeats.is_quiet_group("store", late));
    repeats.group_failed("store", "no such host", at(SECOND));
    assert!(!repeats.is_within_quiet("store/a", at(SECOND)));
}

#[test]
fn o40_ended_tasks_are_forgotten() {
    let mut repeats = Repeats::default();
    for n in 0..10_000_u32 {
        let (path, now) = (format!("job-{n}"), at(SECOND * n));
        repeats.failed(path.clone(), "refused", now);
        repeats.ended(&path, now);
        assert!(repeats.streaks.len() <= ENDED, "{n}");
    }
    repeats.failed("stays".to_owned(), "refused", at(SECOND));
    for n in 0..1_000_u32 {
        repeats.group_failed(format!("group-{n}"), "refused", at(SECOND));
        repeats.ended(&format!("group-{n}"), at(SECOND));
    }
    let groups = |repeats: &Repeats<String>| repeats.streaks.keys().filter(|path| path.starts_with("group-")).count();
    assert_eq!(groups(&repeats), 1_000, "they have failed just now");
    for n in 0..2_000_u32 {
        repeats.failed(format!("job-{n}"), "refused", at(SECOND * 100));
        repeats.ended(&format!("job-{n}"), at(SECOND * 100));
    }
    assert!(groups(&repeats) == 0 && repeats.streaks.contains_key("stays"));
}

#[test]
fn o40_ended_tasks_are_looked_at_when_they_are_twice_as_many_as_were_left() {
    let mut repeats = Repeats::default();
    let mut known_after_end = |n: usize, now: Duration| {
        let path = format!("job-{n}");
        repeats.failed(path.clone(), "refused", at(now));
        repeats.ended(&path, at(now));
        repeats.streaks.len()
    };
    let (first, second, third) = (SECOND, SECOND * 100, SECOND * 200);
    assert_eq!(known_after_end(1, first), 1);
    for n in 2..ENDED {
        assert_eq!(known_after_end(n, second), n, "the first one is late, but they are few");
    }
    let left = ENDED - 1;
    assert_eq!(known_after_end(ENDED, second), left);
    for n in 1..left {
        assert_eq!(known_after_end(ENDED + n, third), left + n);
    }
    assert_eq!(known_after_end(ENDED + left, third), left, "those of the second time are late");
}

#[cfg(feature = "tracing")]
#[test]
fn o40_the_failures_of_one_task_are_kept_for_its_failed_group() {
    let (path, now) = (std::sync::Arc::<str>::from("store/a"), at(SECOND));
    for fails in [true, false] {
        let (mut repeats, mut repeated) = (Repeats::default(), Repeated::default());
        for _ in 0..4 {
            repeated.failed("refused", now);
        }
        repeats.keep(&path, repeated, now);
        if fails {
            repeats.group_failed("store".into(), "refused", now);
        }
        let mut again = repeats.take(&path);
        assert_eq!(again.is_empty(), !fails);
        assert_eq!(again.failed("refused", now), if fails { Tell::Nothing } else { Tell::Whole });
    }
}

#[cfg(feature = "tracing")]
#[test]
fn o40_the_failures_of_one_task_are_counted_alike() {
    let mut repeated = Repeated::default();
    let mut quiet = Vec::new();
    for n in 0..5 {
        assert_eq!(repeated.failed("refused", at(SECOND * n)) == Tell::Nothing, n >= 3);
        quiet.push(repeated.is_quiet());
    }
    assert_eq!(quiet, [false, false, true, true, true]);
    assert_eq!(repeated.over(), Some(Often { times: 5, within: SECOND * 4, differ: false }));
    assert!(!repeated.is_quiet() && repeated.over().is_none());
}

#[test]
fn o40_times_are_short() {
    let shown = |seconds| Time(SECOND * seconds).to_string();
    let expected = "0 ms, 1 s, 119 s, 2 min, 119 min, 2 h, 47 h, 2 d";
    assert_eq!([0, 1, 119, 120, 7_199, 7_200, 172_799, 172_800].map(shown).join(", "), expected);
}

#[test]
fn o40_rejections_are_told_by_slot_and_forgotten_as_slots_are_added() {
    let mut repeats = Repeats::<String>::default();
    let mut told = |slot: &str, reason: &str, time| repeats.rejected(&slot.to_owned(), reason, at(time));
    for n in 0..8 {
        let expected = match n {
            ..3 => Tell::Whole,
            7 => again(8, SECOND * 7),
            _ => Tell::Nothing,
        };
        assert_eq!(told("deploy", "full", SECOND * n), expected);
    }
    assert_eq!(told("build", "full", SECOND * 8), Tell::Whole);
    assert_eq!(told("deploy", "busy", SECOND * 8), Tell::Whole);
    for n in 0..10_000 {
        told(&format!("slot-{n}"), "full", SECOND * n);
    }
    assert!(repeats.streaks.len() <= 2 * ENDED, "{}", repeats.streaks.len());
    assert!(repeats.streaks.contains_key("slot-9999") && !repeats.streaks.contains_key("deploy"));
}

#[test]
fn o40_slots_are_looked_at_when_they_are_twice_as_many_as_were_left() {
    let mut repeats = Repeats::<String>::default();
    let mut slots = 0;
    let mut known_after_another = |now: u32| {
        slots += 1;
        repeats.rejected(&format!("slot-{slots}"), "full", at(SECOND * now));
        repeats.streaks.len()
    };
    assert_eq!(known_after_another(1), 1);
    for n in 2..=ENDED {
        assert_eq!(known_after_another(100), n, "the first one is late, but they are few");
    }
    assert_eq!(known_after_another(100), ENDED, "the first one is forgotten");
    let most = 2 * (ENDED - 1);
    for n in ENDED + 1..=most {
        assert_eq!(known_after_another(200), n);
    }
    let left = most - ENDED;
    assert_eq!(known_after_another(200), left + 1, "those of the second time are late");
    for n in left + 2..=2 * left {
        assert_eq!(known_after_another(300), n);
    }
    assert_eq!(known_after_another(400), 1);
    assert_eq!(known_after_another(500), 2, "few again");
}

#[test]
fn o40_a_slot_that_goes_on_to_reject_is_not_forgotten_because_of_many_others() {
    let mut repeats = Repeats::<String>::default();
    let mut told = |n: usize, time: u32| repeats.rejected(&format!("slot-{n}"), "full", at(SECOND * time));
    for n in 0..ENDED {
        assert_eq!(told(n, 0), Tell::Whole);
    }
    let expected = [Tell::Whole, Tell::Whole, Tell::Nothing];
    assert_eq!([100, 200, 300].map(|time| told(0, time)), expected);
}
