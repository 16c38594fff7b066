//! The settings of one owner: the tree, a task, a group, a slot, a limit or the controller.

use std::sync::Arc;
use std::time::Duration;

use super::sheet::{Child, ChildOptions, GroupOptions, Sheet};
use crate::policy::{self, NONE, Of, ResolvedPolicy, Row, Value, refuse_zero};
#[cfg(feature = "controller")]
use crate::slots::{ControllerConfig, SlotSpec};
use crate::supervisor::{InvalidOption, SupervisorConfig};
use crate::tree::last_segment;

/// An owner of settings in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    Tree,
    /// The limit with a name at this index.
    Limit(usize),
    #[cfg(feature = "controller")]
    Controller,
    /// The slot at this index.
    #[cfg(feature = "controller")]
    Slot(usize),
    /// The task or group at this index.
    Child(usize),
}

/// The values of an owner.
#[derive(Clone)]
pub(super) enum Owner {
    Tree(Box<Tree>),
    Limit(Limit),
    #[cfg(feature = "controller")]
    Controller(ControllerConfig),
    #[cfg(feature = "controller")]
    Slot(Box<SlotSpec>),
    Task(Box<Task>),
    Group(Box<Group>),
}

#[derive(Clone)]
pub(super) struct Tree {
    pub(super) config: SupervisorConfig,
    pub(super) root: GroupOptions,
}

#[derive(Clone)]
pub(super) struct Limit {
    name: Arc<str>,
    pub(super) max_concurrent: usize,
}

#[derive(Clone)]
pub(super) struct Task {
    pub(super) name: Arc<str>,
    pub(super) policy: ResolvedPolicy,
    pub(super) changed: Vec<Row>,
}

#[derive(Clone)]
pub(super) struct Group {
    pub(super) options: GroupOptions,
    pub(super) policy: ResolvedPolicy,
    pub(super) changed: Vec<Row>,
}

/// One value of an owner.
pub(super) struct Field<'a> {
    pub(super) row: &'static str,
    pub(super) value: &'a mut dyn Value,
    /// `true` if zero means no value, whose text is `none`.
    zero_is_none: bool,
}

/// A row of the table of an owner.
struct Entry<T: 'static> {
    name: &'static str,
    value: fn(&mut T) -> &mut dyn Value,
    zero_is_none: bool,
}

impl<T> Entry<T> {
    const fn new(name: &'static str, value: fn(&mut T) -> &mut dyn Value) -> Self {
        Self { name, value, zero_is_none: false }
    }

    const fn unless_zero(name: &'static str, value: fn(&mut T) -> &mut dyn Value) -> Self {
        Self { name, value, zero_is_none: true }
    }

    fn field<'a>(&self, of: &'a mut T) -> Field<'a> {
        Field { row: self.name, value: (self.value)(of), zero_is_none: self.zero_is_none }
    }
}

/// The settings of the tree that its tasks and groups inherit.
const INHERITED: &[Entry<Tree>] = &[
    Entry::unless_zero("timeout", |tree| &mut tree.config.timeout),
    Entry::new("stop_timeout", |tree| &mut tree.config.stop_timeout),
    Entry::new("cleanup", |tree| &mut tree.config.cleanup),
    Entry::new("start_timeout", |tree| &mut tree.config.start_timeout),
    Entry::new("restart", |tree| &mut tree.config.restart),
    Entry::new("backoff", |tree| &mut tree.config.backoff),
    Entry::new("reset_after", |tree| &mut tree.config.reset_after),
    Entry::new("max_retries", |tree| &mut tree.config.max_retries),
    #[cfg(feature = "cron")]
    Entry::new("zone", |tree| &mut tree.config.zone),
];

const TREE: &[Entry<Tree>] = &[
    Entry::new("grace", |tree| &mut tree.config.grace),
    Entry::new("drain", |tree| &mut tree.config.drain),
    Entry::new("drain_timeout", |tree| &mut tree.config.drain_timeout),
    Entry::unless_zero("max_concurrent", |tree| &mut tree.config.max_concurrent),
    Entry::new("bus_capacity", |tree| &mut tree.config.bus_capacity),
    Entry::new("limit", |tree| &mut tree.root.limit),
    Entry::new("max_starting", |tree| &mut tree.root.max_starting),
];

