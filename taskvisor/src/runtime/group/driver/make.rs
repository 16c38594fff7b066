//! The children of a run: made anew where the group says so, and registered.

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
    /// The function is called when the group, or what is above it, is no longer paused.
    Paused,
    Called(Box<Call>),
    Made(Arc<Declared>),
    /// It failed, and may have told when to retry.
    Failed(Arc<TaskError>, Option<Duration>),
}

impl Live {
    /// Calls the function that makes the children, or waits for the end of a pause.
    pub(super) fn make(&mut self) {
        // What the previous children own is dropped before.
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

    /// Calls the function if its pause has ended; a shutdown that waits for the group ends the group instead. Returns
    /// `true` for either.
    pub(super) fn ends_pause(&mut self) -> bool {
        let Making::Paused = self.making else { return false };
        if !self.is_paused() {
            self.make();
            return true;
        }
        self.group.core.is_stopping() && self.group.stop(None, StopBy::within(self.group.core.config.grace))
    }

    /// The call has ended.
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

    /// Drops what was made for a run, and the future of a call.
    pub(super) fn forget_made(&mut self) {
        let _ = drop_caught(mem::replace(&mut self.making, Making::No));
        self.group.forget_made();
    }

    /// The runtime ends: drops the future of a call, and calls the function again on the next runtime.
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
        // Registered again or added in place of a declared child, in the moment in which the run ended. What is added to a
        // fresh group stays: a child of its name that is made is refused.
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
        // From here on the run moves with the driver.
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
