//! The settings of a tree, for operators.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::invalid::InvalidOverride;
use super::legal_names::Spelling;
use super::origin::Origin;
use super::owner::{Owner, Place, is_inherited};
use super::resolve::{Applied, Overridden, by_place};
use crate::policy::NONE;
#[cfg(feature = "controller")]
use crate::slots::{ControllerConfig, SlotSpec};

/// The settings of a declared tree: each option that [`Overrides`](crate::Overrides) can change, with its value.
///
/// [`Tree::settings`](crate::Tree::settings) returns it. `{}` formats a table of the settings that differ from their
/// defaults, and `{:#}` of all, followed by the [invalid](Self::invalid) overrides. The guide explains
/// [overrides](crate::guide::overrides).
///
/// # Examples
/// ```
/// use taskvisor::{Overrides, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
///
/// let poll = TaskSpec::inherit(TaskFn::arc("poll", |_: TaskContext| async { Ok(()) })).with_max_retries(3);
/// let tree = Tree::builder(SupervisorConfig::default())
///     .task(poll)
///     .with_overrides(Overrides::variables("APP", [("APP_POLL_MAX_RETRIES", "5")]))
///     .build();
///
/// let table = "\
/// path  option       value  from                  instead of
/// poll  max_retries  5      APP_POLL_MAX_RETRIES  3 (program)
/// ";
/// assert_eq!(tree.settings().to_string(), table);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    list: Vec<Setting>,
    /// The keys of the parts of options that have no value now.
    without_value: Vec<String>,
    invalid: Vec<InvalidOverride>,
}

/// A setting of a tree: an option, its value, and where the value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    key: String,
    path: Arc<str>,
    option: &'static str,
    value: String,
    origin: Origin,
    replaced: Option<(String, Origin)>,
}

impl Setting {
    /// Returns its key in files, such as `store.pool.timeout`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the path of its owner: that of a task or group, the name of the tree, `slots/` or `limits/` with a name,
    /// or `controller`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the option, such as `timeout` or `backoff.max`.
    pub fn option(&self) -> &str {
        self.option
    }

    /// Returns the value as text, as an override would set it.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns where the value comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the value that an override has replaced, and where that comes from. `None` without an override.
    pub fn replaced(&self) -> Option<(&str, &Origin)> {
        self.replaced.as_ref().map(|(value, origin)| (value.as_str(), origin))
    }
}

impl Settings {
    /// Returns the settings: those of the tree, of limits and slots, and of its tasks and groups in the order of their
    /// declaration.
    pub fn iter(&self) -> std::slice::Iter<'_, Setting> {
        self.list.iter()
    }

    /// Returns the setting of this key, such as `store.pool.timeout`.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.list.iter().find(|setting| setting.key == key)
    }

    /// Returns the invalid overrides. If there are any, no override has an effect: the settings are those without
    /// overrides, and the tree does not start.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::{Overrides, SupervisorConfig, Tree};
    ///
    /// let overrides = Overrides::from([("grace", "30s"), ("drian", "5s")]);
    /// let settings = Tree::builder(SupervisorConfig::default()).with_overrides(overrides).build().settings();
    ///
    /// assert_eq!(settings.invalid()[0].to_string(), "drian: unknown setting, did you mean `drain`?");
    /// assert_eq!(settings.get("grace").map(|grace| grace.origin().is_override()), Some(false));
    /// ```
    pub fn invalid(&self) -> &[InvalidOverride] {
        &self.invalid
    }

    /// Returns the settings as a file of variables for [`Overrides::env`](crate::Overrides::env). Settings that are not
    /// overridden themselves are commented out, also those that inherit an overridden value of the tree.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::{Overrides, SupervisorConfig, Tree};
    ///
    /// let overrides = Overrides::from([("grace", "30s")]);
    /// let tree = Tree::builder(SupervisorConfig::default()).with_overrides(overrides).build();
    /// assert!(tree.settings().to_env("APP").starts_with("# root\nAPP_GRACE=30s\n#APP_DRAIN=0s\n"));
    /// ```
    pub fn to_env(&self, prefix: &str) -> String {
        let spell = |key: &str| Spelling::Variable { prefix }.spell(key);
        let mut count: HashMap<String, u32> = HashMap::new();
        let keys = self.list.iter().map(|setting| &setting.key).chain(&self.without_value);
        for key in keys {
            *count.entry(spell(key)).or_default() += 1;
        }
        let mut text = String::new();
        let mut before = None;
        for Setting { key, path, value, replaced, .. } in &self.list {
            if before.replace(path) != Some(path) {
                let blank = if text.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{blank}# {}", path.escape_debug());
            }
            let name = spell(key);
            // Not `origin`: a task that inherits an overridden value has its origin, but must follow a later change of it.
            let comment = if replaced.is_some() { "" } else { "#" };
            let _ = match count.get(&name) {
                Some(2..) => writeln!(text, "# {name} names several settings, set {} in a file", key.escape_debug()),
                _ => writeln!(text, "{comment}{name}={value}"),
            };
        }
        text
    }
}

