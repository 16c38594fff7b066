//! The tree that was sent to clients: each node in its wire format, formatted once for all clients.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use taskvisor::{NodeSnapshot, TaskState, TreeSnapshot, WaitingFor};

use super::changes::write_list;
use super::facts::{Facts, Look};
use super::node::{self, Extra};
use super::order::Order;
use super::why::Why;

/// The nodes of a tree, by path.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    nodes: HashMap<Arc<str>, Node>,
    order: Order,
}

#[derive(Debug)]
struct Node {
    facts: Facts,
    name: String,
    /// `None` for the root.
    parent: Option<Arc<str>>,
    /// The order among its siblings.
    index: u32,
    children: BTreeMap<u32, Arc<str>>,
    /// The node in its wire format.
    json: Arc<str>,
}

/// The source of the data of a node beside its snapshot.
pub(crate) trait Source {
    /// Returns the last attempts in the wire format. `None` if there is no history.
    fn recent(&self, path: &str) -> Option<String>;
}

/// The changes of one update.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    /// The paths of the nodes whose wire format has changed.
    pub(crate) changed: Vec<Arc<str>>,
    pub(crate) removed: Vec<Arc<str>>,
    /// The nodes whose sentence or state can depend on these changes.
    pub(crate) follow: Vec<Arc<str>>,
}

impl Mirror {
    /// Makes the mirror equal to a whole tree.
    pub(crate) fn replace(&mut self, tree: TreeSnapshot, source: &impl Source) -> Delta {
        let mut seen = HashSet::new();
        let mut read = Vec::new();
        let mut next = vec![(tree.root, None::<Arc<str>>, 0)];
        // Parents before children, and children in order.
        while let Some((mut node, parent, index)) = next.pop() {
            let path: Arc<str> = node.path.as_str().into();
            let children = mem::take(&mut node.children);
            seen.insert(Arc::clone(&path));
            let json = node::of_snapshot(&node);
            self.enter(&path, &node, parent, Some(index));
            let mut indices = Vec::with_capacity(children.len());
            let mut before = None;
            for child in &children {
                // A known index that is still in order is kept, so that the end of one node does not change all nodes
                // after it.
                let known = self.nodes.get(child.path.as_str()).map(|known| known.index);
                let least = before.map_or(0, |before: u32| before + 1);
                let index = known.filter(|known| *known >= least).unwrap_or(least);
                before = Some(index);
                indices.push(index);
            }
            let children = children.into_iter().zip(indices);
            next.extend(children.rev().map(|(child, index)| (child, Some(Arc::clone(&path)), index)));
            read.push((path, json));
        }
        let mut delta = Delta::default();
        let gone: Vec<_> = self.nodes.keys().filter(|path| !seen.contains(*path)).cloned().collect();
        for path in gone {
            self.remove(&path, &mut delta);
        }
        // The children of each node by their new order.
        for node in self.nodes.values_mut() {
            node.children.clear();
        }
        let places: Vec<_> = self
            .nodes
            .iter()
            .filter_map(|(path, node)| Some((node.parent.clone()?, node.index, path.clone())))
            .collect();
        for (parent, index, path) in places {
            if let Some(parent) = self.nodes.get_mut(&parent) {
                parent.children.insert(index, path);
            }
        }
        for (path, json) in read {
            self.render(&path, &json, source, &mut delta);
        }
        delta.follow.clear();
        delta
    }

    /// Enters these nodes as they were read; `None` if a node no longer exists.
    pub(crate) fn update(&mut self, read: Vec<(Arc<str>, Option<NodeSnapshot>)>, source: &impl Source) -> Delta {
        let mut delta = Delta::default();
        let mut entered = Vec::with_capacity(read.len());
        for (path, node) in read {
            let Some(node) = node else {
                self.remove(&path, &mut delta);
                continue;
            };
            let json = node::of_snapshot(&node);
            let parent = match self.nodes.get(&path) {
                Some(known) => known.parent.clone(),
                None => self.parent_of(&path),
            };
            if let Some(before) = self.enter(&path, &node, parent.clone(), None) {
                let facts = &self.nodes[&path].facts;
                if (before.state, before.ready) != (facts.state, facts.ready) {
                    delta.follow.extend(parent);
                }
            } else {
                delta.follow.extend(parent);
            }
            entered.push((path, json));
        }
        for (path, json) in entered {
            self.render(&path, &json, source, &mut delta);
        }
        delta
    }

    /// Enters a node, and returns its previous facts.
    fn enter(
        &mut self,
        path: &Arc<str>,
        node: &NodeSnapshot,
        parent: Option<Arc<str>>,
        index: Option<u32>,
    ) -> Option<Facts> {
        let facts = Facts::of(node, path);
        self.order.set(path, parent.as_deref(), &node.after);
        if let Some(known) = self.nodes.get_mut(path) {
            known.index = index.unwrap_or(known.index);
            known.parent = parent;
            return Some(mem::replace(&mut known.facts, facts));
        }
        let above = parent.as_ref().and_then(|parent| self.nodes.get_mut(parent));
        let index = index.or_else(|| {
            let last = above.as_ref()?.children.last_key_value();
            Some(last.map_or(0, |(index, _)| index + 1))
        });
        let index = index.unwrap_or_default();
        if let Some(above) = above {
            above.children.insert(index, Arc::clone(path));
        }
        let (name, children) = (node.name.clone(), BTreeMap::new());
        let node = Node { facts, name, parent, index, children, json: "".into() };
        self.nodes.insert(Arc::clone(path), node);
        None
    }

