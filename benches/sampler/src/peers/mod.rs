//! Other crates, each used as its documentation says, with limits raised where the work would exceed them.

mod kameo;
mod ractor;
mod task_supervisor;
mod taskvisor_0_9;
mod tokio_graceful_shutdown;

pub(crate) use self::kameo::Kameo;
pub(crate) use self::ractor::Ractor;
pub(crate) use self::task_supervisor::TaskSupervisor;
pub(crate) use self::taskvisor_0_9::Taskvisor09;
pub(crate) use self::tokio_graceful_shutdown::TokioGracefulShutdown;
