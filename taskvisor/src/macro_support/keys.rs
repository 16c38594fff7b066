//! The keys and words of the macros, for editors: in rust-analyzer, an expansion imports each one that is used, which
//! gives it docs and completion.

taskvisor_macros::__keys!();

/// The words before the lists in `tasks = [..]` and `slots = [..]`.
pub mod lists {
    /// `task(entry, ..)`: an entry with options, which replace those that it has.
    pub mod task {}

    /// `label = group(tasks = [..], ..)`: tasks and groups that start, fail and stop together. The label is its name.
    pub mod group {}

    /// `slot(name, ..)`: runs submitted tasks one at a time.
    pub mod slot {}
}

/// The values of `strategy`.
pub mod words_of_strategy {
    pub use crate::Strategy::{OneForAll as one_for_all, OneForOne as one_for_one, RestForOne as rest_for_one};
}

/// The values of `restart`.
pub mod words_of_restart {
    pub use crate::RestartPolicy::{Always as always, Never as never, OnFailure as on_failure};
}

/// The values of `ready`.
pub mod words_of_ready {
    pub use crate::Ready::{Completed as completed, FirstSuccess as first_success, Signal as signal, Start as start};
}

/// The values of `critical`, besides `true` and `false`.
pub mod words_of_critical {
    /// `critical = "any_end"`: each end of the task for good without a stop request, also in success, fails its group.
    pub mod any_end {}
}

/// The values of `blocking`, besides `true` and `false`.
pub mod words_of_blocking {
    /// `blocking = "pool"`: each attempt runs on Tokio's blocking pool. For short jobs.
    pub mod pool {}
}

/// The values of `span`.
pub mod words_of_span {
    pub use crate::SpanScope::{Attempt as attempt, None as none};
}

/// The values of `missed`.
pub mod words_of_missed {
    #[cfg(feature = "cron")]
    pub use crate::Missed::{Once as once, Skip as skip};
}

/// The values of `standby`.
pub mod words_of_standby {
    #[cfg(feature = "fleet")]
    pub use crate::fleet::Standby::{NotReady as not_ready, Ready as ready};
}

/// The values of `overrun`.
pub mod words_of_overrun {
    #[cfg(feature = "fleet")]
    pub use crate::fleet::Overrun::{Abort as abort, Report as report};
}

/// The values of `ticks`.
pub mod words_of_ticks {
    #[cfg(feature = "fleet")]
    pub use crate::fleet::Ticks::{AtLeastOnce as at_least_once, AtMostOnce as at_most_once};
}

/// The values of `dynamic`.
pub mod words_of_dynamic {
    pub use crate::Dynamic::{Drop as drop, Keep as keep};
}

/// The values of `jitter`.
pub mod words_of_jitter {
    pub use crate::JitterPolicy::{Decorrelated as decorrelated, Equal as equal, Full as full, None as none};
}

/// The values of `interrupt` and `terminate`.
pub mod words_of_signals {
    pub use crate::SignalAction::{Drain as drain, Stop as stop};
}

/// The values of `admission`.
#[cfg(feature = "controller")]
pub mod words_of_admission {
    pub use crate::AdmissionPolicy::{
        DropIfRunning as drop_if_running, Latest as latest, Queue as queue, Replace as replace,
    };
}
