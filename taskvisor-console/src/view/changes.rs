//! The messages of the stream: the whole tree, and its changes.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::json;
use taskvisor::{Health, Phase};

use super::mirror::{Delta, Mirror};
use super::times::rfc3339;
use crate::access::Access;
use crate::settings::Settings;

/// The state of the tree as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    phase: Phase,
    live: bool,
    ready: bool,
}

impl Status {
    pub(crate) fn of(health: &Health) -> Self {
        Self { phase: health.phase(), live: health.is_live(), ready: health.is_ready() }
    }

    fn write(self, out: &mut String) {
        let Self { phase, live, ready } = self;
        let _ = write!(out, "\"phase\":\"{phase}\",\"live\":{live},\"ready\":{ready}");
    }
}

/// Returns `true` if the supervisor has stopped or shuts down.
pub(crate) fn is_over(phase: Phase) -> bool {
    matches!(phase, Phase::ShuttingDown | Phase::Stopped)
}

/// Returns the head of the message of the whole tree, which depends on the access of the client.
pub(crate) fn rights(access: Access, settings: &Settings) -> String {
    let shutdown = settings.allows_shutdown && access == Access::Full;
    format!("{{\"access\":\"{}\",\"shutdown_allowed\":{shutdown},", access.label())
}

/// The position of the whole tree in the stream, and its status.
pub(crate) struct Position<'a> {
    pub(crate) boot: &'a str,
    pub(crate) seq: u64,
    pub(crate) status: Status,
}

/// Returns the rest of the message of the whole tree, or of the part at a path.
pub(crate) fn full(mirror: &Mirror, path: &str, at: &Position<'_>, slots: &str, leases: &str) -> String {
    let (now, name) = (rfc3339(SystemTime::now()), json!(mirror.name()));
    let mut out = format!("\"boot\":\"{}\",\"seq\":{},\"now\":\"{now}\",\"name\":{name},", at.boot, at.seq);
    at.status.write(&mut out);
    out.push_str(",\"nodes\":");
    mirror.write_nodes(path, &mut out);
    let _ = write!(out, ",\"slots\":{slots}{leases}}}");
    out
}

/// The changes that a flush sends.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    nodes: Vec<Arc<str>>,
    removed: Vec<Arc<str>>,
    pub(crate) slots: Option<String>,
    /// The leases and the fleet, as fields.
    pub(crate) leases: Option<String>,
    pub(crate) log: Vec<Arc<str>>,
    pub(crate) log_lost: u64,
    pub(crate) has_new_status: bool,
}

impl Changes {
    /// Merges deltas: each changed node once, in its last form, and the nodes that are removed in the end.
    pub(crate) fn new(deltas: Vec<Delta>, mirror: &Mirror) -> Self {
        let mut changes = Self::default();
        let (mut seen, mut removed) = (HashSet::new(), Vec::new());
        for delta in deltas {
            removed.extend(delta.removed);
            for path in delta.changed {
                if seen.insert(Arc::clone(&path)) {
                    changes.nodes.extend(mirror.json(&path).cloned());
                }
            }
        }
        removed.retain(|path| !mirror.contains(path));
        removed.sort_unstable();
        removed.dedup();
        changes.removed = removed;
        changes
    }

    pub(crate) fn is_empty(&self) -> bool {
        let lists = self.nodes.is_empty() && self.removed.is_empty() && self.log.is_empty() && self.log_lost == 0;
        lists && self.slots.is_none() && self.leases.is_none() && !self.has_new_status
    }

    pub(crate) fn to_json(&self, seq: u64, status: Status) -> String {
        let mut out = format!("{{\"seq\":{seq},\"now\":\"{}\",", rfc3339(SystemTime::now()));
        status.write(&mut out);
        out.push_str(",\"nodes\":");
        write_list(&self.nodes, &mut out);
        let _ = write!(out, ",\"removed\":{}", json!(self.removed.iter().map(|path| &**path).collect::<Vec<_>>()));
        if let Some(slots) = &self.slots {
            let _ = write!(out, ",\"slots\":{slots}");
        }
        out.push_str(self.leases.as_deref().unwrap_or_default());
        out.push_str(",\"log\":");
        write_list(&self.log, &mut out);
        if self.log_lost > 0 {
            let _ = write!(out, ",\"log_lost\":{}", self.log_lost);
        }
        out.push('}');
        out
    }
}

/// Writes objects that are JSON already.
pub(crate) fn write_list<T: AsRef<str>>(items: &[T], out: &mut String) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(item.as_ref());
    }
    out.push(']');
}
