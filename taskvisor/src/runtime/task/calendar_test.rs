//! Tests that each run of a schedule begins once or is reported as missed once, however the clock moves.

use taskvisor_parse::cron::Pattern;

use super::*;

/// Seconds of 2026-03-28T00:00:00Z.
const DAY: i64 = 1_774_656_000;
const HOUR: i64 = 3_600;

fn calendar(pattern: &str, zone: &str, missed: Missed, late: Option<Duration>, now: i64) -> Calendar {
    let timetable = (Pattern::parse(pattern).unwrap().into(), TimeZone::find(Some(zone)).unwrap());
    Calendar::new(timetable, (missed, late), None, now)
}

fn hourly(missed: Missed, late: Option<Duration>) -> Calendar {
    calendar("0 * * * *", "UTC", missed, late, DAY)
}

impl Calendar {
    /// Judges the due runs and carries the decision out at once. Returns whether a run begins, and the missed runs.
    fn take(&mut self, now: i64) -> (bool, Option<MissedRuns>) {
        let verdict = self.judge(now);
        self.carry_out(&verdict, now);
        (verdict.run.is_some(), verdict.missed)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as it is told")]
fn missed(count: usize, latest: i64, made_up: bool) -> Option<MissedRuns> {
    Some(MissedRuns { count, latest, made_up })
}

#[test]
fn the_first_run_is_the_first_time_after_the_start() {
    let mut calendar = hourly(Missed::Once, None);
    assert_eq!(calendar.next().unwrap().at, DAY + HOUR);
    assert!(!calendar.observe(DAY) && !calendar.observe(DAY + HOUR - 1));
    assert!(calendar.observe(DAY + HOUR));
    assert_eq!(calendar.take(DAY + HOUR), (true, None));
    assert_eq!(calendar.run(), Run::Of(DAY + HOUR));
    assert!(!calendar.observe(DAY + HOUR), "it has begun");
}

#[test]
fn up_to_a_minute_is_on_time_and_later_is_missed() {
    for (lateness, is_on_time) in [(0, true), (60, true), (61, false)] {
        let due = DAY + HOUR;
        let (mut once, mut skip) = (hourly(Missed::Once, None), hourly(Missed::Skip, None));
        let told = |made_up| if is_on_time { None } else { missed(1, due, made_up) };
        assert_eq!(once.take(due + lateness), (true, told(true)));
        assert_eq!(skip.take(due + lateness), (is_on_time, told(false)));
        assert_eq!(skip.run(), if is_on_time { Run::Of(due) } else { Run::Over });
    }
}

#[test]
fn what_was_due_while_an_attempt_ran_is_missed_however_short() {
    let mut calendar = hourly(Missed::Skip, None);
    calendar.take(DAY + HOUR);
    calendar.ended(DAY + 2 * HOUR + 1);
    calendar.conclude();
    assert!(calendar.observe(DAY + 2 * HOUR + 1));
    assert_eq!(calendar.take(DAY + 2 * HOUR + 1), (false, missed(1, DAY + 2 * HOUR, false)));
    assert_eq!(calendar.take(DAY + 3 * HOUR), (true, None));
}

#[test]
fn one_run_makes_up_for_all_that_were_missed_unless_it_is_too_late() {
    let now = DAY + 5 * HOUR + 600;
    assert_eq!(hourly(Missed::Once, None).take(now), (true, missed(5, DAY + 5 * HOUR, true)));
    let late = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(hourly(Missed::Once, late(600)).take(now), (true, missed(5, DAY + 5 * HOUR, true)));
    assert_eq!(hourly(Missed::Once, late(599)).take(now), (false, missed(5, DAY + 5 * HOUR, false)));
    // The latest run is on time, and makes up for the runs before it.
    let now = DAY + 5 * HOUR + 10;
    assert_eq!(hourly(Missed::Once, None).take(now), (true, missed(4, DAY + 4 * HOUR, true)));
    assert_eq!(hourly(Missed::Skip, None).take(now), (true, missed(4, DAY + 4 * HOUR, false)));
    // With a short limit even a run of this minute is too late.
    assert_eq!(hourly(Missed::Once, late(9)).take(now), (false, missed(5, DAY + 5 * HOUR, false)));
}

#[test]
fn very_many_missed_runs_are_counted_up_to_a_bound_and_the_latest_is_known() {
    for (lateness, latest) in [(0, -60), (61, 0)] {
        let mut calendar = calendar("*/2 * * * *", "UTC", Missed::Once, None, DAY);
        let due = DAY + 365 * 24 * HOUR;
        let latest = due + 2 * latest;
        assert_eq!(calendar.take(due + lateness), (true, missed(COUNTED, latest, true)), "{lateness}");
        assert_eq!(calendar.next().unwrap().at, due + 120);
    }
}

#[test]
fn a_clock_that_is_set_back_by_less_than_three_hours_repeats_no_run() {
    let mut calendar = hourly(Missed::Once, None);
    assert_eq!(calendar.take(DAY + 3 * HOUR), (true, missed(2, DAY + 2 * HOUR, true)));
    calendar.ended(DAY + 3 * HOUR + 1);
    calendar.conclude();
    for back in [DAY + 2 * HOUR, DAY + HOUR, DAY + 3 * HOUR] {
        assert!(!calendar.observe(back));
    }
    assert_eq!(calendar.next().unwrap().at, DAY + 4 * HOUR);
    // Set back by 3 h: the schedule follows the new time.
    assert!(!calendar.observe(DAY));
    assert_eq!(calendar.next().unwrap().at, DAY + HOUR);
    assert_eq!(calendar.take(DAY + HOUR), (true, None));
}

#[test]
fn runs_since_the_last_run_are_missed_and_a_last_run_in_the_future_is_not_waited_for() {
    let timetable = || (Pattern::parse("0 * * * *").unwrap().into(), TimeZone::find(None).unwrap());
    let since = |last_run| Calendar::new(timetable(), (Missed::Once, None), Some(last_run), DAY + 1_800);
    let mut calendar = since(DAY - 3 * HOUR);
    assert!(calendar.observe(DAY + 1_800));
    assert_eq!(calendar.take(DAY + 1_800), (true, missed(3, DAY, true)));
    assert_eq!(since(DAY).next().unwrap().at, DAY + HOUR);
    assert_eq!(since(DAY + HOUR).next().unwrap().at, DAY + 2 * HOUR, "the clock was set back a little");
    assert_eq!(since(DAY + 30 * HOUR).next().unwrap().at, DAY + HOUR, "the clock was set back by a day");
}

#[test]
fn an_interrupted_run_is_due_again_unless_a_later_one_is() {
    let mut calendar = hourly(Missed::Once, None);
    calendar.take(DAY + HOUR);
    calendar.interrupt();
    assert_eq!(calendar.run(), Run::Over);
    assert!(calendar.observe(DAY + HOUR + 100));
    let verdict = calendar.judge(DAY + HOUR + 100);
    assert!(!verdict.is_of_new_runs(), "its failures still count");
    assert_eq!(calendar.take(DAY + HOUR + 100), (true, None));
    assert_eq!(calendar.run(), Run::Of(DAY + HOUR));
    // A triggered run is not repeated.
    calendar.conclude();
    calendar.begin(DAY + HOUR + 200);
    assert_eq!(calendar.run(), Run::Beside);
    calendar.interrupt();
    assert!(calendar.run() == Run::Over && !calendar.observe(DAY + HOUR + 300));
}

#[test]
fn an_interrupted_run_that_a_later_one_replaces_is_missed() {
    for (policy, lateness, runs, told) in [
        (Missed::Once, 0, true, missed(1, DAY + HOUR, true)),
        (Missed::Once, 61, true, missed(2, DAY + 2 * HOUR, true)),
        (Missed::Skip, 0, true, missed(1, DAY + HOUR, false)),
        (Missed::Skip, 61, false, missed(2, DAY + 2 * HOUR, false)),
    ] {
        let mut calendar = hourly(policy, None);
        calendar.take(DAY + HOUR);
        calendar.interrupt();
        assert_eq!(calendar.take(DAY + 2 * HOUR + lateness), (runs, told), "{policy:?} {lateness}");
        assert_eq!(calendar.run(), if runs { Run::Of(DAY + 2 * HOUR) } else { Run::Over });
        assert!(!calendar.observe(DAY + 2 * HOUR + 70), "it is told, and does not run again");
    }
}

#[test]
fn a_run_that_does_not_begin_after_all_is_due_as_before() {
    let mut calendar = hourly(Missed::Once, None);
    for now in [DAY + HOUR, DAY + HOUR + 60, DAY + HOUR + 100] {
        let is_on_time = now <= DAY + HOUR + 60;
        let told = if is_on_time { None } else { missed(1, DAY + HOUR, true) };
        let verdict = calendar.judge(now);
        assert_eq!((verdict.run, verdict.missed), (Some(DAY + HOUR), told));
        assert!(calendar.observe(now) && calendar.run() == Run::Over);
    }
    // After a pause of hours: one run makes up for all, and they are reported once.
    assert_eq!(calendar.take(DAY + 5 * HOUR + 100), (true, missed(5, DAY + 5 * HOUR, true)));
    assert!(!calendar.observe(DAY + 5 * HOUR + 101));
}

#[test]
fn an_interrupted_run_that_does_not_begin_after_all_is_not_lost() {
    for policy in [Missed::Once, Missed::Skip] {
        let mut calendar = hourly(policy, None);
        calendar.take(DAY + HOUR);
        calendar.interrupt();
        // The attempt does not begin at once: it begins for that run, or for the next.
        assert_eq!(calendar.judge(DAY + HOUR + 100).run, Some(DAY + HOUR));
        assert_eq!(calendar.judge(DAY + 2 * HOUR).run, Some(DAY + 2 * HOUR));
        assert_eq!(calendar.take(DAY + 2 * HOUR + 1), (true, missed(1, DAY + HOUR, policy == Missed::Once)));
    }
}

#[test]
fn a_triggered_attempt_uses_up_nothing_that_is_due() {
    let mut calendar = hourly(Missed::Skip, None);
    assert!(calendar.observe(DAY + HOUR));
    // A triggered attempt during a pause, in which the run of that hour waits.
    calendar.begin(DAY + HOUR + 10);
    assert_eq!(calendar.run(), Run::Beside);
    calendar.ended(DAY + HOUR + 20);
    calendar.conclude();
    assert_eq!(calendar.take(DAY + HOUR + 30), (true, None), "no attempt ran at its time");
    // The same for an interrupted run.
    calendar.interrupt();
    calendar.begin(DAY + HOUR + 40);
    calendar.ended(DAY + HOUR + 50);
    calendar.conclude();
    assert_eq!(calendar.take(DAY + HOUR + 60), (true, None));
    assert_eq!(calendar.run(), Run::Of(DAY + HOUR));
}

#[test]
fn what_is_due_is_not_to_come_and_is_forgotten_by_a_new_start() {
    let mut calendar = hourly(Missed::Once, None);
    calendar.take(DAY + HOUR);
    calendar.interrupt();
    let upcoming = |calendar: &Calendar, now| calendar.upcoming(now).unwrap().at - DAY;
    assert_eq!(upcoming(&calendar, DAY + HOUR), 2 * HOUR);
    assert!(calendar.observe(DAY + 3 * HOUR) && calendar.next().unwrap().at == DAY + 2 * HOUR);
    assert_eq!(upcoming(&calendar, DAY + 3 * HOUR), 4 * HOUR);
    calendar.start_anew(DAY + 3 * HOUR + 1);
    assert!(!calendar.observe(DAY + 3 * HOUR + 1));
    // If the clock was set back meanwhile, no run repeats.
    calendar.start_anew(DAY + HOUR + 1);
    assert_eq!((upcoming(&calendar, DAY + HOUR + 1), calendar.next().unwrap().at - DAY), (4 * HOUR, 4 * HOUR));
}

#[test]
fn a_gap_has_one_run_and_a_fold_one_for_a_fixed_time() {
    let mut runs = Vec::new();
    let mut calendar = calendar("30 2 * * *", "Europe/Berlin", Missed::Once, None, DAY);
    let mut now = DAY;
    while now < DAY + 365 * 24 * HOUR {
        now = calendar.next().unwrap().at;
        assert_eq!(calendar.take(now), (true, None));
        runs.push(calendar.zone().local(now));
        calendar.ended(now + 1);
        calendar.conclude();
    }
    let of = |day: &str| runs.iter().filter(|run| run.starts_with(day)).collect::<Vec<_>>();
    assert_eq!(of("2026-03-29"), ["2026-03-29T03:00:00+02:00"]);
    assert_eq!(of("2026-10-25"), ["2026-10-25T02:30:00+02:00"]);
    assert_eq!(runs.len(), 366);
}

/// Miri takes 100 times as long.
const SEEDS: u64 = if cfg!(miri) { 4 } else { 400 };

/// The clock advances, stands still, jumps ahead and is set back by less than three hours. Attempts take time, are
/// interrupted or triggered, or do not begin. Each time of the schedule has one run or is reported as missed, once.
#[test]
fn each_run_begins_once_or_is_told_once_however_the_clock_moves() {
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let missed = if random.bool() { Missed::Once } else { Missed::Skip };
        let late = random.bool().then(|| Duration::from_secs(random.u64(1..7_200)));
        let pattern = ["*/7 * * * *", "0 * * * *", "30 2 * * *", "5,50 */3 * * *"][random.usize(0..4)];
        let zone = ["UTC", "Europe/Berlin", "Australia/Lord_Howe"][random.usize(0..3)];
        let mut calendar = calendar(pattern, zone, missed, late, DAY);
        let (mut now, mut begun, mut told) = (DAY, Vec::new(), 0);
        for _ in 0..300 {
            now += match random.u8(0..20) {
                0 => -random.i64(0..3 * HOUR - 1),
                1 => random.i64(0..40 * HOUR),
                _ => random.i64(0..1_200),
            };
            // Less than 3 h behind the latest time seen.
            now = now.max(calendar.seen - 3 * HOUR + 1);
            let is_due = calendar.observe(now);
            let is_triggered = random.u8(0..8) == 0;
            if !is_due && !is_triggered {
                continue;
            }
            if is_triggered {
                calendar.begin(now);
                assert_eq!(calendar.run(), Run::Beside);
            } else {
                now += random.i64(0..90);
                let again = calendar.again;
                assert!(again.is_some() || calendar.next().unwrap().at <= now, "{now}: {calendar:?}");
                let verdict = calendar.judge(now);
                if random.u8(0..4) == 0 {
                    continue;
                }
                calendar.carry_out(&verdict, now);
                if let Some(missed) = verdict.missed {
                    assert!(missed.count < COUNTED && missed.latest <= now);
                    // The run that makes up for the missed ones is counted among them, and an interrupted run has
                    // already begun.
                    let is_told_and_runs = verdict.run == Some(missed.latest);
                    told += missed.count - usize::from(is_told_and_runs) - usize::from(again.is_some());
                }
                let Some(run) = verdict.run else { continue };
                assert_eq!(calendar.run(), Run::Of(run));
                if again == Some(run) {
                    assert_eq!(verdict.missed, None);
                } else {
                    assert!(run <= now && late.is_none_or(|late| (now - run).unsigned_abs() <= late.as_secs()));
                    begun.push(run);
                }
            }
            now += random.i64(0..1_500);
            calendar.ended(now);
            if random.u8(0..4) == 0 { calendar.interrupt() } else { calendar.conclude() }
        }
        assert!(begun.is_sorted_by(|one, other| one < other), "a run was repeated: {seed}");
        let all = Pattern::parse(pattern)
            .unwrap()
            .upcoming(DAY, &calendar.zone)
            .take_while(|run| run.at <= calendar.settled)
            .count();
        assert_eq!(begun.len() + told, all, "{seed}");
    }
}

#[test]
fn what_is_upcoming_is_not_due() {
    let calendar = hourly(Missed::Once, None);
    let upcoming = |now| calendar.upcoming(now).unwrap().at;
    assert_eq!(
        [DAY + HOUR - 1, DAY + HOUR, DAY + HOUR + 1].map(upcoming),
        [DAY + HOUR, DAY + 2 * HOUR, DAY + 2 * HOUR]
    );
}

#[test]
fn a_run_that_is_due_as_the_attempt_ends_is_missed_and_one_after_it_is_not() {
    for (ends, is_missed) in [(2 * HOUR, true), (2 * HOUR - 1, false)] {
        let mut calendar = hourly(Missed::Skip, None);
        calendar.take(DAY + HOUR);
        calendar.ended(DAY + ends);
        calendar.conclude();
        let told = if is_missed { missed(1, DAY + 2 * HOUR, false) } else { None };
        assert_eq!(calendar.take(DAY + 2 * HOUR), (!is_missed, told));
    }
}

#[test]
fn only_an_interrupted_run_is_no_new_one() {
    let mut calendar = hourly(Missed::Once, None);
    let verdict = calendar.judge(DAY + HOUR);
    assert!(verdict.is_of_new_runs());
    calendar.carry_out(&verdict, DAY + HOUR);
    calendar.interrupt();
    assert!(!calendar.judge(DAY + HOUR + 1).is_of_new_runs());
}

#[test]
fn a_clock_that_was_read_late_is_set_back_from_what_has_passed() {
    let mut calendar = hourly(Missed::Once, None);
    calendar.take(DAY + HOUR);
    calendar.pass(4 * HOUR);
    // The clock shows three hours less than it should: the schedule is computed anew.
    assert!(!calendar.observe(DAY + 2 * HOUR));
    assert_eq!(calendar.next().unwrap().at, DAY + 3 * HOUR);
    let mut calendar = hourly(Missed::Once, None);
    calendar.take(DAY + HOUR);
    assert!(calendar.observe(DAY + 2 * HOUR));
}

#[cfg(feature = "fleet")]
mod owners {
    use super::*;

