//! Each check finds the faults that it is for.

use super::*;
use crate::history::Times;
use crate::log::{Record, RunId, What};
use crate::plan::Line;

const TTL: Duration = Duration::from_secs(3);

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// An invented run of a fleet. Faults heal at 100 s, and replicas are requested to end at 110 s.
#[derive(Default)]
struct Story {
    records: Vec<Record>,
    episodes: Vec<Episode>,
    runs: usize,
    stood_still: Duration,
}

impl Story {
    /// Adds a run of a key by a replica with a token. It writes once, at the beginning.
    fn run(mut self, key: &str, replica: usize, token: u64, from: f64, to: f64) -> Self {
        self.runs += 1;
        let run = RunId { replica, life: 0, number: self.runs };
        let begin = What::Begin { key: key.to_owned(), task: "task".to_owned(), token };
        let whats = [(from, begin), (from, What::Work), (from, What::Wrote(Answer::Accepted)), (to, What::End)];
        self.records.extend(whats.into_iter().map(|(at, what)| Record { at: secs(at), run, what }));
        self
    }

    fn suffers(mut self, replica: usize, fault: Fault, from: f64, to: f64) -> Self {
        self.episodes.push(Episode { replica: Some(replica), fault, from: secs(from), to: secs(to) });
        self
    }

    fn all_suffer(mut self, fault: Fault, from: f64, to: f64) -> Self {
        self.episodes.push(Episode { replica: None, fault, from: secs(from), to: secs(to) });
        self
    }

    fn note(mut self, what: What) -> Self {
        self.records.push(Record { at: secs(1.0), run: RunId { replica: 0, life: 0, number: usize::MAX }, what });
        self
    }

    /// Adds the owners at the end.
    fn settled(self) -> Self {
        self.run(LEDGER, 0, 900, 90.0, 111.0).run(FEEDS, 0, 900, 90.0, 111.0)
    }

    fn checks(self, accepted: Option<[Vec<u64>; 3]>) -> Vec<Check> {
        let lines: Vec<Record> = self.records.iter().map(|it| it.to_string().parse().unwrap()).collect();
        assert_eq!(lines, self.records, "the log is read as it was written");
        let times = Times { healed: secs(100.0), finish: secs(110.0), stood_still: self.stood_still };
        let history = History::new(&lines, self.episodes, times);
        let tokens = |key: &str| history.of(key).flat_map(|it| vec![it.token; it.runs]).collect();
        let accepted = accepted.unwrap_or_else(|| KEYS.map(tokens));
        all(&history, TTL, &accepted)
    }

    /// Returns the checks that have failed or were late.
    fn faults(self) -> Vec<(&'static str, Verdict)> {
        let checks = self.checks(None);
        let bad = |check: &Check| !matches!(check.verdict, Verdict::Passed | Verdict::Nothing);
        checks.iter().filter(|it| bad(it)).map(|it| (it.name, it.verdict)).collect()
    }
}

#[test]
fn a_fleet_that_does_well_passes() {
    let story = Story::default()
        .run(LEDGER, 1, 5, 1.0, 2.0)
        .run(LEDGER, 1, 5, 2.1, 4.0)
        .suffers(1, Fault::Kill, 4.0, 6.0)
        .run(LEDGER, 2, 6, 7.5, 20.0)
        .suffers(2, Fault::Term, 19.8, 22.0)
        .run(LEDGER, 3, 7, 20.1, 30.0)
        .suffers(3, Fault::Line(Line::Cut), 27.5, 34.0)
        .run(LEDGER, 4, 8, 31.0, 40.0);
    let checks = story.settled().checks(None);
    let (names, passed): (Vec<_>, Vec<_>) = checks.iter().map(|it| (it.name, it.verdict)).unzip();
    let nothing = ["take-over after a stop", "work after a restart", "kept by a pooler, a clock"];
    for (n, verdict) in passed.into_iter().enumerate() {
        let expected = if nothing.contains(&names[n]) { Verdict::Nothing } else { Verdict::Passed };
        assert_eq!(verdict, expected, "{:?}", checks[n]);
    }
}

