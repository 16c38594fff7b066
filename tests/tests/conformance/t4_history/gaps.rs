//! Lost events.

use std::sync::Arc;

use taskvisor::{AttemptOutcome, Event, History, HistoryEntry, Subscribe, Supervisor};
use tests::{OK, Script, cooperative, ms, secs, settle};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::{Result, config, shown};

/// A history behind a gate, which falls behind while the gate is closed.
struct Gated {
    history: History,
    gate: Semaphore,
}

impl Gated {
    fn new() -> (Arc<Self>, History) {
        let history = History::new();
        (Arc::new(Self { history: history.clone(), gate: Semaphore::new(OPEN) }), history)
    }

    fn open(&self) {
        self.gate.add_permits(OPEN);
    }

    fn close(&self) {
        self.gate.forget_permits(usize::MAX);
    }
}

/// The outcomes and gaps of a path.
fn outcomes(history: &History, path: &str) -> Vec<String> {
    let outcome = |entry: &HistoryEntry| match entry {
        HistoryEntry::Attempt(attempt) => format!("{} {}", attempt.attempt, attempt.outcome),
        HistoryEntry::Gap(gap) => format!("{} lost", gap.lost),
        other => panic!("{other:?}"),
    };
    history.of(path).entries.iter().map(outcome).collect()
}

const OPEN: usize = 1 << 20;

#[async_trait::async_trait]
impl Subscribe for Gated {
    async fn on_event(&self, event: &Event) {
        self.gate.acquire().await.unwrap().forget();
        self.history.on_event(event).await;
    }

    fn queue_capacity(&self) -> usize {
        8
    }
}

#[tokio::test(start_paused = true)]
async fn t4_a_loss_is_a_gap_in_its_place_and_what_ran_is_unknown() -> Result {
    // given
    let (gated, history) = Gated::new();
    let supervisor = Supervisor::new(config(), vec![gated.clone()]);
    let long = supervisor.add_task(cooperative("long")).await?;
    let flaky = supervisor.add_task(Script::new([tests::Step::Wait]).spec("flaky")).await?;
    sleep(secs(1)).await;
    assert_eq!(shown(&history, "flaky"), ["flaky #1 running"]);
    // when
    gated.close();
    for _ in 0..20 {
        flaky.restart();
        sleep(ms(10)).await;
    }
    let (behind, seen) = (history.of("flaky"), history.gaps());
    gated.open();
    settle().await;
    // then
    assert_eq!((behind.entries.len(), seen.len()), (1, 0), "it is behind, and does not know yet");
    let [gap] = history.gaps()[..] else { panic!("{:?}", history.gaps()) };
    assert!(gap.lost >= 20 && gap.after < gap.before, "{gap}");
    let lost = format!("{} lost", gap.lost);
    let before = ["1 canceled", "2 canceled", "3 canceled", "4 canceled", "5 unknown", &lost];
    assert_eq!(outcomes(&history, "flaky"), before, "the first of them were in the queue");
    assert_eq!(shown(&history, "long"), ["long #1 unknown", &lost]);

    // when it has caught up
    flaky.restart();
    settle().await;
    // then
    let caught_up = flaky.status().attempt;
    let after = [format!("{} canceled", caught_up - 1), format!("{caught_up} running")];
    assert_eq!(outcomes(&history, "flaky"), [&before[..], &[&*after[0], &*after[1]]].concat());
    let flaky = history.of("flaky");
    assert!(flaky.attempts().nth(5).is_some_and(|it| it.began.is_none() && it.ended.is_some()), "its begin was lost");
    long.cancel().await?;
    settle().await;
    let lines = shown(&history, "long");
    assert!(lines[0].starts_with("long #1 canceled (canceled) after 1."), "its end was seen: {lines:?}");
    assert_eq!(history.gaps(), [gap], "no further loss");
    supervisor.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_a_loss_that_nothing_follows_is_seen_by_its_report() -> Result {
    let (gated, history) = Gated::new();
    let supervisor = Supervisor::new(config(), vec![gated.clone()]);
    supervisor.add_task(cooperative("t")).await?;
    settle().await;
    gated.close();
    for number in 0..20 {
        supervisor.add_task(cooperative(&number.to_string()).with_initial_delay(secs(3_600))).await?;
        sleep(ms(10)).await;
    }
    gated.open();
    settle().await;
    let gaps = history.gaps();
    assert_eq!(gaps.iter().map(|gap| gap.lost).sum::<u64>(), 40 - 8, "two each, of which eight had room: {gaps:?}");
    assert_eq!(history.of("t").attempts().next().unwrap().outcome, AttemptOutcome::Unknown);
    supervisor.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_without_a_loss_there_is_no_gap_whatever_the_capacity() -> Result {
    let (gated, history) = Gated::new();
    let supervisor = Supervisor::new(config(), vec![gated]);
    for number in 0..100 {
        supervisor.add_task(Script::new([OK]).spec(&number.to_string())).await?.outcome().await;
        settle().await;
    }
    supervisor.shutdown().await?;
    assert!(history.gaps().is_empty());
    assert!(history.iter().flat_map(|path| path.entries).count() == 100);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_a_stream_can_feed_a_history_from_its_first_event_on() -> Result {
    let history = History::new();
    let supervisor = tests::supervisor();
    let mut before = supervisor.events();
    supervisor.add_task(Script::new([OK]).spec("before")).await?.outcome().await;
    before.next().await.unwrap()?;
    drop(before);
    let mut events = supervisor.events();
    supervisor.add_task(Script::new([OK]).spec("t")).await?.outcome().await;
    supervisor.shutdown().await?;
    while let Some(event) = events.next().await {
        history.on_event(&event?).await;
    }
    assert!(history.gaps().is_empty(), "what came before is no loss");
    assert_eq!(shown(&history, "t"), ["t #1 completed after 0ms"]);
    Ok(())
}
