//! Checks of the properties that must hold under any faults.

use std::fmt::Write as _;
use std::time::Duration;

use crate::history::{History, Holding};
use crate::log::{Answer, FEEDS, KEYS, LEDGER};
use crate::plan::{Episode, Fault};

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// The time is over the limit, but less than twice as long, as on a busy machine.
    Late,
    Failed,
    /// There was nothing to check.
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) told: String,
}

/// The longest time of a hand-over.
const HAND_OVER: Duration = Duration::from_millis(500);

/// Checks a history. `accepted` gives the tokens of the writes that the counter of each key has accepted.
pub(crate) fn all(history: &History, ttl: Duration, accepted: &[Vec<u64>; 3]) -> Vec<Check> {
    let mut checks = vec![tokens_rise(history), one_owner(history), no_overlap(history)];
    checks.push(no_stale_write(history, accepted));
    checks.push(no_lost_write(history, accepted));
    checks.extend(take_over(history, ttl));
    checks.push(restart(history, ttl));
    checks.push(kept(history, ttl));
    checks.push(hand_over(history, ttl));
    checks.push(quiet(history, ttl));
    checks.push(no_overrun(history));
    checks
}

fn check(name: &'static str, faults: &[String], well: String) -> Check {
    match faults {
        [] => Check { name, verdict: Verdict::Passed, told: well },
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
            Check { name, verdict: Verdict::Failed, told: format!("{first}{more}") }
        }
    }
}