#[test]
fn an_overlap_is_found() {
    let name = "no overlap of work";
    // The first owner works once more at this time.
    let story = |at: f64| {
        let mut story = Story::default().run(LEDGER, 1, 5, 1.0, 10.0).run(LEDGER, 2, 6, 6.9, 12.0);
        story.records.insert(3, Record { at: secs(at), ..story.records[1].clone() });
        story.settled()
    };
    let judged = |story: Story| {
        let checks = story.checks(Some([vec![5, 6, 900], vec![900], vec![]]));
        checks.iter().find(|it| it.name == name).map(|it| it.verdict)
    };
    assert_eq!(judged(story(6.8)), Some(Verdict::Late), "it is dropped late, and does nothing");
    assert_eq!(judged(story(6.95)), Some(Verdict::Failed));
    // Work of a suspended process is dropped when the process continues, which is not late. It must not continue.
    assert_eq!(judged(story(3.9).suffers(1, Fault::Stop, 4.0, 9.9)), Some(Verdict::Passed));
    assert_eq!(judged(story(9.95).suffers(1, Fault::Stop, 4.0, 9.9)), Some(Verdict::Failed));
    // A long run is compared with all that follow.
    let mut long =
        Story::default().run(LEDGER, 1, 5, 1.0, 10.0).run(LEDGER, 2, 6, 2.0, 3.0).run(LEDGER, 3, 7, 8.0, 12.0);
    long.records.insert(3, Record { at: secs(9.0), ..long.records[1].clone() });
    assert!(long.settled().checks(None).iter().any(|it| it.told.ends_with("and 1 more")));
}

#[test]
fn a_killed_run_ends_with_its_process() {
    let mut story = Story::default().run(LEDGER, 1, 5, 1.0, 10.0);
    story.records.pop();
    let story = story.suffers(1, Fault::Kill, 4.0, 5.0).run(LEDGER, 2, 6, 7.0, 12.0).settled();
    assert_eq!(story.faults(), []);
}

#[test]
fn tokens_that_fall_or_are_shared_are_found() {
    let falls = Story::default().run(LEDGER, 1, 6, 1.0, 2.0).run(LEDGER, 2, 5, 3.0, 4.0).settled();
    assert!(falls.faults().contains(&("tokens rise", Verdict::Failed)));
    let shared = Story::default().run(LEDGER, 1, 6, 1.0, 2.0).run(LEDGER, 2, 6, 3.0, 4.0).settled();
    assert_eq!(shared.faults(), [("a token has one owner", Verdict::Failed)]);
}

