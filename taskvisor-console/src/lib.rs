//! A page that shows a taskvisor supervision tree live: why a task does not run, its last attempts, and when its next
//! one is due. If allowed, it restarts, triggers, cancels, pauses and resumes.
//!
//! [`Console`] is a [`Service`](tower_service::Service) of HTTP requests. It is mounted in an existing server, or
//! served on a port or socket of its own with the feature `serve`. By default it is read-only, and answers only
//! requests that name the loopback interface. Without a client it costs nothing.
//!
//! # In axum
//! ```
//! use axum::Router;
//! use taskvisor::prelude::*;
//! use taskvisor::History;
//! use taskvisor_console::Console;
//! use tokio::net::TcpListener;
//!
//! #[task(restart = "always")]
//! async fn serve(ctx: TaskContext, addr: String, history: History) -> std::io::Result<()> {
//!     let console = Console::new(ctx.supervisor()).history(history).allow_actions();
//!     let app = Router::new().route_service("/console", console);
//!     let listener = TcpListener::bind(addr).await?;
//!     axum::serve(listener, app).with_graceful_shutdown(ctx.token().cancelled_owned()).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), RuntimeError> {
//! let history = History::new();
//! let addr = "127.0.0.1:0".to_owned();
//! let tree = supervise!(subscribers = [history.clone()], tasks = [serve { addr, history }]);
//! # tree.start().await?;
//! # tree.wait_ready().await;
//! # return tree.shutdown().await;
//! # #[allow(unreachable_code)]
//! tree.run().await
//! # }
//! ```
//!
//! `route_service("/console", ..)` answers at `/console` alone: axum answers `/console/` with 404. `nest_service` answers
//! at both.
//!
//! # Queries
//! Each request is a query at the path of the mount. The path of a task is percent-encoded.
//!
//! | request | answer |
//! |---|---|
//! | `GET` | the page |
//! | `GET ?tree`, `?tree=PATH` | the whole tree, or a part, as JSON |
//! | `GET ?events` | the tree and its changes, as server-sent events |
//! | `GET ?node=PATH` | a node with its settings, error, history and events |
//! | `GET ?why=PATH` | why it does not run, or its state, as a sentence; for a waiting submission, its `slot` too |
//! | `GET ?timers` | the nodes that wait for a time, the soonest first, without those that stand by for a lease |
//! | `GET ?log` | the last actions, and the last events, which are kept while a stream is open |
//! | `POST ?restart=PATH`, `?trigger=`, `?cancel=`, `?pause=`, `?resume=` | acts on a task or group, and returns the result |
//! | `POST ?pause_slot=NAME`, `?resume_slot=NAME` | the same for a slot, declared, busy or paused, or for a key of one, `SLOT/KEY` |
//! | `POST ?shutdown` | requests a shutdown |
//!
//! Nodes, slots, events and histories have the form of [`taskvisor::json`]. An error is `{"error": ".."}` with 400, 403,
//! 404, 405, 409 (refused in this state), 421 (a host that is not allowed), 500 (the function that decides on access panicked)
//! or 503 (32 streams are open, or the runtime ends).
//!
//! # Security
//! - Every request has to name one of the [`hosts`](Console::hosts), so that no other site can reach it by a name of
//!   its own. Then [`access`](Console::access) decides, also on the page and its files.
//! - `GET` never acts. A `POST` needs `Sec-Fetch-Site: same-origin`, which browsers send and pages cannot forge, or
//!   without it an `Origin` with the host of the request. Clients without a page send either.
//! - The page loads nothing from elsewhere, has no script or style in its markup, and shows names and errors as text only.
//!   Every answer has a strict content security policy, `nosniff`, `no-store` and `no-referrer`.
//! - The body of a request is never read.
//!
//! # Features
//!
//! | feature | effect |
//! |---|---|
//! | `serve` | `Console::serve`, `serve_on` and `serve_unix` |
//! | `fleet` | leases and the state of the fleet |
//! | `tracing` | an event of `tracing` for each action |

mod access;
mod action;
mod apart;
mod console;
mod live;
mod page;
mod query;
mod reply;
#[cfg(feature = "serve")]
mod serve;
mod service;
mod settings;
mod sync;
mod view;
mod within;

pub use access::Access;
pub use console::Console;
pub use reply::Body;
pub use service::Answer;

/// The program of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
