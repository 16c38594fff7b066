//! The tree: the tasks, their order, and the effects of failures. All supervision of the service is here and in the
//! attributes of its tasks.
//!
//! ```text
//! store (group)    pool <- migrate
//!    ^
//!    |-- relay <- serve <- customers     arrows say `after`: starts later, stops earlier
//!    |-- backlog
//!    |-- cleanup                         at 03:30 each night
//!    '-- report                          in one replica of all
//! upkeep
//! slots            statements, one at a time for each tenant
//! ```

use std::sync::Arc;

use taskvisor::fleet::Fleet;
use taskvisor::prelude::*;
use taskvisor::{Overrides, Tree};

use crate::http::{Server, serve};
use crate::relay::{Route, relay};
use crate::report::report;
use crate::store::{Store, backlog, cleanup, migrate};
use crate::telemetry::upkeep;

/// The parts of the tree. Tests use a store in memory and a scripted broker.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) server: Server,
    pub(crate) route: Route,
    pub(crate) fleet: Fleet,
    pub(crate) overrides: Overrides,
    /// Customers and faults, which a real deployment does not have.
    pub(crate) extra: Vec<TaskSpec>,
}

/// Builds the tree. The pool is an argument, so that a test can replace it by a script.
///
/// - A stop begins with the customers and the server, continues with the relay, which delivers the accepted orders, and
///   ends with the pool.
/// - A pool that fails is opened again, and the tables are checked again. The other tasks continue, and find a closed
///   pool meanwhile. With its backoff, the pool cannot exceed the limit of the group, so a database that is unavailable
///   for hours stops nothing. A pool that fails repeatedly within a minute ends the process, and the orchestrator
///   restarts it.
/// - `/readyz` answers 503 in the drain, while requests are still answered: so load balancers notice it before the
///   server stops.
pub(crate) fn tree(parts: Parts, pool: TaskSpec) -> Tree {
    let Parts { store, server, route, fleet, overrides, extra } = parts;
    let (metrics, history, replica) = (server.metrics.clone(), server.history.clone(), Arc::clone(&route.replica));
    supervise!(
        name = "orders",
        subscribers = [history],
        drain = "2s",
        grace = "20s",
        fleet = fleet,
        overrides = overrides,
        defaults(backoff(first = "100ms", max = "10s", factor = 2.0, jitter = "equal")),
        slots = [slot(statements, keyed, concurrency = 1, capacity = 8, max_concurrent = 4)],
        tasks = [
            store = group(
                strategy = rest_for_one(max_restarts = 30, within = "60s"),
                tasks = [pool = pool, task(migrate { store: Arc::clone(&store) }, after = [pool])],
            ),
            task(relay { route }, after = [store]),
            task(serve { server }, after = [store, relay]),
            task(backlog { store: Arc::clone(&store) }, after = [store]),
            task(cleanup { store: Arc::clone(&store) }, after = [store]),
            task(report { store, replica }, after = [store]),
            upkeep { metrics },
            ..extra,
        ],
    )
    .into()
}