const LIMIT: &[Entry<Limit>] = &[Entry::new("max_concurrent", |limit| &mut limit.max_concurrent)];

#[cfg(feature = "controller")]
const CONTROLLER: &[Entry<ControllerConfig>] = &[
    Entry::new("queue_capacity", |controller| &mut controller.queue_capacity),
    Entry::new("slot_capacity", |controller| &mut controller.slot_capacity),
];

#[cfg(feature = "controller")]
const SLOT: &[Entry<SlotSpec>] = &[
    Entry::new("capacity", |slot| &mut slot.capacity),
    Entry::new("debounce", |slot| &mut slot.debounce),
    Entry::new("debounce_max", |slot| &mut slot.debounce_max),
    Entry::new("concurrency", |slot| &mut slot.concurrency),
    Entry::new("max_concurrent", |slot| &mut slot.max_concurrent),
    Entry::new("rate", |slot| &mut slot.rate),
    Entry::new("paused", |slot| &mut slot.paused),
];

const GROUP: &[Entry<Group>] = &[
    Entry::new("limit", |group| &mut group.options.limit),
    Entry::new("max_starting", |group| &mut group.options.max_starting),
    Entry::new("max_concurrent", |group| &mut group.options.max_concurrent),
];

impl Sheet {
    /// Returns all owners, the tree first.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let places = std::iter::once(Place::Tree).chain((0..self.limits.len()).map(Place::Limit));
        #[cfg(feature = "controller")]
        let places = places.chain([Place::Controller]).chain((0..self.slots.len()).map(Place::Slot));
        places.chain((0..self.children.len()).map(Place::Child))
    }

    /// Returns the values of an owner. Tasks and groups inherit from `config`.
    pub(super) fn open(&self, place: Place, config: &SupervisorConfig) -> Owner {
        match place {
            Place::Tree => Owner::Tree(Box::new(Tree { config: self.config.clone(), root: self.root.clone() })),
            Place::Limit(at) => {
                let (name, max_concurrent) = &self.limits[at];
                Owner::Limit(Limit { name: Arc::clone(name), max_concurrent: *max_concurrent })
            }
            #[cfg(feature = "controller")]
            Place::Controller => Owner::Controller(self.controller.clone()),
            #[cfg(feature = "controller")]
            Place::Slot(at) => Owner::Slot(Box::new(self.slots[at].clone())),
            Place::Child(at) => {
                let Child { path, options, .. } = &self.children[at];
                let policy = match options {
                    ChildOptions::Group(group) => {
                        let (options, policy) = (GroupOptions::clone(group), group.set.resolve_group(config));
                        return Owner::Group(Box::new(Group { options, policy, changed: Vec::new() }));
                    }
                    ChildOptions::Task(Some(said)) => said.overrides.resolve(config),
                    ChildOptions::Task(None) => policy::Overrides::NONE.resolve(config),
                    ChildOptions::Started(policy) => ResolvedPolicy::clone(policy),
                };
                Owner::Task(Box::new(Task { name: last_segment(path).into(), policy, changed: Vec::new() }))
            }
        }
    }

    /// Returns the path of an owner. The path of the tree is its name.
    pub(super) fn path(&self, place: Place) -> Arc<str> {
        match place {
            Place::Tree => Arc::clone(&self.root.name),
            Place::Limit(at) => format!("limits/{}", self.limits[at].0).into(),
            #[cfg(feature = "controller")]
            Place::Controller => "controller".into(),
            #[cfg(feature = "controller")]
            Place::Slot(at) => format!("slots/{}", self.slots[at].name()).into(),
            Place::Child(at) => Arc::clone(&self.children[at].path),
        }
    }

    /// Returns the key of a setting of an owner.
    pub(super) fn key(&self, place: Place, name: &str) -> String {
        match place {
            Place::Tree => name.to_owned(),
            // A limit has one setting, so its key has no name of an option.
            Place::Limit(at) => format!("limits.{}", self.limits[at].0),
            #[cfg(feature = "controller")]
            Place::Controller => format!("controller.{name}"),
            #[cfg(feature = "controller")]
            Place::Slot(at) => format!("slots.{}.{name}", self.slots[at].name()),
            Place::Child(at) => format!("{}.{name}", self.children[at].path.replace('/', ".")),
        }
    }
}

