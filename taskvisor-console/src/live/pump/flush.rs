//! The messages to the clients: the changes since the last flush, and lists that are sent as a whole.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::super::mailbox::Message;
use super::{FLUSH, FLUSH_SHARE, NODES, Pump, SLOWEST_FLUSH, TURN};
use crate::sync::lock;
use crate::view::{self, Changes, Delta, Mirror, Position};

/// A list that is sent as a whole.
#[derive(Default)]
pub(super) struct Known {
    json: String,
    pub(super) is_dirty: bool,
}

impl Pump {
    /// Reads the dirty nodes again, and sends all changes, including those of the sweep before.
    pub(super) async fn flush(&mut self, swept: Delta) {
        let (mut deltas, mut again) = (vec![swept], Vec::new());
        let mut left = NODES;
        let mut busy = Duration::ZERO;
        while left > 0 {
            let began = Instant::now();
            let mut read = Vec::new();
            while read.len() < TURN.min(left) {
                let Some(path) = self.dirty.pop() else { break };
                // The groups around a node that were added with it come before it.
                for above in self.with_mirror(|mirror| mirror.unknown_above(&path)).unwrap_or_default() {
                    let node = self.settings.node(&above);
                    if node.is_some() && read.iter().all(|(path, _)| *path != above) {
                        read.push((above, node));
                    }
                }
                let node = self.settings.node(&path);
                let is_again = self.again.remove(&path);
                if !is_again && node.as_ref().is_some_and(|node| self.settings.is_ahead_of_history(node)) {
                    again.push(Arc::clone(&path));
                }
                read.push((path, node));
            }
            if read.is_empty() {
                break;
            }
            left -= read.len();
            let settings = Arc::clone(&self.settings);
            let Some(mut delta) = self.with_mirror(|mirror| mirror.update(read, &*settings)) else { break };
            for path in delta.follow.drain(..) {
                self.dirty.add(path);
            }
            deltas.push(delta);
            busy += began.elapsed();
            yield_now().await;
        }
        for path in again {
            self.again.insert(Arc::clone(&path));
            self.dirty.add(path);
        }
        let began = Instant::now();
        self.send_changes(deltas);
        let busy = busy + began.elapsed();
        self.flush_at = began + (busy * FLUSH_SHARE).clamp(FLUSH, SLOWEST_FLUSH);
    }

    fn send_changes(&mut self, deltas: Vec<Delta>) {
        let Some(mut changes) = self.with_mirror(|mirror| Changes::new(deltas, mirror)) else { return };
        changes.slots = self.slots.changed(|| view::slots(&self.settings));
        changes.leases = self.leases.changed(|| view::leases(&self.settings));
        for event in self.log.drain(..) {
            let json = view::event(&event, &self.settings);
            self.hub.with_log(|log| log.push_event(view::path(&event).cloned(), Arc::clone(&json)));
            changes.log.push(json);
        }
        changes.log.extend(self.hub.take_actions());
        changes.log_lost = take(&mut self.log_lost);
        changes.has_new_status = self.sent_status.replace(self.status) != Some(self.status);
        if changes.is_empty() {
            return;
        }
        let data = changes.to_json(self.hub.next_seq(), self.status);
        let message = Message::from(self.message("changes", &data));
        self.sent_at = Instant::now();
        for client in self.hub.clients() {
            client.mailbox.send(message.clone());
        }
    }

    /// Sends the whole tree to the clients that need it. It is formatted once for all.
    pub(super) fn send_snapshots(&mut self) {
        let clients = self.hub.clients();
        let mut wanting = clients.iter().filter(|client| client.mailbox.wants_snapshot()).peekable();
        if wanting.peek().is_none() {
            return;
        }
        let settings = Arc::clone(&self.settings);
        let slots = self.slots.json(|| view::slots(&settings));
        let leases = self.leases.json(|| view::leases(&settings));
        let (boot, seq) = (&self.hub.boot, self.hub.seq());
        let at = Position { boot, seq, status: self.status };
        let full = |mirror: &mut Mirror| view::full(mirror, "", &at, slots, leases);
        let Some(body) = lock(&self.hub.mirror).as_mut().map(full) else { return };
        let body = Bytes::from(format!("{body}\n\n"));
        for client in wanting {
            let rights = view::rights(client.access, &self.settings);
            let head = format!("event: snapshot\nid: {boot}-{seq}\ndata: {rights}");
            client.mailbox.send_snapshot(Message { head: Some(head.into()), body: body.clone() });
        }
    }

    pub(super) fn message(&self, event: &str, data: &str) -> Bytes {
        format!("event: {event}\nid: {}-{}\ndata: {data}\n\n", self.hub.boot, self.hub.seq()).into()
    }

    pub(super) fn with_mirror<T>(&self, look: impl FnOnce(&mut Mirror) -> T) -> Option<T> {
        lock(&self.hub.mirror).as_mut().map(look)
    }
}

impl Known {
    /// Creates a list that was not read yet.
    pub(super) fn dirty() -> Self {
        Self { is_dirty: true, ..Self::default() }
    }

    /// Reads the list if it can have changed. Returns it if it has.
    pub(super) fn changed(&mut self, read: impl FnOnce() -> String) -> Option<String> {
        if !take(&mut self.is_dirty) {
            return None;
        }
        let json = read();
        if json == self.json {
            return None;
        }
        self.json.clone_from(&json);
        Some(json)
    }

    /// Returns the list, and reads it if it was never read.
    fn json(&mut self, read: impl FnOnce() -> String) -> &str {
        if self.json.is_empty() {
            self.json = read();
        }
        &self.json
    }
}
