//! The fleet of a supervisor: a store of leases, a name, a label and a time to live.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::local::LocalStore;
use super::store::LeaseStore;
use super::times::Times;
use crate::panics::Fenced;
use crate::supervisor::InvalidOption;

/// The replicas of a service, and the store of leases that they share.
///
/// [`TreeBuilder::with_fleet`](crate::TreeBuilder::with_fleet), or `fleet = ..` in `supervise!`, sets the fleet of a
/// supervisor. Each [singleton](crate::TaskSpec::with_singleton) then runs in one replica at a time, and the other
/// replicas stand by. The guide explains [fleets](crate::guide::fleets) and their guarantees.
///
/// A clone of a fleet shares its store, so supervisors with clones of one fleet are replicas of each other.
///
/// # Examples
/// Two replicas in one process, as in a test:
/// ```
/// use taskvisor::fleet::{Fleet, LocalStore};
/// use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), taskvisor::RuntimeError> {
/// let store = LocalStore::new();
/// let replica = || {
///     let ledger = TaskFn::arc("ledger", |ctx: TaskContext| async move {
///         println!("the ledger runs, with the token {:?}", ctx.fencing_token());
///         ctx.cancelled().await;
///         Ok(())
///     });
///     let fleet = Fleet::new(store.clone()).name("billing");
///     Tree::builder(SupervisorConfig::default()).with_fleet(fleet).task(TaskSpec::inherit(ledger).with_singleton()).build()
/// };
/// let (a, b) = (replica(), replica());
/// a.start().await?;
/// b.start().await?;
/// a.shutdown().await?;
/// b.shutdown().await
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a fleet does nothing until it is given to a supervisor"]
pub struct Fleet {
    pub(crate) store: Fenced<Arc<dyn LeaseStore>>,
    pub(crate) name: Arc<str>,
    pub(crate) label: Option<Arc<str>>,
    pub(crate) ttl: Duration,
}

impl Fleet {
    /// The default time to live.
    const TTL: Duration = Duration::from_secs(15);

    /// Creates a fleet over a store.
    pub fn new(store: impl LeaseStore) -> Self {
        Self { store: Fenced::new(Arc::new(store)), name: "default".into(), label: None, ttl: Self::TTL }
    }

    /// Creates a fleet of this process alone: a singleton runs as any other task does, but no two units with one key
    /// run at once. Each call creates another fleet, also in one process. To test several replicas, give them clones of
    /// one fleet, or fleets over clones of one [`LocalStore`].
    pub fn local() -> Self {
        Self::new(LocalStore::new())
    }

    /// Sets the name of the fleet, which its replicas share. Default: `default`. Fleets with different names have
    /// separate keys, also in one store.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the label of this process, which other replicas show as the owner. It need not be unique. Default: the name
    /// of the host, and the process id.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets the time to live of the session of this process. Default: 15 s. At least 500 ms, at most 1 day.
    ///
    /// After a crash, another replica takes over within this time and two fifths of its own. The session is renewed three
    /// times in it. Work is requested to stop three fifths of it after the last successful renewal was sent, and is dropped
    /// after four fifths. A shutdown waits for the store until the grace ends, or half a second more, and at most for two
    /// fifths of this time; without an answer, the leases expire.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    pub(crate) fn times(&self) -> Times {
        Times { ttl: self.ttl }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        const SHORTEST: Duration = Duration::from_millis(500);
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
        let refuse = |option, value: String, expected: &'static str| {
            InvalidOption::new("the fleet".to_owned(), option, value, expected)
        };
        let is_text =
            |text: &str, most: usize| !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control);
        if !is_text(&self.name, 128) {
            let expected = "1 to 128 bytes without control characters";
            return Err(refuse("name", format!("{:?}", self.name), expected));
        }
        if let Some(label) = self.label.as_ref().filter(|label| !is_text(label, 255)) {
            return Err(refuse("label", format!("{label:?}"), "1 to 255 bytes without control characters"));
        }
        if self.ttl < SHORTEST || self.ttl > LONGEST {
            return Err(refuse("ttl", format!("{:?}", self.ttl), "500 ms to 1 day"));
        }
        Ok(())
    }

    /// Returns the label, or the host and process id.
    pub(crate) fn shown_label(&self) -> Arc<str> {
        self.label.clone().unwrap_or_else(|| {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
            let host = host.or_else(|| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok());
            format!("{}:{}", host.as_deref().map_or("host", str::trim), std::process::id()).into()
        })
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, label, ttl, .. } = self;
        f.debug_struct("Fleet").field("name", name).field("label", label).field("ttl", ttl).finish_non_exhaustive()
    }
}
