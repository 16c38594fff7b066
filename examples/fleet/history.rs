//! The history of runs and holdings, from the log and the faults.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::log::{Answer, Record, RunId, What};
use crate::plan::{Episode, Fault};

/// One attempt.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) key: String,
    pub(crate) token: u64,
    pub(crate) begin: Duration,
    /// The last sign of work.
    pub(crate) worked: Duration,
    /// The time at which its future was dropped or its process was killed.
    pub(crate) end: Duration,
    pub(crate) begun_writes: usize,
    pub(crate) accepted: usize,
    pub(crate) refused: usize,
}

/// All runs under one token of a key.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    pub(crate) key: String,
    pub(crate) token: u64,
    pub(crate) replica: usize,
    pub(crate) from: Duration,
    pub(crate) worked: Duration,
    pub(crate) to: Duration,
    pub(crate) runs: usize,
    /// The SIGSTOP of the process during which its last runs ended. `to` is after it.
    pub(crate) frozen: Option<Episode>,
}

impl Holding {
    /// Returns the end of its work. Work of a suspended process is dropped when the process continues.
    pub(crate) fn end_of_work(&self) -> Duration {
        if self.frozen.is_some() { self.worked } else { self.to }
    }
}

/// The time at which faults had healed, the time at which the replicas were requested to end, and the longest pause of
/// the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) healed: Duration,
    pub(crate) finish: Duration,
    pub(crate) stood_still: Duration,
}

#[derive(Debug)]
pub(crate) struct History {
    pub(crate) runs: Vec<Run>,
    /// The holdings by key and token.
    pub(crate) holdings: Vec<Holding>,
    pub(crate) episodes: Vec<Episode>,
    /// The answers to writes with old tokens, by key.
    pub(crate) stale: Vec<(String, Answer)>,
    pub(crate) overruns: usize,
    /// The replicas that noticed a changed wall clock, with the times.
    pub(crate) set_clocks: Vec<(usize, Duration)>,
    /// The times at which the last faults had healed, and at which the replicas were requested to end.
    pub(crate) healed: Duration,
    pub(crate) finish: Duration,
    /// The longest time in which the system did not schedule this program.
    pub(crate) stood_still: Duration,
}

impl History {
    pub(crate) fn new(records: &[Record], mut episodes: Vec<Episode>, times: Times) -> Self {
        let Times { healed, finish, stood_still } = times;
        episodes.sort_by_key(|episode| episode.from);
        let mut runs: BTreeMap<RunId, (Run, bool)> = BTreeMap::new();
        let (mut overruns, mut stale, mut set_clocks) = (0, Vec::new(), Vec::new());
        for Record { at, run: id, what } in records {
            if let What::Begin { key, token, .. } = what {
                let run = Run {
                    id: *id,
                    key: key.clone(),
                    token: *token,
                    begin: *at,
                    worked: *at,
                    end: Duration::MAX,
                    begun_writes: 0,
                    accepted: 0,
                    refused: 0,
                };
                runs.insert(*id, (run, false));
                continue;
            }
            match what {
                What::Overrun => overruns += 1,
                What::ClockIsSet => set_clocks.push((id.replica, *at)),
                What::Stale { key, answer } => stale.push((key.clone(), *answer)),
                _ => {}
            }
            let Some((run, ended)) = runs.get_mut(id) else { continue };
            match what {
                What::End => (run.end, *ended) = (*at, true),
                What::Work => (run.worked, run.begun_writes) = (*at, run.begun_writes + 1),
                What::Wrote(answer) => {
                    run.worked = *at;
                    run.accepted += usize::from(*answer == Answer::Accepted);
                    run.refused += usize::from(*answer == Answer::Refused);
                }
                What::Begin { .. } | What::Stale { .. } | What::Overrun | What::ClockIsSet => {}
            }
        }
        // Runs without a logged end ended when their process was killed.
        for (run, _) in runs.values_mut().filter(|(_, ended)| !ended) {
            let kills = |it: &&Episode| it.fault == Fault::Kill && it.hits(run.id.replica) && it.from >= run.worked;
            run.end = episodes.iter().find(kills).map_or(Duration::MAX, |kill| kill.from);
        }
        let mut runs: Vec<_> = runs.into_values().map(|(run, _)| run).collect();
        runs.sort_by_key(|run| run.begin);
        let holdings = holdings(&runs, &episodes);
        Self { runs, holdings, episodes, stale, overruns, set_clocks, healed, finish, stood_still }
    }

    /// Returns the holdings of a key, in the order of their tokens.
    pub(crate) fn of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Holding> {
        self.holdings.iter().filter(move |holding| holding.key == key)
    }

    /// Returns the holding that a replica had of a key at a time.
    pub(crate) fn held(&self, key: &str, replica: usize, at: Duration) -> Option<&Holding> {
        self.holdings.iter().find(|it| it.key == key && it.replica == replica && it.from <= at && at <= it.to)
    }

    /// Returns the next holding of a key.
    pub(crate) fn after(&self, holding: &Holding) -> Option<&Holding> {
        self.holdings.iter().find(|it| it.key == holding.key && it.token > holding.token)
    }

    /// Returns the fault that ended a holding, if there was one.
    pub(crate) fn ended_by(&self, holding: &Holding) -> Option<Fault> {
        if let Some(frozen) = holding.frozen {
            return Some(frozen.fault);
        }
        let hits = |it: &&Episode| it.hits(holding.replica) && it.from <= holding.to && holding.to <= it.to;
        self.episodes.iter().rev().find(hits).map(|episode| episode.fault)
    }
}

fn holdings(runs: &[Run], episodes: &[Episode]) -> Vec<Holding> {
    let mut holdings: BTreeMap<(&str, u64, usize, usize), Holding> = BTreeMap::new();
    for run in runs {
        let RunId { replica, life, .. } = run.id;
        let holding = holdings.entry((&run.key, run.token, replica, life)).or_insert_with(|| Holding {
            key: run.key.clone(),
            token: run.token,
            replica,
            from: run.begin,
            worked: run.worked,
            to: run.end,
            runs: 0,
            frozen: None,
        });
        holding.runs += 1;
        holding.worked = holding.worked.max(run.worked);
        holding.to = holding.to.max(run.end);
    }
    let mut holdings: Vec<_> = holdings.into_values().collect();
    for holding in &mut holdings {
        let stops = |it: &&Episode| {
            it.fault == Fault::Stop && it.hits(holding.replica) && holding.worked < it.to && it.to <= holding.to
        };
        holding.frozen = episodes.iter().find(stops).copied();
    }
    holdings
}
