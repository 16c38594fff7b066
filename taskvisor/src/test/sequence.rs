//! Expects events one after another, and shows the first difference.

use std::fmt::{self, Write as _};
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::journal::Journal;
use super::{ExpectedEvent, RecordedEvent};
use crate::events::EventKind;

/// The default time limit of an expectation.
const PATIENCE: Duration = Duration::from_secs(60);

/// The largest width of the expected events. A longer one shifts the rest of its own line only. The standard library
/// panics over widths above 65,535.
const WIDEST: usize = 120;

/// The events of one task, or of all tasks, in order. Each expectation continues after the previous one.
/// [`Recorder::of`](super::Recorder::of) and [`Recorder::all`](super::Recorder::all) return a sequence at the first
/// event.
#[derive(Clone)]
#[must_use = "nothing is expected yet"]
pub struct EventSequence {
    journal: Arc<Journal>,
    path: Option<String>,
    kinds: Option<Vec<EventKind>>,
    patience: Duration,
    /// The number of events of the journal before its position.
    position: usize,
}

impl EventSequence {
    pub(super) fn new(journal: Arc<Journal>, path: Option<String>) -> Self {
        Self { journal, path, kinds: None, patience: PATIENCE, position: 0 }
    }

    /// Skips events of other kinds.
    pub fn only(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.kinds = Some(kinds.into_iter().collect());
        self
    }

    /// Sets the time limit of an expectation for all its events, by Tokio's clock. Default: 60 s.
    pub fn within(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// Waits for exactly these events, without another event of this sequence between them.
    ///
    /// # Panics
    /// If another event comes, or at the time limit. The message has the expected and the actual events side by side,
    /// and marks the first difference.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the position does not change.
    #[track_caller]
    pub fn expect<E: Into<ExpectedEvent>>(
        &mut self,
        expected: impl IntoIterator<Item = E>,
    ) -> impl Future<Output = ()> + Send {
        let expected: Vec<ExpectedEvent> = expected.into_iter().map(Into::into).collect();
        self.compare(expected, Location::caller())
    }

    async fn compare(&mut self, expected: Vec<ExpectedEvent>, caller: &Location<'_>) {
        let Some(last) = expected.len().checked_sub(1) else { return };
        let parts = |index: usize, event: &RecordedEvent| !expected[index].matches(event);
        let read = self.read(self.patience, |index, event| index == last || parts(index, event)).await;
        match read.last() {
            Some((position, event)) if read.len() == expected.len() && !parts(last, event) => {
                self.position = position + 1;
            }
            _ => panic!("{}", self.difference(&expected, caller)),
        }
    }

    /// Skips events until one matches, and returns it.
    ///
    /// # Panics
    /// At the time limit. The message has the actual events.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the position does not change.
    #[track_caller]
    pub fn wait_for(&mut self, expected: impl Into<ExpectedEvent>) -> impl Future<Output = RecordedEvent> + Send {
        let expected = expected.into();
        self.search(expected, Location::caller())
    }

    async fn search(&mut self, expected: ExpectedEvent, caller: &Location<'_>) -> RecordedEvent {
        let mut read = self.read(self.patience, |_, event| expected.matches(event)).await;
        match read.pop() {
            Some((position, event)) if expected.matches(&event) => {
                self.position = position + 1;
                event
            }
            _ => panic!(
                "`{expected}` did not come of {} within {:?}, at {caller}; this did:\n{}",
                self.subject(),
                self.patience,
                self.list()
            ),
        }
    }

    /// Checks that no event comes within this time. With zero, it checks that no unexpected event has come so far.
    ///
    /// # Panics
    /// If an event comes. The message has it.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    #[track_caller]
    pub fn expect_nothing_for(&mut self, time: Duration) -> impl Future<Output = ()> + Send {
        self.stay_silent(time, Location::caller())
    }

    async fn stay_silent(&mut self, time: Duration, caller: &Location<'_>) {
        let read = self.read(time, |_, _| true).await;
        assert!(
            read.is_empty(),
            "nothing was to come of {} for {time:?}, at {caller}, but this did:\n{}",
            self.subject(),
            self.list()
        );
    }

    /// Reads events with their numbers in the journal, until the last wanted event or the time limit.
    async fn read(
        &self,
        time: Duration,
        mut is_last: impl FnMut(usize, &RecordedEvent) -> bool,
    ) -> Vec<(usize, RecordedEvent)> {
        let (mut read, mut position) = (Vec::new(), self.position);
        let reading = async {
            loop {
                for event in self.journal.since(position) {
                    position += 1;
                    if self.has(&event) {
                        let over = is_last(read.len(), &event);
                        read.push((position - 1, event));
                        if over {
                            return;
                        }
                    }
                }
                self.journal.grows_beyond(position).await;
            }
        };
        let _ = timeout(time, reading).await;
        read
    }

    fn has(&self, event: &RecordedEvent) -> bool {
        self.path.as_deref().is_none_or(|path| event.task.as_deref() == Some(path))
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind))
    }

    /// Returns the events after its position.
    fn rest(&self) -> Vec<RecordedEvent> {
        let mut events = self.journal.since(self.position);
        events.retain(|event| self.has(event));
        events
    }

    fn list(&self) -> String {
        let lines: Vec<_> = self.rest().iter().map(|event| format!("    {event}")).collect();
        if lines.is_empty() { "    (nothing)".into() } else { lines.join("\n") }
    }

    fn subject(&self) -> String {
        self.path.as_ref().map_or_else(|| "the supervisor".into(), |path| format!("`{path}`"))
    }

    /// Formats the expected and the actual events side by side, with a mark at the first difference.
    fn difference(&self, expected: &[ExpectedEvent], caller: &Location<'_>) -> String {
        let came = self.rest();
        let same = came.iter().zip(expected).take_while(|(event, what)| what.matches(event)).count();
        let left: Vec<_> = expected.iter().map(ToString::to_string).collect();
        let longest = left.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let width = longest.clamp("expected".len(), WIDEST);
        let mut text = format!("the events of {} are not the expected ones, at {caller}\n", self.subject());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    {:<width$}  came", "expected");
        for index in 0..left.len().max(came.len().min(left.len() + 3)) {
            let mark = if index == same { '>' } else { ' ' };
            let left = left.get(index).map_or("", String::as_str);
            let right = match came.get(index) {
                Some(event) => event.to_string(),
                None if index == same => format!("(nothing within {:?})", self.patience),
                None => String::new(),
            };
            let _ = writeln!(text, "{}", format!("  {mark} {left:<width$}  {right}").trim_end());
        }
        text
    }
}

impl fmt::Debug for EventSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rest()).finish()
    }
}