impl<'a> IntoIterator for &'a Settings {
    type Item = &'a Setting;
    type IntoIter = std::slice::Iter<'a, Setting>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The largest width of a column. A longer text shifts the rest of its own line only. The standard library panics over
/// widths above 65,535.
const WIDEST: usize = 120;

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.list.iter().filter(|setting| f.alternate() || setting.origin != Origin::Default);
        let replaced = |setting: &Setting| match &setting.replaced {
            Some((value, origin)) => format!("{value} ({origin})"),
            None => String::new(),
        };
        let line = |setting: &Setting| {
            let Setting { path, option, value, origin, .. } = setting;
            [path.to_string(), (*option).to_owned(), value.clone(), origin.to_string(), replaced(setting)]
        };
        let header = ["path", "option", "value", "from", "instead of"].map(str::to_owned);
        let lines: Vec<_> = std::iter::once(header).chain(shown.map(line)).collect();
        let width =
            |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0).min(WIDEST);
        let widths = [0, 1, 2, 3, 4].map(width);
        for line in &lines {
            let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        if !self.invalid.is_empty() {
            writeln!(f, "\nno override is applied, as these are invalid:")?;
        }
        self.invalid.iter().try_for_each(|invalid| writeln!(f, "{invalid}"))
    }
}

impl Overridden {
    /// Lists all settings.
    pub(crate) fn settings(&self) -> Settings {
        let mut listing = Listing { overridden: self, of_tree: HashMap::new(), list: Vec::new(), hidden: Vec::new() };
        let by_place = by_place(&self.applied);
        let mut config = self.sheet.config.clone();
        for place in self.sheet.places() {
            let applied = by_place.get(&place).map_or(&[][..], Vec::as_slice);
            let before = self.sheet.open(place, &config);
            let mut after = before.clone();
            for Applied { target, text, .. } in applied {
                let _ = after.set(target.row, target.name, text);
            }
            if let Owner::Tree(tree) = &after {
                config.clone_from(&tree.config);
            }
            listing.owner(place, before, after, applied);
        }
        Settings { list: listing.list, without_value: listing.hidden, invalid: self.invalid.clone() }
    }
}

struct Listing<'a> {
    overridden: &'a Overridden,
    /// The values of the tree that its tasks and groups inherit, with their origins.
    of_tree: HashMap<&'static str, (String, Origin)>,
    list: Vec<Setting>,
    hidden: Vec<String>,
}

impl Listing<'_> {
    fn owner(&mut self, place: Place, mut before: Owner, mut after: Owner, applied: &[&Applied]) {
        let sheet = &self.overridden.sheet;
        let path = sheet.path(place);
        for row in 0..after.rows() {
            let Some(field) = after.field(row) else { continue };
            let (whole, names) = (field.row, field.value.names(field.row));
            for name in names {
                let key = sheet.key(place, name);
                let Some(value) = after.show(row, name) else {
                    self.hidden.push(key);
                    continue;
                };
                let declared = before.show(row, name).unwrap_or_else(|| "none".to_owned());
                let declared = (self.declared(place, row, (whole, name), &declared), declared);
                let mut chain = applied.iter().filter(|it| it.target.row == row && it.target.name == name).rev();
                let (origin, replaced) = match (chain.next(), chain.next()) {
                    (None, _) => (declared.0, None),
                    (Some(last), None) => (last.origin.clone(), Some((declared.1, declared.0))),
                    (Some(last), Some(first)) => {
                        (last.origin.clone(), Some((first.text.clone(), first.origin.clone())))
                    }
                };
                if place == Place::Tree && is_inherited(whole) {
                    self.of_tree.insert(name, (value.clone(), origin.clone()));
                }
                self.list.push(Setting { key, path: Arc::clone(&path), option: name, value, origin, replaced });
            }
        }
    }

    /// Returns where the declared value of a setting comes from.
    fn declared(&self, place: Place, row: usize, (whole, name): (&'static str, &str), value: &str) -> Origin {
        let sheet = &self.overridden.sheet;
        let is_default = |mut default: Owner| default.show(row, name).as_deref() == Some(value);
        match place {
            Place::Tree => {
                if is_default(Owner::default_tree()) {
                    Origin::Default
                } else if matches!(whole, "limit" | "max_starting") {
                    Origin::Program
                } else {
                    Origin::Config
                }
            }
            Place::Limit(_) => Origin::Program,
            #[cfg(feature = "controller")]
            Place::Controller if is_default(Owner::Controller(ControllerConfig::default())) => Origin::Default,
            #[cfg(feature = "controller")]
            Place::Controller => Origin::Config,
            #[cfg(feature = "controller")]
            Place::Slot(_) if is_default(Owner::Slot(Box::new(SlotSpec::new("")))) => Origin::Default,
            #[cfg(feature = "controller")]
            Place::Slot(_) => Origin::Program,
            Place::Child(at) => {
                let inherited = self.of_tree.get(name).filter(|_| is_inherited(whole));
                let inherited = inherited.filter(|(inherited, _)| inherited == value).map(|(_, origin)| origin.clone());
                // A task without an interval has the default value, unless it would inherit one of the tree.
                let is_unset = name == "interval" && value == NONE && {
                    self.of_tree.get(name).is_none_or(|(inherited, _)| inherited == NONE)
                };
                if sheet.children[at].sets(row, &sheet.config) && !is_unset {
                    Origin::Program
                } else {
                    inherited.unwrap_or(Origin::Default)
                }
            }
        }
    }
}
