//! The rules of the tree, as its declaration states them: what is after what, and what is bounded.

use std::time::Duration;

/// The tasks that must have been ready before this one starts, by path; a group stands for all its tasks.
pub(crate) const AFTER: &[(&str, &[&str])] = &[
    ("store/migrate", &["store/pool"]),
    ("store/writer", &["store/pool", "store/migrate"]),
    ("feeds/b", &["feeds/a"]),
    ("feeds/inner/c", &["feeds/a"]),
    ("feeds/inner/d", &["feeds/a"]),
    ("feeds/inner/e", &["feeds/a"]),
    ("serve", &["store"]),
    ("leaders/second", &["leaders/first"]),
];

/// The tasks of each group that something is after.
pub(crate) const MEMBERS: &[(&str, &[&str])] = &[("store", &["store/pool", "store/migrate", "store/writer"])];

/// The tasks that are ready by a signal, or by their end in success. All others are ready when an attempt begins.
pub(crate) const NOT_READY_AT_START: &[&str] = &["store/pool", "store/migrate"];

/// What needs a lease, by the path of its task or group.
pub(crate) const SINGLETONS: &[&str] = &["ledger", "leaders"];

/// Groups whose tasks are added or made at run time, and tasks that are added beside the tree.
pub(crate) const ADDED: &[&str] = &["fresh/", "tenants/", "guests/", "added-"];

/// The most that run at once.
pub(crate) const ALL: usize = 30;
pub(crate) const INNER: usize = 2;
/// How many tenants start at one time.
pub(crate) const STARTING: usize = 2;
/// The limit `db` is declared as 4, and an override sets it.
pub(crate) const DB_DECLARED: usize = 4;
pub(crate) const DB: usize = 3;

/// The slot `uploads`: how many run for one key and for all, and how many start within which time.
pub(crate) const UPLOADS: (usize, usize) = (2, 3);
pub(crate) const RATE: (usize, Duration) = (6, Duration::from_secs(60));

pub(crate) const GRACE: Duration = Duration::from_secs(60);
/// The time that an override sets for `sync`, which is declared with one minute.
pub(crate) const SYNC: Duration = Duration::from_secs(420);