    #[test]
    fn a_new_owner_goes_on_after_the_last_run_of_any() {
        let mut calendar = hourly(Missed::Once, None);
        calendar.take(DAY + HOUR);
        calendar.interrupt();
        calendar.take_over(Some(DAY + HOUR), 0, DAY + 4 * HOUR);
        assert_eq!((calendar.run(), calendar.next().unwrap().at), (Run::Over, DAY + 2 * HOUR));
        assert_eq!(calendar.take(DAY + 4 * HOUR), (true, missed(2, DAY + 3 * HOUR, true)));
        assert_eq!(calendar.run(), Run::Of(DAY + 4 * HOUR));
        calendar.take_over(Some(DAY + 4 * HOUR), 0, DAY + 4 * HOUR);
        assert_eq!(calendar.run(), Run::Over);
        assert!(!calendar.observe(DAY + 4 * HOUR));
    }

    #[test]
    fn without_a_run_of_any_owner_what_is_due_since_the_registration_is() {
        let mut calendar = hourly(Missed::Once, None);
        calendar.take_over(None, 1, DAY);
        assert_eq!(calendar.next().unwrap().at, DAY, "the clock of the registration was ahead");
        let mut calendar = hourly(Missed::Once, None);
        calendar.take_over(None, 0, DAY);
        assert_eq!(calendar.next().unwrap().at, DAY + HOUR);
    }

    #[test]
    fn a_last_run_of_three_hours_ahead_is_of_a_clock_that_was_set_back() {
        for (ahead, next) in [(3 * HOUR - 1, 3 * HOUR), (3 * HOUR, HOUR), (4 * HOUR, HOUR)] {
            let mut calendar = hourly(Missed::Once, None);
            calendar.take_over(Some(DAY + ahead), 0, DAY);
            assert_eq!(calendar.next().unwrap().at, DAY + next, "{ahead}");
        }
    }

    #[test]
    fn a_run_that_another_owner_has_is_over() {
        let mut calendar = hourly(Missed::Once, None);
        let verdict = calendar.judge(DAY + HOUR);
        assert_eq!(verdict.run, Some(DAY + HOUR));
        calendar.pass_over(&verdict, DAY + HOUR);
        assert_eq!((calendar.run(), calendar.next().unwrap().at), (Run::Over, DAY + 2 * HOUR));
    }
}
