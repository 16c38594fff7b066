//! The works that are measured.

use crate::contender::{Contender, Measured};

/// One kind of work. The size of a sample is the number of its operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A task fails and is restarted at once, with this many subscribers.
    Restart { takes_token: bool, subscribers: u64 },
    /// A task fails and is restarted at once, beside a console at which nobody looks.
    RestartBesideConsole,
    /// A task fails and is restarted at once, beside others that use what it does not.
    RestartBeside(Others),
    /// A task fails and is restarted at once, with a recorder of metrics.
    RestartWithMetrics,
    /// A task fails and is restarted at once, with a subscriber of `tracing`.
    RestartWithTracing,
    /// Tasks that end at once are added, and their outcomes are awaited.
    Once { takes_token: bool },
    /// Tasks are started that wait for a stop request, and their memory is measured.
    Idle { takes_token: bool },
    /// A task is added, canceled and awaited while this many others are alive. With `has_started`, it has started
    /// before the cancel.
    Cancel { others: u64, has_started: bool },
    /// Waiting tasks are requested to stop, all at once.
    Stop,
    /// An event is delivered to this many subscribers.
    Deliver { subscribers: u64 },
    /// This many tasks restart and publish events as fast as they can, to one subscriber.
    Burst { tasks: u64 },
    /// A submission to a busy slot, or to an idle one.
    Slot(Slot),
    /// A group with this many children, or this many tasks that are added to one.
    Group(GroupLife),
    /// One poll of a running attempt.
    Poll,
    /// A supervisor is made, runs one task, and is shut down.
    Lifecycle,
    /// Tasks fail and back off for this many seconds, with one subscriber.
    Backoff { seconds: u64 },
}

/// The admission of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Drop,
    Replace,
    /// Queued behind others in the same slot, until all have run.
    Queue,
    /// Each in a slot of its own, until all have run.
    Distinct,
}

/// What the other tasks use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    Plain,
    Paused,
    Scheduled,
    /// A limit by name, of attempts at the same time.
    Limited,
    /// A limit of failures.
    Retried,
}

/// The operations on a group after its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupLife {
    /// The group starts.
    Start,
    /// The group starts, and stops in a shutdown.
    Stop,
    /// The group starts, and is restarted.
    Restart,
    /// The group starts, and is canceled.
    Cancel,
    /// Short tasks are added to the group, one after another.
    Add,
    /// A root without a driver starts.
    PlainStart,
    /// A root without a driver starts, and stops.
    PlainStop,
}

impl Work {
    /// The work of this name: a word, for some works with a number after the last dash.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (word, number) = match text.rsplit_once('-').map(|(word, number)| (word, number.parse())) {
            Some((word, Ok(number))) => (word, number),
            _ => (text, 0),
        };
        match word {
            "restart" => Ok(Self::Restart { takes_token: false, subscribers: number }),
            "restart-token" => Ok(Self::Restart { takes_token: true, subscribers: number }),
            "restart-console" => Ok(Self::RestartBesideConsole),
            "restart-beside-plain" => Ok(Self::RestartBeside(Others::Plain)),
            "restart-beside-paused" => Ok(Self::RestartBeside(Others::Paused)),
            "restart-beside-scheduled" => Ok(Self::RestartBeside(Others::Scheduled)),
            "restart-beside-limited" => Ok(Self::RestartBeside(Others::Limited)),
            "restart-beside-retried" => Ok(Self::RestartBeside(Others::Retried)),
            "restart-metrics" => Ok(Self::RestartWithMetrics),
            "restart-tracing" => Ok(Self::RestartWithTracing),
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
            Self::RestartBesideConsole => contender.restart_beside_console(size).await,
            Self::RestartBeside(others) => contender.restart_beside(size, others).await,
            Self::RestartWithMetrics => contender.restart_with_metrics(size).await,
            Self::RestartWithTracing => contender.restart_with_tracing(size).await,
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