#[test]
fn writes_that_are_stale_or_lost_are_found() {
    let story = || Story::default().run(LEDGER, 1, 5, 1.0, 2.0).run(LEDGER, 2, 6, 3.0, 4.0).settled();
    let failed = |accepted: [Vec<u64>; 3]| {
        let checks = story().checks(Some(accepted));
        checks.iter().filter(|it| it.verdict == Verdict::Failed).map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(failed([vec![5, 6, 900], vec![900], vec![]]), Vec::<&str>::new());
    assert_eq!(failed([vec![6, 5, 900], vec![900], vec![]]), ["no stale write"]);
    assert_eq!(failed([vec![5, 6], vec![900], vec![]]), ["each write is counted once"]);
    assert_eq!(failed([vec![5, 6, 900, 900], vec![900], vec![]]), ["each write is counted once"]);
    let stale = |answer| story().note(What::Stale { key: LEDGER.to_owned(), answer });
    assert_eq!(stale(Answer::Refused).faults(), []);
    assert!(stale(Answer::Accepted).faults().contains(&("no stale write", Verdict::Failed)));
}

#[test]
fn a_late_take_over_is_found() {
    let after = |fault, took: f64| {
        let story = Story::default().run(LEDGER, 1, 5, 1.0, 10.0).suffers(1, fault, 10.0, 30.0);
        story.run(LEDGER, 2, 6, 10.0 + took, 40.0)
    };
    let cut = Fault::Line(Line::Cut);
    for (fault, name) in [(Fault::Kill, "take-over after kill -9"), (cut, "take-over, line down")] {
        assert_eq!(after(fault, 3.9).settled().faults(), []);
        assert_eq!(after(fault, 4.1).settled().faults(), [(name, Verdict::Late)]);
        assert_eq!(after(fault, 8.1).settled().faults(), [(name, Verdict::Failed)]);
        // The replica that took the key may have had a fault as well.
        assert_eq!(after(fault, 8.1).suffers(3, cut, 9.0, 11.0).settled().faults(), []);
    }
    let name = "hand-over at a shutdown";
    assert_eq!(after(Fault::Term, 0.4).settled().faults(), []);
    assert_eq!(after(Fault::Term, 0.6).settled().faults(), [(name, Verdict::Late)]);
    assert_eq!(after(Fault::Term, 2.1).settled().faults(), [(name, Verdict::Failed)]);
}

#[test]
fn a_fleet_that_flaps_or_has_no_owner_is_found() {
    let failed = [("quiet after healing", Verdict::Failed)];
    assert_eq!(Story::default().run(LEDGER, 1, 5, 1.0, 111.0).faults(), failed);
    let flaps = Story::default().run(FEEDS, 1, 5, 1.0, 111.0).run(LEDGER, 1, 5, 1.0, 105.0);
    let flaps = flaps.run(LEDGER, 2, 6, 106.0, 111.0);
    assert_eq!(flaps.faults(), failed);
    let fails = Story::default().run(FEEDS, 1, 5, 1.0, 111.0).run(LEDGER, 1, 5, 1.0, 109.9);
    assert_eq!(fails.run(LEDGER, 1, 5, 110.2, 111.0).faults(), [], "it fails, and starts again");
    let still = Story { stood_still: TTL / 5, ..Story::default().run(LEDGER, 1, 5, 1.0, 111.0) };
    assert_eq!(still.faults(), [("quiet after healing", Verdict::Late)]);
    assert_eq!(Story::default().settled().faults(), []);
    let overrun = Story::default().settled().note(What::Overrun).faults();
    assert_eq!(overrun, [("work ends with its lease", Verdict::Late)]);
}

#[test]
fn a_server_that_is_killed_may_end_work_but_not_for_long() {
    let story = || Story::default().run(FEEDS, 0, 5, 1.0, 20.0).all_suffer(Fault::Server, 4.0, 6.0);
    assert_eq!(story().run(LEDGER, 1, 5, 1.0, 20.0).settled().faults(), []);
    let restarted = |at| {
        let story = story().run(LEDGER, 1, 5, 1.0, 5.0);
        story.run(LEDGER, 2, 6, at, 20.0).settled().faults()
    };
    assert_eq!(restarted(9.5), []);
    assert_eq!(restarted(10.5), [("work after a restart", Verdict::Late)]);
    assert_eq!(restarted(15.0), [("work after a restart", Verdict::Failed)]);
}

#[test]
fn a_pooler_and_a_clock_end_no_work() {
    let story = |fault, until| {
        let story = Story::default().run(LEDGER, 1, 5, 1.0, until).suffers(1, fault, 4.0, 8.0);
        story.run(LEDGER, 2, 6, until + 1.0, 40.0).settled()
    };
    let failed = [("kept by a pooler, a clock", Verdict::Failed)];
    assert_eq!(story(Fault::Pooler, 20.0).faults(), []);
    assert_eq!(story(Fault::Pooler, 7.0).faults(), failed);
    assert_eq!(story(Fault::Clock(-2), 20.0).faults(), failed, "nobody has seen it");
    let seen = |mut story: Story| {
        let run = RunId { replica: 1, life: 0, number: usize::MAX };
        story.records.push(Record { at: secs(6.0), run, what: What::ClockIsSet });
        story.faults()
    };
    assert_eq!(seen(story(Fault::Clock(-2), 20.0)), []);
    assert_eq!(seen(story(Fault::Clock(-2), 7.0)), failed);
}

/// SIGSTOP can interrupt a poll, which then ends when the next owner works.
#[tokio::test]
async fn work_has_the_time_at_which_its_poll_began() {
    let path = std::env::temp_dir().join(format!("taskvisor-polls-{}.log", std::process::id()));
    let run = crate::log::Log::open(&path, 0, 0).unwrap().begin(LEDGER, "task", 1);
    run.during(async {
        run.write(What::Work);
        std::thread::sleep(Duration::from_millis(5));
        run.write(What::Wrote(Answer::Accepted));
        tokio::task::yield_now().await;
        run.write(What::Work);
    })
    .await;
    drop(run);
    let records = crate::log::Log::read(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    let at: Vec<_> = records.iter().map(|record| record.at).collect();
    assert_eq!(records.len(), 5, "{records:?}");
    assert!(at[0] <= at[1] && at[1] == at[2] && at[2] < at[3] && at[3] <= at[4], "{records:?}");
}
