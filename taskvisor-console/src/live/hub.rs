//! The clients of the streams, and their shared state.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::runtime;
use tokio::sync::Notify;

use super::log::Log;
use super::mailbox::{Found, Mailbox, Message, Piece, pieces};
use super::pump;
use crate::access::Access;
use crate::settings::Settings;
use crate::sync::lock;
use crate::view::Mirror;

/// The largest number of streams at once.
pub(crate) const MOST: usize = 32;

/// The state that all streams of a console share.
///
/// `state` is taken before `mirror`. Neither lock is held across an await, or while user code or a waker is called.
pub(crate) struct Hub {
    /// The random name of this console, by which clients notice another console or process.
    pub(crate) boot: String,
    seq: AtomicU64,
    /// The lock guards the streams and the log. It is taken before that of `mirror`.
    state: Mutex<State>,
    /// The tree that was sent to clients, while the pump runs. The lock is a leaf.
    pub(crate) mirror: Mutex<Option<Mirror>>,
    /// Wakes the pump: a client has come, has left or needs a snapshot, or an action was logged.
    pub(crate) changed: Notify,
}

#[derive(Default)]
struct State {
    clients: Vec<Arc<Seat>>,
    is_running: bool,
    log: Log,
    /// The lines of actions that were not sent to clients yet.
    actions: Vec<Arc<str>>,
}

/// A client, as the pump sees it.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) mailbox: Mailbox,
    pub(crate) access: Access,
}

/// The reason why a client cannot have a stream.
#[derive(Debug)]
pub(crate) enum NotJoined {
    /// The largest number of streams is open.
    Full,
    /// There is no runtime to run the pump.
    NoRuntime,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            boot: format!("{:016x}", RandomState::new().hash_one(std::process::id())),
            seq: AtomicU64::new(0),
            state: Mutex::default(),
            mirror: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Opens a stream, and starts the pump for the first one.
    pub(crate) fn join(self: &Arc<Self>, settings: &Arc<Settings>, access: Access) -> Result<Client, NotJoined> {
        let runtime = runtime::Handle::try_current().map_err(|_| NotJoined::NoRuntime)?;
        let seat = Arc::new(Seat { mailbox: Mailbox::default(), access });
        seat.mailbox.send_anyway(Bytes::from_static(b"retry: 2000\n\n").into());
        let mut state = lock(&self.state);
        if state.clients.len() >= MOST {
            return Err(NotJoined::Full);
        }
        state.clients.push(Arc::clone(&seat));
        let starts = !mem::replace(&mut state.is_running, true);
        drop(state);
        if starts {
            // If the pump cannot run, its guard ends the streams.
            runtime.spawn(pump::run(Arc::clone(settings), Running { hub: Arc::clone(self), is_over: false }));
        } else {
            self.changed.notify_one();
        }
        Ok(Client { seat, hub: Arc::clone(self), rest: None })
    }

    pub(crate) fn streams(&self) -> usize {
        lock(&self.state).clients.len()
    }

    /// Returns the position in the streams.
    pub(crate) fn seq(&self) -> u64 {
        self.seq.load(Ordering::Relaxed)
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn clients(&self) -> Vec<Arc<Seat>> {
        lock(&self.state).clients.clone()
    }

    pub(crate) fn with_log<T>(&self, look: impl FnOnce(&mut Log) -> T) -> T {
        look(&mut lock(&self.state).log)
    }

    /// Logs an action, also without a client.
    pub(crate) fn log_action(&self, path: &str, line: Arc<str>) {
        let mut state = lock(&self.state);
        state.log.push_action(path, Arc::clone(&line));
        if state.is_running {
            state.actions.push(line);
        }
        drop(state);
        self.changed.notify_one();
    }

    pub(crate) fn has_actions(&self) -> bool {
        !lock(&self.state).actions.is_empty()
    }

    pub(crate) fn take_actions(&self) -> Vec<Arc<str>> {
        mem::take(&mut lock(&self.state).actions)
    }

    /// Ends all streams, and with them the pump.
    fn end(&self, last: Option<&Message>) {
        let mut state = lock(&self.state);
        let clients = mem::take(&mut state.clients);
        let mirror = self.rest(&mut state);
        drop(state);
        drop(mirror);
        for client in clients {
            client.mailbox.end(last.cloned());
        }
    }

    /// Removes the state of the pump. Another pump can begin when the lock of the state is released.
    fn rest(&self, state: &mut State) -> Option<Mirror> {
        state.is_running = false;
        state.log.forget_events();
        state.actions = Vec::new();
        lock(&self.mirror).take()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("boot", &self.boot).field("streams", &self.streams()).finish_non_exhaustive()
    }
}

/// A guard of the running pump. When the pump ends, for any reason, the streams end.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) hub: Arc<Hub>,
    is_over: bool,
}

impl Running {
    /// Returns `true` if there is no client, and ends the pump. The next client starts another one.
    pub(crate) fn rests(&mut self) -> bool {
        let mut state = lock(&self.hub.state);
        if !state.clients.is_empty() {
            return false;
        }
        let mirror = self.hub.rest(&mut state);
        self.is_over = true;
        drop(state);
        drop(mirror);
        true
    }

    /// Ends all streams after a last message.
    pub(crate) fn end(mut self, last: &Message) {
        self.is_over = true;
        self.hub.end(Some(last));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            self.hub.end(None);
        }
    }
}

/// The stream of one client. It is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct Client {
    seat: Arc<Seat>,
    hub: Arc<Hub>,
    /// The second piece of a message whose first piece was read.
    rest: Option<Bytes>,
}

impl Client {
    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Piece {
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(rest));
        }
        match self.seat.mailbox.poll(cx) {
            Found::Message(message) => {
                let (first, rest) = pieces(message);
                self.rest = rest;
                Poll::Ready(Some(first))
            }
            Found::End => Poll::Ready(None),
            Found::WantsSnapshot => {
                self.hub.changed.notify_one();
                Poll::Pending
            }
            Found::Nothing => Poll::Pending,
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut state = lock(&self.hub.state);
        let position = state.clients.iter().position(|client| Arc::ptr_eq(client, &self.seat));
        let seat = position.map(|position| state.clients.swap_remove(position));
        if state.clients.is_empty() {
            state.clients = Vec::new();
        }
        drop(state);
        // The seat can hold the waker of the connection.
        drop(seat);
        self.hub.changed.notify_one();
    }
}