/// Formats a duration.
pub(crate) fn shown(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

/// Formats a holding.
fn named(it: &Holding) -> String {
    format!("r{} with {} of {}", it.replica + 1, it.token, it.key)
}

fn tokens_rise(history: &History) -> Check {
    let mut faults = Vec::new();
    for key in KEYS {
        let mut greatest = 0;
        for run in history.runs.iter().filter(|run| run.key == key) {
            if run.token < greatest {
                faults.push(format!("{key}: a run with {} began after one with {greatest}", run.token));
            }
            greatest = greatest.max(run.token);
        }
    }
    let restarts = history.holdings.iter().filter(|it| it.key == LEDGER).map(|it| it.runs - 1).sum::<usize>();
    let well =
        format!("{} takings, {restarts} restarts of {LEDGER} with the token that it had", history.holdings.len());
    check("tokens rise", &faults, well)
}

fn one_owner(history: &History) -> Check {
    let pairs = history.holdings.windows(2).filter(|pair| pair[0].key == pair[1].key && pair[0].token == pair[1].token);
    let faults: Vec<_> = pairs.map(|pair| format!("{} and {}", named(&pair[0]), named(&pair[1]))).collect();
    check("a token has one owner", &faults, format!("{} tokens", history.holdings.len()))
}

/// Only work counts: a future that was not polled any more, because the lease was over, may be dropped late.
fn no_overlap(history: &History) -> Check {
    let (mut faults, mut closest, mut late) = (Vec::new(), Duration::MAX, Duration::ZERO);
    for key in KEYS {
        let mut before: Option<&Holding> = None;
        for holding in history.of(key) {
            if let Some(before) = before {
                let by = before.worked.saturating_sub(holding.from);
                if by > Duration::ZERO {
                    let by = shown(by);
                    faults.push(format!("{} began {by} before the last work of {}", named(holding), named(before)));
                }
                closest = closest.min(holding.from.saturating_sub(before.worked));
                late = late.max(before.end_of_work().saturating_sub(holding.from));
            }
            if before.is_none_or(|before| before.worked < holding.worked) {
                before = Some(holding);
            }
        }
    }
    let well = if closest == Duration::MAX { "nothing changed hands".to_owned() } else { shown(closest) };
    let mut check = check("no overlap of work", &faults, format!("the shortest time between two owners is {well}"));
    if late > Duration::ZERO && check.verdict == Verdict::Passed {
        let _ = write!(check.told, "; idle work was dropped up to {} after the next had begun", shown(late));
        check.verdict = Verdict::Late;
    }
    check
}

fn no_stale_write(history: &History, accepted: &[Vec<u64>; 3]) -> Check {
    let mut faults = Vec::new();
    for (key, tokens) in KEYS.iter().zip(accepted) {
        for pair in tokens.windows(2).filter(|pair| pair[1] < pair[0]) {
            faults.push(format!("{key}: a write by {} came after one by {}", pair[1], pair[0]));
        }
    }
    let all: usize = accepted.iter().map(Vec::len).sum();
    let refused: usize = history.runs.iter().map(|run| run.refused).sum();
    let old = |answer| history.stale.iter().filter(|(_, it)| *it == answer).count();
    let (passed, stopped, old) = (old(Answer::Accepted), old(Answer::Refused), history.stale.len());
    if passed > 0 {
        faults.push(format!("{passed} of {old} writes with old tokens were accepted"));
    }
    let well = format!("{all} writes were accepted, {refused} refused, and {stopped} of {old} with old tokens");
    check("no stale write", &faults, well)
}

fn no_lost_write(history: &History, accepted: &[Vec<u64>; 3]) -> Check {
    let (mut faults, mut unanswered) = (Vec::new(), 0);
    for (key, tokens) in KEYS.iter().zip(accepted) {
        let runs = || history.runs.iter().filter(|run| run.key == *key);
        let stale = |answer| history.stale.iter().filter(|it| it.0 == *key && it.1 == answer).count();
        let least = runs().map(|run| run.accepted).sum::<usize>() + stale(Answer::Accepted);
        let open = runs().map(|run| run.begun_writes - run.accepted - run.refused).sum::<usize>();
        let most = least + open + stale(Answer::Unknown);
        unanswered += most - least;
        if !(least..=most).contains(&tokens.len()) {
            faults.push(format!("{key}: the counter is {}, of {least} to {most} writes", tokens.len()));
        }
    }
    check("each write is counted once", &faults, format!("{unanswered} writes were not answered"))
}

/// The time that followed from a fault of an owner.
struct Sample {
    took: Duration,
    /// `true` if another replica had a fault in the meantime. It may have been the one that took the key.
    is_disturbed: bool,
}

/// Checks the times of one kind. Times over the limit during faults of other replicas are reported separately.
fn judge(name: &'static str, samples: &[Sample], limit: Duration, most: Duration, kept: usize) -> Check {
    let (disturbed, judged): (Vec<_>, Vec<_>) = samples.iter().partition(|it| it.is_disturbed && it.took > limit);
    let mut times: Vec<_> = judged.iter().map(|it| it.took).collect();
    times.sort();
    let mut told = match times.as_slice() {
        [] => "none to judge".to_owned(),
        [only] => format!("{}, once (limit {})", shown(*only), shown(limit)),
        [least, .., most] => {
            let (median, count) = (shown(times[times.len() / 2]), times.len());
            format!("{} to {}, median {median}, {count} times (limit {})", shown(*least), shown(*most), shown(limit))
        }
    };
    if let Some(longest) = disturbed.iter().map(|it| it.took).max() {
        let _ = write!(told, "; {} more amid faults of others, up to {}", disturbed.len(), shown(longest));
    }
    if kept > 0 {
        let _ = write!(told, "; kept {kept} times");
    }
    let verdict = match times.last() {
        None => Verdict::Nothing,
        Some(time) if *time <= limit => Verdict::Passed,
        Some(time) if *time <= most => Verdict::Late,
        Some(_) => Verdict::Failed,
    };
    Check { name, verdict, told }
}

fn is_disturbed(history: &History, episode: &Episode, until: Duration) -> bool {
    let others = history.episodes.iter().filter(|it| it.replica != episode.replica);
    others.into_iter().any(|it| it.from <= until && it.to >= episode.from)
}

/// Checks the time from a fault of an owner to the work of the next one.
fn take_over(history: &History, ttl: Duration) -> Vec<Check> {
    let limit = ttl + ttl / 3;
    let mut kinds = [
        ("take-over after kill -9", vec![], 0),
        ("take-over after a stop", vec![], 0),
        ("take-over, line down", vec![], 0),
    ];
    for episode in &history.episodes {
        let kind = match episode.fault {
            Fault::Kill => &mut kinds[0],
            Fault::Stop => &mut kinds[1],
            Fault::Line(_) => &mut kinds[2],
            Fault::Term | Fault::Pooler | Fault::Clock(_) | Fault::Server => continue,
        };
        let Some(replica) = episode.replica else { continue };
        for key in [LEDGER, FEEDS] {
            let Some(held) = history.held(key, replica, episode.from) else { continue };
            // The store can report the end of the session as soon as the line is open again.
            let ended = held.frozen.is_some() || held.to <= episode.to + HAND_OVER;
            if !ended {
                kind.2 += 1;
                continue;
            }
            let next = history.after(held).map_or(history.finish, |next| next.from);
            let took = next.saturating_sub(episode.from);
            kind.1.push(Sample { took, is_disturbed: is_disturbed(history, episode, next) });
        }
    }
    kinds.into_iter().map(|(name, samples, kept)| judge(name, &samples, limit, 2 * limit, kept)).collect()
}

/// Checks the time from the return of the server to work, unless work went on meanwhile.
fn restart(history: &History, ttl: Duration) -> Check {
    let limit = ttl + ttl / 3;
    let (mut samples, mut kept) = (Vec::new(), 0);
    for episode in history.episodes.iter().filter(|it| it.fault == Fault::Server) {
        for key in [LEDGER, FEEDS] {
            let next = history.of(key).find(|it| episode.to < it.end_of_work());
            if next.is_some_and(|next| next.from <= episode.from) {
                kept += 1;
                continue;
            }
            let next = next.map_or(history.finish, |next| next.from);
            let took = next.saturating_sub(episode.to);
            samples.push(Sample { took, is_disturbed: is_disturbed(history, episode, next) });
        }
    }
    judge("work after a restart", &samples, limit, 2 * limit, kept)
}

/// Checks that owners keep their leases through a pooler and with a changed wall clock.
fn kept(history: &History, ttl: Duration) -> Check {
    let (mut faults, mut kept) = (Vec::new(), 0);
    for episode in history.episodes.iter().filter(|it| matches!(it.fault, Fault::Pooler | Fault::Clock(_))) {
        let Some(replica) = episode.replica else { continue };
        // An earlier fault can be the reason why the replica loses its leases.
        let hits = |it: &&Episode| it.hits(replica) && it.from < episode.from && it.to + ttl / 2 >= episode.from;
        let is_seen = |(of, at): &(usize, Duration)| *of == replica && (episode.from..episode.to).contains(at);
        if matches!(episode.fault, Fault::Clock(_)) && !history.set_clocks.iter().any(is_seen) {
            faults.push(format!("r{} has not seen its clock set", replica + 1));
        }
        if history.episodes.iter().any(|it| hits(&it)) {
            continue;
        }
        for key in [LEDGER, FEEDS] {
            match history.held(key, replica, episode.from) {
                None => {}
                Some(held) if held.to > episode.to => kept += 1,
                Some(held) => faults.push(format!("{} ended: {}", named(held), episode.fault)),
            }
        }
    }
    if faults.is_empty() && kept == 0 {
        return Check {
            name: "kept by a pooler, a clock",
            verdict: Verdict::Nothing,
            told: "none to judge".to_owned(),
        };
    }
    let mut check = check("kept by a pooler, a clock", &faults, format!("{kept} leases"));
    if check.verdict == Verdict::Failed && history.stood_still > ttl / 5 {
        check.verdict = Verdict::Late;
    }
    check
}

/// Checks the time from the end of the work of an owner that was requested to end to the work of the next one.
///
/// A replica whose hints are lost asks every third of the time to live, a little more or less.
fn hand_over(history: &History, ttl: Duration) -> Check {
    let mut samples = Vec::new();
    for episode in history.episodes.iter().filter(|it| it.fault == Fault::Term) {
        let Some(replica) = episode.replica else { continue };
        for key in [LEDGER, FEEDS] {
            let Some(held) = history.held(key, replica, episode.from) else { continue };
            let next = history.after(held).map_or(history.finish, |next| next.from);
            let took = next.saturating_sub(held.to);
            samples.push(Sample { took, is_disturbed: is_disturbed(history, episode, next) });
        }
    }
    judge("hand-over at a shutdown", &samples, HAND_OVER, 2 * HAND_OVER + ttl / 3, 0)
}

/// Checks that owners do not change after the last fault has healed, unless the machine itself was paused.
fn quiet(history: &History, ttl: Duration) -> Check {
    let from = history.healed + ttl + ttl / 3;
    let mut faults = Vec::new();
    for key in [LEDGER, FEEDS] {
        let changes = history.of(key).filter(|it| it.from > from && it.from < history.finish).count();
        if changes > 0 {
            faults.push(format!("{key} changed hands {changes} times"));
        }
        // The task may be about to restart.
        let is_last = |it: &&Holding| it.from <= history.finish && it.to + HAND_OVER >= history.finish;
        let owners = history.of(key).filter(is_last).count();
        if owners != 1 {
            faults.push(format!("{key} had {owners} owners at the end"));
        }
    }
    let time = shown(history.finish.saturating_sub(from));
    let mut check = check("quiet after healing", &faults, format!("no owner changed in the last {time}"));
    // A call is dropped after this time.
    if history.stood_still >= ttl / 5 && check.verdict == Verdict::Failed {
        let _ = write!(check.told, "; but the machine stood still for {}", shown(history.stood_still));
        check.verdict = Verdict::Late;
    }
    check
}

/// Checks that the fleet has reported no work that outlived its lease.
fn no_overrun(history: &History) -> Check {
    let (verdict, told) = match history.overruns {
        0 => (Verdict::Passed, "the fleet has seen none that outlasted it".to_owned()),
        count => (Verdict::Late, format!("{count} times it was not dropped at once")),
    };
    Check { name: "work ends with its lease", verdict, told }
}

#[cfg(test)]
#[path = "checks_test.rs"]
mod tests;
