//! The waits of a driver.

use std::future::poll_fn;
use std::mem;
use std::task::Poll;

use tokio::time::{Instant, timeout_at};

use super::super::machine::Input;
use super::super::plan::Note;
use super::Live;
use super::make::Making;
use crate::runtime::timer::deadline;

impl Live {
    /// Waits for a message, or for the next time at which something is due.
    pub(super) async fn wait(&mut self) {
        let machine = self.machine.wakes_at().and_then(|at| deadline(at.saturating_sub(self.now())));
        let given_up = self.given_up.front().map(|(at, _)| *at);
        let due = self.machine.wakes_at();
        if mem::replace(&mut self.due, due) != due {
            self.group.is_due_at(due.and_then(|due| self.start.checked_add(due)));
        }
        let until = machine.into_iter().chain(given_up).min();
        if let Making::Called(_) = self.making {
            return Box::pin(self.wait_for_children(until)).await;
        }
        let group = self.group.clone();
        let bell = poll_fn(|cx| group.poll_bell(cx));
        let Some(until) = until else { return bell.await };
        if until > Instant::now() && timeout_at(until, bell).await.is_ok() {
            return;
        }
        self.wake(Instant::now());
    }

    /// Like [`wait`](Self::wait), and also waits for the children that are being made.
    async fn wait_for_children(&mut self, until: Option<Instant>) {
        let Making::Called(call) = &mut self.making else { return };
        let until = until.into_iter().chain(call.until).min();
        let group = self.group.clone();
        let woken = poll_fn(|cx| match group.poll_bell(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => call.poll(cx).map(Some),
        });
        let woken = match until {
            None => Ok(woken.await),
            Some(until) => timeout_at(until, woken).await,
        };
        match woken {
            Ok(None) => return,
            Ok(Some(made)) => return self.made(made),
            Err(_) => {}
        }
        let now = Instant::now();
        if let Some(error) = call.exceeds(now, |late| group.core.warn_of_late_timer(group.shown_path(), late)) {
            self.made(Err(error));
        }
        self.wake(now);
    }

    /// Handles the deadlines that have passed, and wakes the machine.
    fn wake(&mut self, now: Instant) {
        while self.given_up.front().is_some_and(|(at, _)| *at <= now) {
            for (key, epoch) in self.given_up.pop_front().into_iter().flat_map(|(_, children)| children) {
                self.step(Input::Note { key, epoch, note: Note::GivenUp });
            }
        }
        self.step(Input::Wake);
    }
}
