//! The response to signals.

use std::time::Duration;

/// How a supervisor responds to SIGINT and SIGTERM, and to the events of a console on Windows.
///
/// The first signal requests the shutdown. Signals within [`force_after`](Self::force_after) of a signal that had an
/// effect are the same request: a process manager can send one to the process and to its group. A later signal during
/// the [drain](crate::SupervisorConfig::drain) ends the drain, and the tasks are requested to stop. Any other later
/// signal forces the shutdown: the remaining tasks are aborted.
///
/// | signal | open | during the drain | while tasks stop |
/// |---|---|---|---|
/// | the first, [`Drain`](SignalAction::Drain) | requests the shutdown | no effect | no effect |
/// | the first, [`Stop`](SignalAction::Stop) | requests the shutdown without its drain | ends the drain | no effect |
/// | within `force_after` | | no effect | no effect |
/// | a later one | | ends the drain | forces the shutdown |
///
/// On Windows, Ctrl+C and the close of the console count as SIGINT, Ctrl+Break and the shutdown of the system (or of the
/// container) as SIGTERM. After a close Windows ends the process within 5 s, after a shutdown within 20 s or as long as
/// the system is set to; the end of the process is not held up by a `drain` or `grace` that is longer.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::{SignalAction, Signals, SupervisorConfig};
///
/// // Ctrl+C drains like SIGTERM, and a second one forces at once.
/// let signals = Signals { interrupt: SignalAction::Drain, force_after: Duration::ZERO, ..Signals::default() };
/// let config = SupervisorConfig { signals, ..SupervisorConfig::default() };
/// assert!(config.signals.listen);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signals {
    /// If `true`, `run`, `run_to_exit` and [`Tree::start`](crate::Tree::start) listen to signals. Default: `true`.
    pub listen: bool,
    /// The time in which further signals are the same request. Zero makes each signal count. Default: 1 s.
    pub force_after: Duration,
    /// The response to a first SIGINT (Ctrl+C, or the close of the console on Windows). Default:
    /// [`SignalAction::Stop`], because a person waits.
    pub interrupt: SignalAction,
    /// The response to a first SIGTERM (Ctrl+Break, or the shutdown of the system on Windows). Default:
    /// [`SignalAction::Drain`].
    pub terminate: SignalAction,
}

/// The response to a first signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignalAction {
    /// Requests a shutdown, with its drain.
    Drain,
    /// Requests a shutdown without its drain: tasks are requested to stop at once.
    Stop,
}

impl Signals {
    /// Signals have no effect on the supervisor, and no handler is installed.
    pub const NONE: Self = Self { listen: false, ..Self::LISTEN };

    const LISTEN: Self = Self {
        listen: true,
        force_after: Duration::from_secs(1),
        interrupt: SignalAction::Stop,
        terminate: SignalAction::Drain,
    };
}

impl Default for Signals {
    #[inline]
    fn default() -> Self {
        Self::LISTEN
    }
}

/// `true` is the default, `false` is [`Signals::NONE`].
impl From<bool> for Signals {
    fn from(listen: bool) -> Self {
        if listen { Self::LISTEN } else { Self::NONE }
    }
}
