//! What is measured.

use crate::contender::{Contender, Measured};

/// One kind of work; the size of a sample says how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A task fails and is restarted at once, heard by as many subscribers.
    Restart { takes_token: bool, subscribers: u64 },
    /// Tasks that end at once are added; their outcomes are waited for.
    Once { takes_token: bool },
    /// Tasks are started that wait to be told to stop; what they hold is counted.
    Idle { takes_token: bool },
    /// A task is added, cancelled and waited for while as many others are alive; it has started by then, or may not
    /// have.
    Cancel { others: u64, has_started: bool },
    /// Waiting tasks are told to stop, all at once.
    Stop,
    /// An event goes from where it happens to as many subscribers.
    Deliver { subscribers: u64 },
    /// As many tasks restart at once and publish events as fast as they can, to one subscriber.
    Burst { tasks: u64 },
    /// A submission to a slot that is busy, or to one that takes it.
    Slot(Slot),
    /// A group of as many children, or as many tasks that are added to one.
    Group(GroupLife),
    /// One poll of an attempt that goes on.
    Poll,
    /// A supervisor is made, runs one task and is shut down.
    Lifecycle,
    /// Tasks fail and back off for as many seconds, heard by one subscriber.
    Backoff { seconds: u64 },
}

/// What a submission meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Drop,
    Replace,
    /// Queued behind others of the same slot, until all have run.
    Queue,
    /// Each a slot of its own, until all have run.
    Distinct,
}

/// What becomes of a group, from its start on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupLife {
    /// It starts.
    Start,
    /// It starts, and stops in a shutdown.
    Stop,
    /// It starts, and is restarted.
    Restart,
    /// It starts, and is cancelled.
    Cancel,
    /// Short tasks are added to it, one after another.
    Add,
    /// A root without a driver starts.
    PlainStart,
    /// A root without a driver starts, and stops.
    PlainStop,
}

impl Work {
    /// The work of that name: a word, for some with a number after the last dash.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (word, number) = match text.rsplit_once('-').map(|(word, number)| (word, number.parse())) {
            Some((word, Ok(number))) => (word, number),
            _ => (text, 0),
        };
        match word {
            "restart" => Ok(Self::Restart { takes_token: false, subscribers: number }),
            "restart-token" => Ok(Self::Restart { takes_token: true, subscribers: number }),
            "once" => Ok(Self::Once { takes_token: false }),
            "once-token" => Ok(Self::Once { takes_token: true }),
            "idle" => Ok(Self::Idle { takes_token: false }),
            "idle-token" => Ok(Self::Idle { takes_token: true }),
            "cancel" => Ok(Self::Cancel { others: number, has_started: false }),
            "cancel-started" => Ok(Self::Cancel { others: number, has_started: true }),
            "stop" => Ok(Self::Stop),
            "deliver" => Ok(Self::Deliver { subscribers: number }),
            "burst" => Ok(Self::Burst { tasks: number.max(1) }),
            "slot-drop" => Ok(Self::Slot(Slot::Drop)),
            "slot-replace" => Ok(Self::Slot(Slot::Replace)),
            "slot-queue" => Ok(Self::Slot(Slot::Queue)),
            "slot-distinct" => Ok(Self::Slot(Slot::Distinct)),
            "group-start" => Ok(Self::Group(GroupLife::Start)),
            "group-stop" => Ok(Self::Group(GroupLife::Stop)),
            "group-restart" => Ok(Self::Group(GroupLife::Restart)),
            "group-cancel" => Ok(Self::Group(GroupLife::Cancel)),
            "group-add" => Ok(Self::Group(GroupLife::Add)),
            "plain-start" => Ok(Self::Group(GroupLife::PlainStart)),
            "plain-stop" => Ok(Self::Group(GroupLife::PlainStop)),
            "poll" => Ok(Self::Poll),
            "lifecycle" => Ok(Self::Lifecycle),
            "backoff" => Ok(Self::Backoff { seconds: number.max(1) }),
            _ => Err(format!("unknown work `{text}`")),
        }
    }

    pub(crate) async fn run(self, contender: &impl Contender, size: u64) -> Measured {
        match self {
            Self::Restart { takes_token, subscribers } => contender.restart(size, takes_token, subscribers).await,
            Self::Once { takes_token } => contender.once(size, takes_token).await,
            Self::Idle { takes_token } => contender.idle(size, takes_token).await,
            Self::Cancel { others, has_started } => contender.cancel(size, others, has_started).await,
            Self::Stop => contender.stop(size).await,
            Self::Deliver { subscribers } => contender.deliver(size, subscribers).await,
            Self::Burst { tasks } => contender.burst(size, tasks).await,
            Self::Slot(slot) => contender.slot(size, slot).await,
            Self::Group(life) => contender.group(size, life).await,
            Self::Poll => contender.poll(size).await,
            Self::Lifecycle => contender.lifecycle(size).await,
            Self::Backoff { seconds } => contender.backoff(size, seconds).await,
        }
    }
}
