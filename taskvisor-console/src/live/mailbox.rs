//! The messages that wait for one client.

use std::collections::VecDeque;
use std::mem;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::sync::lock;

/// The largest number of bytes that wait for a client. A slower client gets a snapshot instead.
const MOST: usize = 1024 * 1024;

/// A message of a stream. The head is the part that is not the same for all clients.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) head: Option<Bytes>,
    pub(crate) body: Bytes,
}

impl Message {
    fn len(&self) -> usize {
        self.head.as_ref().map_or(0, Bytes::len) + self.body.len()
    }
}

impl From<Bytes> for Message {
    fn from(body: Bytes) -> Self {
        Self { head: None, body }
    }
}

/// Its lock is a leaf: a waker is woken and dropped after it is released.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<Mail>);

#[derive(Debug, Default)]
struct Mail {
    queue: VecDeque<Message>,
    bytes: usize,
    standing: Standing,
    has_ended: bool,
    waker: Option<Waker>,
}

/// The state of a client.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It has read all messages, and needs a snapshot.
    #[default]
    WantsSnapshot,
    /// It has a snapshot, and gets the changes.
    Follows,
    /// It was too slow. It gets no messages until it has read the waiting ones.
    IsBehind,
}

/// The result of [`Mailbox::poll`].
#[derive(Debug)]
pub(crate) enum Found {
    Message(Message),
    /// There is no message, and the client now needs a snapshot.
    WantsSnapshot,
    Nothing,
    End,
}

impl Mailbox {
    /// Adds a message for a client that has a snapshot. Returns `true` if it was taken.
    pub(crate) fn send(&self, message: Message) -> bool {
        self.change(|mail| {
            if mail.standing != Standing::Follows {
                return false;
            }
            if mail.bytes + message.len() > MOST && !mail.queue.is_empty() {
                *mail = Mail { standing: Standing::IsBehind, waker: mail.waker.take(), ..Mail::default() };
                return false;
            }
            mail.push(message);
            true
        })
    }

    /// Adds a snapshot for a client that needs one.
    pub(crate) fn send_snapshot(&self, snapshot: Message) {
        self.change(|mail| {
            if mail.standing == Standing::WantsSnapshot {
                mail.standing = Standing::Follows;
                mail.push(snapshot);
            }
        });
    }

    /// Adds a message in any state of the client.
    pub(crate) fn send_anyway(&self, message: Message) {
        self.change(|mail| mail.push(message));
    }

    /// Adds a line that only keeps the connection alive, unless a message waits.
    pub(crate) fn keep_alive(&self, line: Message) {
        self.change(|mail| {
            if mail.queue.is_empty() {
                mail.push(line);
            }
        });
    }

    /// Marks the sent messages as outdated: the client gets a snapshot when it has read them.
    pub(crate) fn outdate(&self) {
        self.change(|mail| {
            if mail.standing == Standing::Follows {
                mail.bytes = 0;
                mail.queue.clear();
                mail.standing = Standing::WantsSnapshot;
            }
        });
    }

    /// Ends the stream after a last message.
    pub(crate) fn end(&self, last: Option<Message>) {
        self.change(|mail| {
            if let Some(last) = last {
                mail.push(last);
            }
            mail.has_ended = true;
        });
    }

    pub(crate) fn wants_snapshot(&self) -> bool {
        lock(&self.0).standing == Standing::WantsSnapshot
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Found {
        let waker = cx.waker().clone();
        let mut mail = lock(&self.0);
        if let Some(message) = mail.queue.pop_front() {
            mail.bytes -= message.len();
            return Found::Message(message);
        }
        if mail.has_ended {
            return Found::End;
        }
        let before = mail.waker.replace(waker);
        let found = match mail.standing {
            Standing::IsBehind => {
                mail.standing = Standing::WantsSnapshot;
                Found::WantsSnapshot
            }
            _ => Found::Nothing,
        };
        drop(mail);
        drop(before);
        found
    }

    fn change<T>(&self, change: impl FnOnce(&mut Mail) -> T) -> T {
        let mut mail = lock(&self.0);
        let result = change(&mut mail);
        let is_wakeable = !mail.queue.is_empty() || mail.has_ended || mail.standing == Standing::IsBehind;
        let waker = if is_wakeable { mem::take(&mut mail.waker) } else { None };
        drop(mail);
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }
}

impl Mail {
    fn push(&mut self, message: Message) {
        self.bytes += message.len();
        self.queue.push_back(message);
    }
}

/// Returns the next piece of a message that has two.
pub(crate) fn pieces(message: Message) -> (Bytes, Option<Bytes>) {
    match message.head {
        Some(head) => (head, Some(message.body)),
        None => (message.body, None),
    }
}

pub(crate) type Piece = Poll<Option<Bytes>>;