impl Owner {
    /// Returns a tree with all options at their defaults.
    pub(super) fn default_tree() -> Self {
        let root = GroupOptions {
            name: "".into(),
            limit: None,
            max_starting: None,
            max_concurrent: None,
            is_fresh: false,
            set: policy::Overrides::NONE,
        };
        Self::Tree(Box::new(Tree { config: SupervisorConfig::default(), root }))
    }

    /// Returns the number of rows. Some may have no field.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Tree(_) => TREE.len() + INHERITED.len(),
            Self::Limit(_) => LIMIT.len(),
            #[cfg(feature = "controller")]
            Self::Controller(_) => CONTROLLER.len(),
            #[cfg(feature = "controller")]
            Self::Slot(_) => SLOT.len(),
            Self::Task(_) => Row::ALL.len(),
            Self::Group(_) => GROUP.len() + Row::ALL.len(),
        }
    }

    /// Returns the value of a row, unless it belongs to the program's structure.
    pub(super) fn field(&mut self, row: usize) -> Option<Field<'_>> {
        Some(match self {
            Self::Tree(tree) => TREE.get(row).unwrap_or_else(|| &INHERITED[row - TREE.len()]).field(tree),
            Self::Limit(limit) => LIMIT[row].field(limit),
            #[cfg(feature = "controller")]
            Self::Controller(controller) => CONTROLLER[row].field(controller),
            #[cfg(feature = "controller")]
            Self::Slot(slot) => SLOT[row].field(slot),
            Self::Task(task) => {
                let row = Row::ALL[row];
                Field { row: row.name(), value: task.policy.value(row, Of::Task)?, zero_is_none: false }
            }
            Self::Group(group) => {
                let Some(own) = row.checked_sub(GROUP.len()) else { return Some(GROUP[row].field(group)) };
                let row = Row::ALL[own];
                if matches!(row, Row::start_timeout) && !group.options.is_fresh {
                    return None;
                }
                Field { row: row.name(), value: group.policy.value(row, Of::Group)?, zero_is_none: false }
            }
        })
    }

    /// Sets a value from its text.
    pub(super) fn set(&mut self, row: usize, name: &str, text: &str) -> Result<(), String> {
        let Some(field) = self.field(row) else { return Ok(()) };
        if field.zero_is_none && text == NONE {
            field.value.set_to_zero();
        } else {
            let set = field.value.set(name, text);
            if field.zero_is_none {
                refuse_zero(name, text, set.is_ok() && field.value.is_zero())?;
            }
            set?;
        }
        match self {
            Self::Task(task) => task.changed.push(Row::ALL[row]),
            Self::Group(group) => group.changed.extend(row.checked_sub(GROUP.len()).map(|own| Row::ALL[own])),
            _ => {}
        }
        Ok(())
    }

    /// Returns the text of a value. `None` if the option has no value now.
    pub(super) fn show(&mut self, row: usize, name: &str) -> Option<String> {
        let field = self.field(row)?;
        if field.zero_is_none && field.value.is_zero() {
            return Some(NONE.to_owned());
        }
        field.value.show(name)
    }

    /// Checks the values, as the start of the tree does.
    pub(super) fn check(&self) -> Result<(), InvalidOption> {
        match self {
            Self::Tree(tree) => {
                tree.config.check()?;
                tree.root.check(&tree.root.set)
            }
            Self::Limit(limit) if limit.max_concurrent == 0 => {
                Err(InvalidOption::new(format!("limit `{}`", limit.name), "max_concurrent", "0", "at least 1"))
            }
            Self::Limit(_) => Ok(()),
            #[cfg(feature = "controller")]
            Self::Controller(controller) => controller.check(),
            #[cfg(feature = "controller")]
            Self::Slot(slot) => slot.check(),
            Self::Task(task) => {
                if task.policy.timeout == Some(Duration::ZERO) {
                    let subject = format!("task `{}`", task.name);
                    return Err(InvalidOption::new(subject, "timeout", "0s", "a time longer than zero, or `none`"));
                }
                #[cfg(feature = "cron")]
                task.check_schedule()?;
                task.policy.check(&task.name)
            }
            Self::Group(group) => group.options.check(&group.set()),
        }
    }

    /// Returns the names of the options of the program's structure.
    pub(super) fn structure(&self) -> Vec<&'static str> {
        const GROUPS: [&str; 4] = ["strategy", "dynamic", "after", "fresh"];
        let is_fixed = |of| {
            move |row: &&Row| {
                // Whether a row can be overridden does not depend on its value.
                let mut policy = policy::Overrides::NONE.resolve(&SupervisorConfig::default());
                matches!(row, Row::restart) || policy.value(**row, of).is_none()
            }
        };
        let names = |of| Row::ALL.iter().filter(is_fixed(of)).map(|row| row.name());
        match self {
            Self::Tree(_) => vec!["restart", "strategy", "signals", "instance", "name"],
            Self::Task(_) => names(Of::Task).chain(["after"]).collect(),
            Self::Group(_) => names(Of::Group).chain(GROUPS).collect(),
            #[cfg(feature = "controller")]
            Self::Slot(_) => vec!["admission", "limit", "keyed"],
            _ => Vec::new(),
        }
    }
}