    /// Removes a node and everything in it.
    fn remove(&mut self, path: &Arc<str>, delta: &mut Delta) {
        let mut next = vec![Arc::clone(path)];
        while let Some(path) = next.pop() {
            let Some(node) = self.nodes.remove(&path) else { continue };
            next.extend(node.children.into_values());
            self.order.remove(&path);
            if let Some(parent) = node.parent {
                if let Some(above) = self.nodes.get_mut(&parent) {
                    // Another child can have taken its place.
                    if above.children.get(&node.index) == Some(&path) {
                        above.children.remove(&node.index);
                    }
                    delta.follow.push(parent);
                }
            }
            delta.follow.extend(self.order.dependents(&path));
            delta.removed.push(path);
        }
    }

    /// Formats a node for the wire, and adds it to the delta if the result has changed.
    fn render(&mut self, path: &Arc<str>, snapshot: &str, source: &impl Source, delta: &mut Delta) {
        let Some(node) = self.nodes.get(path) else { return };
        let why = Why::of(&node.facts, self);
        let json = node.json_with(&node.facts, snapshot, &why, source);
        if *node.json == json {
            return;
        }
        delta.follow.extend(self.order.dependents(path));
        // The sentence of a group that is not ready names the child that it waits for.
        let unready = |parent: &&Arc<str>| self.facts(parent).is_some_and(|parent| !parent.ready);
        delta.follow.extend(node.parent.as_ref().filter(unready).cloned());
        if node.facts.is_group && node.facts.state != TaskState::Running {
            let waits = |child: &&Arc<str>| {
                let waiting_for = self.nodes.get(*child).and_then(|child| child.facts.waiting_for.as_ref());
                matches!(waiting_for, Some(WaitingFor::Group | WaitingFor::After(_)))
            };
            delta.follow.extend(node.children.values().filter(waits).cloned());
        }
        delta.changed.push(Arc::clone(path));
        if let Some(node) = self.nodes.get_mut(path) {
            node.json = json.into();
        }
    }

    /// Returns the nearest known group around a path, or else the root.
    fn parent_of(&self, path: &str) -> Option<Arc<str>> {
        let mut rest = path;
        while let Some((above, _)) = rest.rsplit_once('/') {
            if let Some((path, node)) = self.nodes.get_key_value(above) {
                if node.facts.is_group {
                    return Some(Arc::clone(path));
                }
            }
            rest = above;
        }
        self.nodes.get_key_value("").filter(|_| !path.is_empty()).map(|(root, _)| Arc::clone(root))
    }

    /// Returns the paths above an unknown node that are unknown as well, outer ones first.
    pub(crate) fn unknown_above(&self, path: &str) -> Vec<Arc<str>> {
        let mut unknown = Vec::new();
        let mut rest = path;
        while !self.nodes.contains_key(rest) {
            let Some((above, _)) = rest.rsplit_once('/') else { break };
            if !self.nodes.contains_key(above) {
                unknown.push(above.into());
            }
            rest = above;
        }
        unknown.reverse();
        unknown
    }

    pub(crate) fn contains(&self, path: &str) -> bool {
        self.nodes.contains_key(path)
    }

    /// Returns the paths of a node and of everything in it, parents before children.
    pub(crate) fn within(&self, path: &str) -> Vec<Arc<str>> {
        let mut found = Vec::new();
        let mut next: Vec<_> = self.nodes.get_key_value(path).map(|(path, _)| Arc::clone(path)).into_iter().collect();
        while let Some(path) = next.pop() {
            if let Some(node) = self.nodes.get(&path) {
                next.extend(node.children.values().rev().cloned());
            }
            found.push(path);
        }
        found
    }

    /// Writes the nodes of a subtree as a list, parents before children.
    pub(crate) fn write_nodes(&self, path: &str, out: &mut String) {
        let nodes: Vec<_> = self.within(path).iter().filter_map(|path| self.json(path)).collect();
        write_list(&nodes, out);
    }

    pub(crate) fn json(&self, path: &str) -> Option<&Arc<str>> {
        self.nodes.get(path).map(|node| &node.json)
    }

    /// Formats a node that was just read. The other nodes are those of the mirror.
    pub(crate) fn render_anew(&self, path: &str, node: &NodeSnapshot, source: &impl Source) -> Option<(String, Why)> {
        let (path, known) = self.nodes.get_key_value(path)?;
        let facts = Facts::of(node, path);
        let why = Why::of(&facts, self);
        let json = known.json_with(&facts, &node::of_snapshot(node), &why, source);
        Some((json, why))
    }

    pub(crate) fn facts(&self, path: &str) -> Option<&Facts> {
        self.nodes.get(path).map(|node| &node.facts)
    }

    pub(crate) fn name(&self) -> &str {
        self.nodes.get("").map_or("", |root| &root.name)
    }
}

impl Node {
    fn json_with(&self, facts: &Facts, snapshot: &str, why: &Why, source: &impl Source) -> String {
        let extra = Extra {
            parent: self.parent.as_deref(),
            index: self.index,
            why,
            recent: source.recent(&facts.path),
            children: facts.is_group.then_some(self.children.len()),
        };
        node::with_extra(snapshot, &extra)
    }
}

impl Look for Mirror {
    fn find(&self, path: &str) -> Option<&Facts> {
        self.facts(path)
    }

    fn find_parent(&self, path: &str) -> Option<&Facts> {
        self.facts(self.nodes.get(path)?.parent.as_deref()?)
    }

    fn find_child(&self, path: &str, which: impl Fn(&Facts) -> bool) -> Option<&Facts> {
        let children = self.nodes.get(path)?.children.values();
        children.filter_map(|child| self.facts(child)).find(|child| which(child))
    }
}

#[cfg(test)]
#[path = "mirror_test.rs"]
mod tests;
