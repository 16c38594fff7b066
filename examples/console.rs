//! A console of a tree, for the examples that take `--console`: a task that serves it, and a history for it.

use std::sync::Arc;

use taskvisor::{Subscribe, TaskSpec};

pub(crate) use served::Port;

/// The parts that a console adds to a tree.
#[derive(Default)]
pub(crate) struct Attached {
    pub(crate) task: Option<TaskSpec>,
    pub(crate) subscribers: Vec<Arc<dyn Subscribe>>,
}

#[cfg(feature = "console")]
mod served {
    use std::io;
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Arc;

    use taskvisor::prelude::*;
    use taskvisor::{History, Subscribe};
    use taskvisor_console::Console;

    use super::Attached;

    /// A port, bound before the tree starts, so that its address is known and stays the same.
    #[derive(Clone)]
    pub(crate) struct Port(Arc<TcpListener>, SocketAddr);

    impl Port {
        pub(crate) fn bind(addr: SocketAddr) -> Result<Self, String> {
            let bound = TcpListener::bind(addr).and_then(|listener| {
                listener.set_nonblocking(true)?;
                let addr = listener.local_addr()?;
                Ok(Self(Arc::new(listener), addr))
            });
            bound.map_err(|error| format!("{addr}: {error}"))
        }

        pub(crate) fn addr(&self) -> SocketAddr {
            self.1
        }

        /// A console at this port, for one tree.
        pub(crate) fn attach(&self) -> Attached {
            let history = History::new();
            let subscriber: Arc<dyn Subscribe> = Arc::new(history.clone());
            Attached { task: Some(console::spec(self.clone(), history)), subscribers: vec![subscriber] }
        }
    }

    /// Serves the console of the tree of this task. Every client on the loopback interface may act.
    #[task(restart = "always")]
    async fn console(ctx: TaskContext, port: Port, history: History) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(port.0.try_clone()?)?;
        let console = Console::new(ctx.supervisor()).history(history).allow_actions();
        ctx.run_until_cancelled(console.serve_on(listener)).await.unwrap_or(Ok(()))
    }
}

#[cfg(not(feature = "console"))]
mod served {
    use std::net::SocketAddr;

    use super::Attached;

    /// The type has no value: there is no console.
    #[derive(Clone)]
    pub(crate) enum Port {}

    impl Port {
        pub(crate) fn bind(_: SocketAddr) -> Result<Self, String> {
            Err("`--console` needs `--features console`".to_owned())
        }

        pub(crate) fn addr(&self) -> SocketAddr {
            match *self {}
        }

        pub(crate) fn attach(&self) -> Attached {
            match *self {}
        }
    }
}
