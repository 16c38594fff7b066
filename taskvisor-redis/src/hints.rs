//! The connection on which a server publishes that keys are free.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream as _;
use redis::RedisError;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::nodes::{Nodes, PATIENCE, Turn, listen, no_answer};

/// The first pause after a failure, and the longest. Each pause is twice as long as the one before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(16));
/// A server that was silent for this time gets a ping.
const SILENCE: Duration = Duration::from_secs(20);

/// The hints of a store, for all its fleets. The connection is opened at the first wait.
#[derive(Debug)]
pub(crate) struct Hints {
    nodes: Nodes,
    turn: Turn,
    /// The subscribed channels. The lock is a leaf, and is not held across an await.
    channels: Mutex<BTreeSet<String>>,
    added: Notify,
    /// Notified when a connection for calls was replaced: the one for hints may be lost unnoticed as well.
    doubted: Arc<Notify>,
    /// Wakes the callers that wait while another caller listens.
    heard: Notify,
    /// Locked by the caller that listens. Its future can be dropped at any await; the next caller continues with the
    /// subscription.
    subscription: tokio::sync::Mutex<Subscription>,
}

#[derive(Default)]
struct Subscription {
    open: Option<Open>,
    /// The earliest time of the next attempt to connect, and the pause before it.
    pause: Option<(Instant, Duration)>,
    /// `true` if hints may have been missed.
    is_lost: bool,
}

struct Open {
    sink: PubSubSink,
    messages: PubSubStream,
    channels: BTreeSet<String>,
    /// The time of the next ping.
    ask_at: Instant,
    /// The time of a ping without an answer yet.
    asked: Option<Instant>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("is_open", &self.open.is_some()).finish_non_exhaustive()
    }
}

impl Hints {
    pub(crate) fn new(nodes: Nodes) -> Self {
        Self {
            nodes,
            turn: Turn::default(),
            channels: Mutex::default(),
            added: Notify::new(),
            doubted: Arc::default(),
            heard: Notify::new(),
            subscription: tokio::sync::Mutex::default(),
        }
    }

    /// Adds a channel to listen to.
    pub(crate) fn add(&self, channel: &str) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if channels.insert(channel.to_owned()) {
            self.added.notify_one();
        }
    }

    /// Returns the notification for a replaced connection for calls.
    pub(crate) fn doubted(&self) -> Arc<Notify> {
        Arc::clone(&self.doubted)
    }

    /// Waits for a message.
    pub(crate) async fn next(&self) {
        let heard = self.heard.notified();
        let listened = async {
            self.subscription.lock().await.listen(self).await;
            self.heard.notify_waiters();
        };
        tokio::select! {
            () = heard => {}
            () = listened => {}
        }
    }

    fn channels(&self) -> BTreeSet<String> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Subscription {
    async fn listen(&mut self, hints: &Hints) {
        loop {
            let channels = hints.channels();
            if channels.is_empty() {
                hints.added.notified().await;
                continue;
            }
            let heard = self.hear(hints, channels).await;
            match heard {
                Ok(Heard::Nothing) => {}
                Ok(Heard::Answer) => self.pause = None,
                Ok(Heard::Message) => {
                    self.pause = None;
                    return;
                }
                Ok(Heard::Doubt) => (self.open, self.is_lost, self.pause) = (None, true, None),
                Err(_) => {
                    (self.open, self.is_lost) = (None, true);
                    hints.turn.next();
                }
            }
        }
    }

    async fn hear(&mut self, hints: &Hints, channels: BTreeSet<String>) -> Result<Heard, RedisError> {
        if self.open.is_none() {
            tokio::select! {
                opened = self.connect(hints) => self.open = Some(opened?),
                () = hints.doubted.notified() => return Ok(Heard::Doubt),
            }
        }
        let Some(open) = &mut self.open else { return Ok(Heard::Nothing) };
        open.subscribe(channels).await?;
        if std::mem::take(&mut self.is_lost) {
            // Messages in between are lost, so this counts as a hint.
            return Ok(Heard::Message);
        }
        open.wait(hints).await
    }

    async fn connect(&mut self, hints: &Hints) -> Result<Open, RedisError> {
        if let Some((until, _)) = self.pause {
            sleep_until(until).await;
        }
        // Set before the attempt, so that the next one does not begin at once if this future is dropped.
        let pause = self.pause.map_or(PAUSES.0, |(_, pause)| (2 * pause).min(PAUSES.1));
        self.pause = Some((Instant::now() + pause, pause));
        let (sink, messages) = listen(hints.nodes.get(&hints.turn)).await?.split();
        Ok(Open { sink, messages, channels: BTreeSet::new(), ask_at: Instant::now() + SILENCE, asked: None })
    }
}

enum Heard {
    Message,
    Answer,
    Nothing,
    /// The connection may be lost.
    Doubt,
}

impl Open {
    async fn subscribe(&mut self, channels: BTreeSet<String>) -> Result<(), RedisError> {
        for channel in channels {
            if !self.channels.contains(&channel) {
                timeout(PATIENCE, self.sink.subscribe(&channel)).await.unwrap_or_else(|_| Err(no_answer()))?;
                self.channels.insert(channel);
            }
        }
        Ok(())
    }

    /// The future may be dropped and created again at any time, so the times are stored.
    async fn wait(&mut self, hints: &Hints) -> Result<Heard, RedisError> {
        let Self { sink, messages, ask_at, asked, .. } = self;
        let answered = async {
            sleep_until(*ask_at).await;
            let until = *asked.get_or_insert_with(Instant::now) + PATIENCE;
            timeout_at(until, sink.ping::<redis::Value>()).await.unwrap_or_else(|_| Err(no_answer()))
        };
        let heard = tokio::select! {
            message = next(messages) => message.map(|()| Heard::Message),
            answer = answered => answer.map(|_| Heard::Answer),
            () = hints.added.notified() => return Ok(Heard::Nothing),
            () = hints.doubted.notified() => return Ok(Heard::Doubt),
        }?;
        (self.ask_at, self.asked) = (Instant::now() + SILENCE, None);
        Ok(heard)
    }
}

/// Waits for a message. Takes all messages that have come as one hint.
async fn next(messages: &mut PubSubStream) -> Result<(), RedisError> {
    let first = poll_fn(|cx| Pin::new(&mut *messages).poll_next(cx)).await;
    first.ok_or_else(no_answer)?;
    poll_fn(|cx| {
        while let Poll::Ready(Some(_)) = Pin::new(&mut *messages).poll_next(cx) {}
        Poll::Ready(())
    })
    .await;
    Ok(())
}
