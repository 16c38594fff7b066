//! The contenders: the crates that are measured.

use std::error::Error;
use std::future::Future;

use crate::sample::Sample;
use crate::work::{GroupLife, Others, Slot};

/// A sample, or `None` if the contender cannot do that work.
pub(crate) type Measured = Result<Option<Sample>, Box<dyn Error + Send + Sync>>;

/// Does and measures each [`Work`](crate::work::Work) in its own way.
///
/// A contender does not support the works that it does not implement.
pub(crate) trait Contender: Send + Sync + 'static {
    fn restart(&self, _size: u64, _takes_token: bool, _subscribers: u64) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    /// With a console at which nobody looks.
    fn restart_beside_console(&self, _size: u64) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn restart_beside(&self, _size: u64, _others: Others) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn restart_with_metrics(&self, _size: u64) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn restart_with_tracing(&self, _size: u64) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn once(&self, _size: u64, _takes_token: bool) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn idle(&self, _size: u64, _takes_token: bool) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn cancel(&self, _size: u64, _others: u64, _has_started: bool) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn stop(&self, _size: u64) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn deliver(&self, _size: u64, _subscribers: u64) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn burst(&self, _size: u64, _tasks: u64) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn slot(&self, _size: u64, _slot: Slot) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn group(&self, _size: u64, _life: GroupLife) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn poll(&self, _size: u64) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn lifecycle(&self, _size: u64) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }

    fn backoff(&self, _size: u64, _seconds: u64) -> impl Future<Output = Measured> + Send {
        async { Ok(None) }
    }
}
