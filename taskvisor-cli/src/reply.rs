//! The answers of a console, with the fields that are used. Other fields are ignored.

use serde::Deserialize;

use crate::time::Time;

/// The whole tree, or the part of it at a path.
#[derive(Debug, Deserialize)]
pub(crate) struct Full {
    #[serde(default)]
    pub(crate) boot: String,
    pub(crate) now: Time,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) access: String,
    pub(crate) phase: String,
    pub(crate) live: bool,
    pub(crate) ready: bool,
    /// Parents before their children.
    pub(crate) nodes: Vec<Node>,
    #[serde(default)]
    pub(crate) slots: Vec<Slot>,
    pub(crate) fleet: Option<Fleet>,
}

/// The store of the fleet.
#[derive(Debug, Deserialize)]
pub(crate) struct Fleet {
    pub(crate) reachable: bool,
    pub(crate) error: Option<String>,
}

/// A task or group.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) path: String,
    /// `None` for the root.
    pub(crate) parent: Option<String>,
    pub(crate) kind: String,
    pub(crate) strategy: Option<String>,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) ready: bool,
    #[serde(default)]
    pub(crate) attempt: u64,
    #[serde(default)]
    pub(crate) restarts: u64,
    #[serde(default)]
    pub(crate) failures: u64,
    pub(crate) max_retries: Option<u64>,
    pub(crate) last_error: Option<String>,
    pub(crate) since: Option<Time>,
    pub(crate) next_at: Option<Time>,
    pub(crate) outcome: Option<String>,
    pub(crate) problem: Option<serde_json::Value>,
    #[serde(default)]
    pub(crate) paused: bool,
    /// Set only if it is paused by itself.
    pub(crate) paused_since: Option<Time>,
    pub(crate) why: Option<Why>,
    #[serde(default)]
    pub(crate) recent: Vec<serde_json::Value>,
}

/// A slot, or that of a key.
#[derive(Debug, Deserialize)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) phase: String,
    #[serde(default)]
    pub(crate) owners: Vec<Job>,
    pub(crate) next: Option<Job>,
    /// The first submissions of the queue.
    #[serde(default)]
    pub(crate) queue: Vec<Job>,
    #[serde(default)]
    pub(crate) queued: u64,
    pub(crate) capacity: Option<u64>,
    #[serde(default)]
    pub(crate) keyed: bool,
    #[serde(default)]
    pub(crate) paused: bool,
    /// Set only if it is paused by itself.
    pub(crate) paused_since: Option<Time>,
}

/// A task in a slot.
#[derive(Debug, Deserialize)]
pub(crate) struct Job {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) state: String,
}

/// The slots as unparsed JSON.
#[derive(Debug, Deserialize)]
pub(crate) struct Slots {
    #[serde(default)]
    pub(crate) slots: Vec<serde_json::Value>,
}

/// The reason for the state of a node.
#[derive(Debug, Deserialize)]
pub(crate) struct Why {
    pub(crate) text: String,
    pub(crate) until: Option<Time>,
}

/// The answer to `why`.
#[derive(Debug, Deserialize)]
pub(crate) struct Reason {
    pub(crate) path: String,
    pub(crate) sentence: String,
    /// Set only for a waiting submission.
    pub(crate) slot: Option<String>,
}

/// The tasks and groups that begin at a known time.
#[derive(Debug, Deserialize)]
pub(crate) struct Timers {
    pub(crate) timers: Vec<Timer>,
    /// The time of the console.
    pub(crate) now: Option<Time>,
}

/// A task that begins at a time.
#[derive(Debug, Deserialize)]
pub(crate) struct Timer {
    pub(crate) path: String,
    pub(crate) next_at: Time,
    pub(crate) last_at: Option<Time>,
    #[serde(default)]
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) kind: String,
}

/// The last events.
#[derive(Debug, Deserialize)]
pub(crate) struct Log {
    pub(crate) log: Vec<serde_json::Value>,
}

/// A message of the stream with changes.
#[derive(Debug, Deserialize)]
pub(crate) struct Changes {
    #[serde(default)]
    pub(crate) log: Vec<serde_json::Value>,
    #[serde(default)]
    pub(crate) log_lost: u64,
}

/// An event, or another line of the log.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) seq: Option<u64>,
    pub(crate) at: Option<String>,
    #[serde(default)]
    pub(crate) level: String,
    #[serde(default)]
    pub(crate) text: String,
}

/// The last message of a stream.
#[derive(Debug, Deserialize)]
pub(crate) struct Bye {
    #[serde(default)]
    pub(crate) reason: String,
}

/// The result of an action.
#[derive(Debug, Deserialize)]
pub(crate) struct Done {
    pub(crate) answer: String,
}

/// The reason why a request was refused.
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) error: String,
}
