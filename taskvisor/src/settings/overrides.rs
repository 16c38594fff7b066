//! `Overrides`: the values of files and variables.

use std::ffi::{OsStr, OsString};
use std::fmt;

use super::origin::Origin;
use crate::sorting::sort_by_text;

/// Values for the options of a declared tree, by name: from files, environment variables or the program.
///
/// [`TreeBuilder::with_overrides`](crate::TreeBuilder::with_overrides) and `overrides = ..` of `supervise!` apply them.
/// A name is made of the path of a task, group or slot, and the option:
///
/// | setting | key in a file or map | variable with the prefix `APP` |
/// |---|---|---|
/// | `timeout` of the task `store/pool` | `store.pool.timeout` | `APP_STORE_POOL_TIMEOUT` |
/// | `backoff(max)` of it | `store.pool.backoff.max` | `APP_STORE_POOL_BACKOFF_MAX` |
/// | `grace` of the tree | `grace` | `APP_GRACE` |
/// | `capacity` of the slot `deploy` | `slots.deploy.capacity` | `APP_SLOTS_DEPLOY_CAPACITY` |
/// | `limit(db, ..)` | `limits.db` | `APP_LIMITS_DB` |
/// | `queue_capacity` of the controller | `controller.queue_capacity` | `APP_CONTROLLER_QUEUE_CAPACITY` |
///
/// A value is a duration such as `1m30s`, a number, `true` or `false`. `none` clears an option that can be without a
/// value. The options of the program's structure, such as `restart`, `after` and `critical`, cannot be overridden.
///
/// A tree with an invalid override does not start. Unknown names, malformed values, and values that the program could
/// not have set are reported together, as [`RuntimeError::InvalidOverrides`](crate::RuntimeError::InvalidOverrides).
/// [`Tree::settings`](crate::Tree::settings) shows the result. The guide explains [overrides](crate::guide::overrides).
///
/// With the feature `serde`, it implements `serde::Deserialize` for any self-describing format, such as TOML, JSON and
/// YAML: a map of values and further maps. Keys of nested maps are joined with dots.
///
/// # Examples
/// ```
/// use taskvisor::{Overrides, SupervisorConfig, TaskContext, TaskFn, Tree};
///
/// let poll = TaskFn::arc("poll", |_: TaskContext| async { Ok(()) });
/// let overrides = Overrides::from([("poll.timeout", "10s"), ("grace", "30s")])
///     .then(Overrides::variables("APP", [("APP_GRACE", "1m")]));
/// let tree = Tree::builder(SupervisorConfig::default()).task(poll).with_overrides(overrides).build();
///
/// let settings = tree.settings();
/// assert_eq!(settings.get("poll.timeout").map(|timeout| timeout.value()), Some("10s"));
/// assert_eq!(settings.get("grace").map(|grace| grace.value()), Some("1m"));
/// ```
#[derive(Clone, Default)]
#[must_use = "overrides have no effect until a tree is built with them"]
pub struct Overrides {
    pub(super) sources: Vec<Source>,
}

/// The values of one origin.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) kind: Kind,
    pub(super) given: Vec<Given>,
}

#[derive(Clone)]
pub(super) enum Kind {
    /// Values from the program.
    Values,
    /// The file of this name.
    File(String),
    /// The variables with this prefix.
    Variables(String),
}

/// A value by its name.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) name: String,
    /// The text, or the problem with it.
    pub(super) text: Result<String, &'static str>,
}

const NOT_UTF_8: &str = "it is not UTF-8";

impl Overrides {
    /// Gives values the name of the file that they were read from, for messages and for [`Origin::File`]. Reads no
    /// file.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::Overrides;
    ///
    /// // With the feature `serde`, a parser gives them: `toml::from_str(&text)?`.
    /// let values = Overrides::from([("grace", "30s"), ("store.pool.timeout", "10s")]);
    /// let overrides = Overrides::file("app.toml", values);
    /// assert!(format!("{overrides:?}").contains("app.toml"));
    /// ```
    pub fn file(name: impl Into<String>, values: Self) -> Self {
        let (name, mut values) = (name.into(), values);
        for source in values.sources.iter_mut().filter(|source| matches!(source.kind, Kind::Values)) {
            source.kind = Kind::File(name.clone());
        }
        values
    }

    /// Reads all environment variables whose names begin with `prefix` and `_`, now. The rest of each name must be that
    /// of a setting, in upper case: any other is an error at the start of the tree. So choose a prefix that the program
    /// uses for nothing else.
    ///
    /// The prefix has letters, digits and `_` only, and does not end with `_`.
    pub fn env(prefix: impl Into<String>) -> Self {
        Self::variables(prefix, std::env::vars_os())
    }

    /// Like [`env`](Self::env), but takes the given variables instead of those of the process. Use it for tests, and
    /// for files of variables.
    pub fn variables<N, V>(prefix: impl Into<String>, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let prefix = prefix.into();
        let start = format!("{prefix}_");
        let is_ours = |name: &OsStr| name.as_encoded_bytes().starts_with(start.as_bytes());
        let mut given = Vec::new();
        for (name, value) in variables {
            let name = name.into();
            if is_ours(&name) {
                let text = value.into().into_string().map_err(|_| NOT_UTF_8);
                given.push(Given { name: name.to_string_lossy().into_owned(), text });
            }
        }
        // The order of an environment is arbitrary. Errors should have the same order each time.
        sort_by_text(&mut given, |given| &given.name);
        Self { sources: vec![Source { kind: Kind::Variables(prefix), given }] }
    }

    /// Adds overrides. Where both set a value, the added one applies.
    pub fn then(mut self, later: impl Into<Self>) -> Self {
        self.sources.extend(later.into().sources);
        self
    }

    pub(super) fn of_values(given: Vec<Given>) -> Self {
        Self { sources: vec![Source { kind: Kind::Values, given }] }
    }
}

impl Source {
    pub(super) fn origin(&self, name: &str) -> Origin {
        let name = name.to_owned();
        match &self.kind {
            Kind::Values => Origin::Value { key: name },
            Kind::File(file) => Origin::File { file: file.clone(), key: name },
            Kind::Variables(_) => Origin::Variable { name },
        }
    }
}

/// Collects values with their keys, such as `("store.pool.timeout", "10s")`.
impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Overrides {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(values: I) -> Self {
        let given = values.into_iter().map(|(key, value)| Given { name: key.into(), text: Ok(value.into()) });
        Self::of_values(given.collect())
    }
}

/// Collects values with their keys, such as `("store.pool.timeout", "10s")`.
impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Overrides {
    fn from(values: [(K, V); N]) -> Self {
        values.into_iter().collect()
    }
}

/// Formats the names without the values, because a variable for another purpose may be a secret.
impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |source: &Source| {
            let names = source.given.iter().map(|given| source.origin(&given.name).to_string());
            names.collect::<Vec<_>>()
        };
        f.debug_list().entries(self.sources.iter().flat_map(names)).finish()
    }
}

/// Checks a prefix of variables. The error is the problem with it.
pub(super) fn check_prefix(prefix: &str) -> Result<(), String> {
    let is_word = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match prefix.trim_end_matches('_') {
        "" => Err("the prefix is empty: write one of this program, such as `APP`".to_owned()),
        _ if !is_word => Err(format!("the prefix \"{prefix}\" has other signs than letters, digits and `_`")),
        meant if meant != prefix => Err(format!("the prefix ends with `_`, which is added: write \"{meant}\"")),
        _ => Ok(()),
    }
}