#[cfg(feature = "cron")]
impl Task {
    /// Refuses changed options of a schedule if the task has no schedule.
    fn check_schedule(&self) -> Result<(), InvalidOption> {
        let mut set = policy::Overrides::NONE;
        for row in &self.changed {
            set.set_as(&self.policy, *row);
        }
        if self.policy.is_scheduled() { Ok(()) } else { set.check_schedule(&self.name) }
    }
}

impl Group {
    /// Returns the options that the group sets, with those that were changed.
    pub(super) fn set(&self) -> policy::Overrides {
        let mut set = self.options.set.clone();
        for row in &self.changed {
            set.set_as(&self.policy, *row);
        }
        set
    }
}

impl GroupOptions {
    fn check(&self, set: &policy::Overrides) -> Result<(), InvalidOption> {
        let Self { name, limit, max_starting, max_concurrent, is_fresh, .. } = self;
        policy::check_group(name, *limit, [*max_starting, *max_concurrent], *is_fresh, set)
    }
}

impl Child {
    /// Returns `true` if the declaration sets the row. For a task that has started: if the value differs from the
    /// default.
    pub(super) fn sets(&self, row: usize, config: &SupervisorConfig) -> bool {
        match &self.options {
            ChildOptions::Task(said) => said.as_ref().is_some_and(|said| said.overrides.is_set(Row::ALL[row])),
            ChildOptions::Started(policy) => {
                let inherited = policy::Overrides::of(&policy::Overrides::NONE.resolve(config));
                !policy::Overrides::of(policy).is_equal(&inherited, Row::ALL[row])
            }
            ChildOptions::Group(group) => match row.checked_sub(GROUP.len()) {
                Some(own) => group.set.is_set(Row::ALL[own]),
                None => match GROUP[row].name {
                    "limit" => group.limit.is_some(),
                    "max_starting" => group.max_starting.is_some(),
                    _ => group.max_concurrent.is_some(),
                },
            },
        }
    }
}

/// Returns `true` if tasks and groups inherit the row from the tree.
pub(super) fn is_inherited(row: &str) -> bool {
    INHERITED.iter().any(|entry| entry.name == row)
}
