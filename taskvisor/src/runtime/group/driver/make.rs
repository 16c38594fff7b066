//! Makes the children of a run of a fresh group, and registers the children of a run.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::call::Call;
use super::super::machine::{Action, Input};
use super::Live;
use super::turn_away;
use crate::inspect::TaskState;
use crate::panics::drop_caught;
use crate::runtime::pause::Subject;
use crate::runtime::registration::Registered;
use crate::runtime::task::{Cell, StopBy};
use crate::supervisor::RuntimeError;
use crate::task::{TaskError, TaskSpec};
use crate::tree::{Declared, last_segment};

/// The start of a fresh group.
pub(super) enum Making {
    No,
    /// The group, or a group above it, is paused. The function is called after the pause.
    Paused,
    Called(Box<Call>),
    Made(Arc<Declared>),
    /// The call failed, with a delay before the retry if the error has one.
    Failed(Arc<TaskError>, Option<Duration>),
}

impl Live {
    /// Calls the function that makes the children, when the previous ones have ended and are dropped, or waits for the
    /// end of a pause.
    pub(super) async fn make(&mut self) {
        // These children were registered again at the moment at which the run ended. The names are reserved since.
        turn_away(self.group.clone(), |cell| !cell.was_added()).await;
        self.actions.pop_front();
        self.call();
    }

    /// Calls the function that makes the children, or waits for the end of a pause.
    fn call(&mut self) {
        self.forget_made();
        if self.is_paused() {
            self.making = Making::Paused;
            return self.group.set_state(TaskState::Paused);
        }
        self.began = Instant::now();
        self.group.set_making();
        let Some(maker) = self.group.declared.maker() else {
            // The group cannot start again.
            return self.step(Input::Registered(false));
        };
        match Call::new(maker, self.policy.start_timeout) {
            Ok(call) => self.making = Making::Called(Box::new(call)),
            Err(panic) => self.made(Err(panic)),
        }
    }

    fn is_paused(&self) -> bool {
        #[cfg(feature = "fleet")]
        if self.group.stands_by() {
            self.group.competes();
            return true;
        }
        self.group.core.is_paused(Subject::Group(self.group.path()))
    }

    /// Calls the function if the pause has ended, or ends the group if a shutdown waits for it. Returns `true` in both
    /// cases.
    pub(super) fn ends_pause(&mut self) -> bool {
        let Making::Paused = self.making else { return false };
        if !self.is_paused() {
            self.call();
            return true;
        }
        self.group.core.is_stopping() && self.group.stop(None, StopBy::within(self.group.core.config.grace))
    }

    /// Handles the result of the call.
    pub(super) fn made(&mut self, made: Result<Vec<TaskSpec>, TaskError>) {
        match made {
            Ok(specs) => {
                let made = Arc::new(self.group.declared.of_run(specs));
                let children = made.children.iter().map(|child| child.role).collect();
                self.machine.set_children(children, Arc::clone(&made.order));
                self.making = Making::Made(made);
                self.step(Input::Made);
            }
            Err(error) => {
                let (error, told) = error.split();
                self.making = Making::Failed(Arc::new(error), told);
                self.step(Input::Unmade);
            }
        }
    }

    /// Drops the children that were made for a run, and the future of a call.
    pub(super) fn forget_made(&mut self) {
        let _ = drop_caught(mem::replace(&mut self.making, Making::No));
        self.group.forget_made();
    }

    /// Handles the end of the runtime: drops the future of a call, and calls the function again on the next runtime.
    pub(super) fn call_again(&mut self) {
        if let Making::Called(_) | Making::Paused = self.making {
            self.making = Making::No;
            self.actions.push_front(Action::Make);
        }
    }

    /// Registers the declared children for a run, unless a shutdown was requested.
    pub(super) async fn register(&mut self) {
        let made = if let Making::Made(made) = &self.making { Some(Arc::clone(made)) } else { None };
        let is_fresh = made.is_some();
        // These children were registered again, or added in place of a declared child, at the moment at which the run
        // ended. A child that is added to a fresh group stays: a made child of the same name is refused.
        let children = self.group.children();
        let has_place = move |cell: &Cell| children.place(last_segment(cell.name())).is_some();
        turn_away(self.group.clone(), move |cell| !cell.was_added() || (!is_fresh && has_place(cell))).await;
        let mut registered = self.group.core.register_again(&self.group, made).await;
        if is_fresh {
            self.making = Making::No;
            match registered.as_mut().err() {
                None | Some(RuntimeError::ShuttingDown | RuntimeError::NoRuntime) => {}
                Some(_) => {
                    self.actions.pop_front();
                    if let Err(error) = registered {
                        self.made(Err(TaskError::error(error)));
                    }
                    return;
                }
            }
        }
        // From here on, the run moves to another runtime with the driver.
        self.actions.pop_front();
        // The registration has freed the names. The next steps must not reserve them again before the run begins.
        self.reserved = true;
        let first_added = self.group.declared.first_added();
        self.messages.retain(|message| !message.input.is_of_declared(first_added));
        for (key, child) in registered.as_mut().map(Registered::take_returned).unwrap_or_default() {
            self.step(Input::Add { key, child, takes_place: false });
        }
        self.step(Input::Registered(registered.is_ok()));
        if let Ok(registered) = registered {
            registered.spawn_by_turns().await;
        }
    }
}
