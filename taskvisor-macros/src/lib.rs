//! The macros of taskvisor: `#[task]`, `#[subscriber]`, `supervise!` and `#[supervisor]`. Use them through `taskvisor`,
//! which re-exports them.
//!
//! Each macro is a pipeline of parse, check and expand, over one table-driven reader of options (`table`, `reader`)
//! that gathers all errors of an invocation (`errors`) and the user's expressions in written order (`bindings`).
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable, clippy::indexing_slicing)
)]

mod argument;
mod bindings;
mod duration;
mod errors;
mod function;
mod options;
mod path;
mod reader;
mod subscriber;
mod suggest;
mod supervise;
mod supervisor;
mod table;
mod task;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes a function a task: a unit of work that can be supervised.
///
/// The function stays as written, and can be called. Beside it comes a struct of the same name, with one public field
/// for each argument, that
/// - implements `Task`: each attempt calls the function with clones of the fields;
/// - has `name::spec(args..)`, which makes a `TaskSpec` with the options below, and `name::NAME`;
/// - converts into a `TaskSpec`, so that it can stand in `supervise!` or be given to the builder.
///
/// ```
/// use taskvisor::prelude::*;
///
/// /// Removes what has expired.
/// #[task(restart = "always", interval = "10s", timeout = "5s", backoff(factor = 2.0, jitter = "equal"))]
/// async fn sweep(limit: usize) -> Result<(), std::io::Error> {
///     println!("at most {limit} of them");
///     Ok(())
/// }
///
/// # #[tokio::main]
/// # async fn main() {
/// let value = sweep { limit: 100 };
/// let spec = sweep::spec(100);
/// assert_eq!(spec.name(), sweep::NAME);
/// sweep(value.limit).await.unwrap();
/// # }
/// ```
///
/// # Arguments
/// A first argument of type `TaskContext` or `CancellationToken` is the attempt's own and no field. With one, the task
/// is asked to stop and has time to clean up; without one, the attempt is dropped when the task is told to stop. All
/// other arguments are owned, and `Clone + Send + Sync`.
///
/// # What it returns
/// `()`, or `Result<(), E>`, where `E` is `TaskError`, any error, a boxed error, `String` or `&'static str`. With the
/// feature `anyhow` a `TaskError` inside an `anyhow::Error` keeps its meaning.
///
/// # Options
/// What is not given is inherited from the supervisor's config when the task is registered.
///
/// | option | takes | when not given anywhere | what it does |
/// |---|---|---|---|
/// | `name` | string | the function's name | what events, logs and calls name the task by |
/// | `crate` | path | `::taskvisor` | where taskvisor is, if it is renamed or re-exported |
#[doc = options::options_of_tasks!()]
///
/// `backoff(..)` is one unit: what is not given in it is the default, and not inherited.
///
/// | field | takes | default | what it does |
/// |---|---|---|---|
/// | `first` | duration | `"100ms"` | the wait before the first retry |
/// | `max` | duration | `"30s"` | no wait is longer |
/// | `factor` | number, at least 1 | `1.0` | each wait is this many times the one before |
/// | `jitter` | `"none"`, `"full"`, `"equal"`, `"decorrelated"` | `"none"` | how the waits are spread |
/// | `reset_after` | duration | the larger of `max` and 10 s | an attempt that lived this long starts over from `first` |
///
/// A duration is a string such as `"250ms"`, `"1.5s"` or `"1h30m"`, in the units `ns`, `us`, `ms`, `s`, `m`, `h` and
/// `d`, or any expression of type `Duration`. A number is a literal or any expression. Literals are checked when the
/// program is compiled, and expressions are evaluated each time that a spec is made; what is wrong with those is a
/// typed error when the task is registered. `name` takes a constant. `watchdog` and `ready = "signal"` need a
/// `TaskContext`, and `ready = "completed"` a task that ends: not `"always"`.
///
/// ```
/// use std::time::Duration;
/// use taskvisor::prelude::*;
///
/// const POLL: Duration = Duration::from_secs(5);
///
/// #[task(name = "poller", restart = "always", every = POLL, timeout = POLL / 2, max_retries = 10)]
/// async fn poll(ctx: TaskContext, url: String) -> Result<(), TaskError> {
///     println!("{} asks {url}", ctx.name());
///     Ok(())
/// }
///
/// assert_eq!(poll::spec("http://localhost".into()).every(), Some(POLL));
/// ```
///
/// # Functions that block
/// With `blocking` each attempt runs on Tokio's blocking pool. Such an attempt cannot be dropped once it runs: told to
/// stop, or past its timeout, it goes on until it returns, and for that long the task keeps its name and its permit,
/// and no next attempt begins. Past the `stop_timeout` its outcome is *aborted*. So let a long one take a `TaskContext`
/// or a `CancellationToken`, and look at it. An attempt that still waits for a thread of the pool ends at once.
///
/// ```
/// use std::io;
/// use std::path::PathBuf;
/// use taskvisor::prelude::*;
///
/// fn is_transient(error: &io::Error) -> bool {
///     error.kind() == io::ErrorKind::Interrupted
/// }
///
/// #[task(blocking, retry_if = is_transient)]
/// fn remove(ctx: TaskContext, files: Vec<PathBuf>) -> io::Result<()> {
///     for file in files.iter().take_while(|_| !ctx.is_cancelled()) {
///         std::fs::remove_file(file)?;
///     }
///     Ok(())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RuntimeError> {
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
/// let task = supervisor.add_task(remove { files: vec!["/no/such/file".into()] }).await?;
/// assert!(matches!(task.outcome().await, TaskOutcome::Fatal { .. }));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Each mistake is an error at its token, all of an invocation at once, and the function and the struct are there all
/// the same.
///
/// ```compile_fail
/// use taskvisor::prelude::*;
///
/// #[task(restrat = "always")] // unknown option `restrat`, did you mean `restart`?
/// async fn sweep() {}
/// ```
#[doc = include_str!("mistakes/task.md")]
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(options.into(), item.into()).into()
}

/// Makes an async function a subscriber: one that is told what happens.
///
/// The function stays as written, and can be called. Beside it comes a struct of the same name, with one public field
/// for each argument after the event, that
/// - implements `Subscribe`: each event calls the function with clones of the fields;
/// - has `name::NAME`.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use taskvisor::prelude::*;
///
/// #[subscriber]
/// async fn count_starts(event: &Event, counter: Arc<AtomicU64>) {
///     if event.kind == EventKind::TaskStarting {
///         counter.fetch_add(1, Ordering::Relaxed);
///     }
/// }
///
/// #[task]
/// async fn migrate() {}
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RuntimeError> {
/// let counter = Arc::new(AtomicU64::new(0));
/// let tree = supervise!(
///     subscribers = [count_starts { counter: Arc::clone(&counter) }],
///     tasks = [migrate {}],
/// );
/// tree.run().await?;
/// assert_eq!(counter.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
///
/// The first argument is the event, `&Event`. The others are owned, and `Clone + Send + Sync`: share what changes in an
/// `Arc`. The function returns nothing, and the next event is handed over when it has returned.
///
/// # Options
///
/// | option | takes | default | what it does |
/// |---|---|---|---|
/// | `name` | string | the function's name | what reports about the subscriber name it by |
/// | `queue` | number, at least 1 | `1024` | how many events may wait for it while it is behind; the newest are lost beyond that |
/// | `crate` | path | `::taskvisor` | where taskvisor is, if it is renamed or re-exported |
///
/// `name` takes a constant; `queue` a literal, or any expression, which is evaluated when the supervisor is built.
///
/// # Errors
/// As those of `#[task]`.
///
/// ```compile_fail
/// use taskvisor::prelude::*;
///
/// #[subscriber(queu = 16)] // unknown option `queu`, did you mean `queue`?
/// async fn print(event: &Event) {
///     println!("{event:?}");
/// }
/// ```
#[doc = include_str!("mistakes/subscriber.md")]
#[proc_macro_attribute]
pub fn subscriber(options: TokenStream, item: TokenStream) -> TokenStream {
    subscriber::expand(options.into(), item.into()).into()
}

/// Declares a tree of tasks and groups, with a typed handle for each.
///
/// It lowers to `Tree::builder` and nothing else, never fails, and starts nothing. What it returns dereferences to
/// `Tree`, for `run`, `run_until`, `start` and `shutdown`, and has a field `tasks` with a `ChildHandle` for each task,
/// and a field `groups` with all of a group for each group: a wrong name does not compile.
///
/// ```
/// use std::time::Duration;
/// use taskvisor::prelude::*;
///
/// #[task(restart = "always", interval = "10s")]
/// async fn ping(address: String) {
///     println!("ping {address}");
/// }
///
/// #[task]
/// async fn sync(shard: u8) -> Result<(), String> {
///     println!("shard {shard}");
///     Ok(())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RuntimeError> {
/// let tree = supervise!(
///     name = "app",
///     grace = "30s",
///     defaults(timeout = "5s", backoff(factor = 2.0)),
///     tasks = [
///         ping { address: "a".into() },
///         second = ping { address: "b".into() },
///         task(sync { shard: 0 }, timeout = "1s", max_retries = 3),
///         ..(1..4).map(|shard| sync::spec(shard).with_name(format!("shard-{shard}"))),
///     ],
/// );
/// assert_eq!(tree.tasks.second.name(), "second");
/// tree.run_until(tokio::time::sleep(Duration::from_millis(10))).await
/// # }
/// ```
///
/// # Keys
///
/// | key | takes | default | what it does |
/// |---|---|---|---|
/// | `tasks` | list in brackets | none | the tasks, below |
/// | `strategy` | a word, below | `one_for_one` | who restarts when a task or group fails, and how often |
/// | `subscribers` | list in brackets | none | who gets the events, by value or in an `Arc` |
/// | `slots` | list in brackets | none | the admission slots, below; with the feature `controller` |
/// | `controller` | `ControllerConfig` | its default | how many submissions may wait; with the feature `controller` |
/// | `name` | string | `"root"` | the name of the tree |
/// | `config` | `SupervisorConfig` | its default | the config, of which the keys below override fields |
/// | `grace` | duration | `"60s"` | how long a shutdown may take, past which tasks are aborted |
/// | `drain` | duration | `"0s"` | how long tasks go on once a shutdown is requested |
/// | `max_concurrent` | number | unlimited | how many attempts run at a time |
/// | `signals` | `true` or `false` | `true` | whether `run` shuts down on SIGINT and SIGTERM |
/// | `defaults` | list of options, below | the config's | what the tasks that leave them out inherit |
/// | `crate` | path | `::taskvisor` | where taskvisor is, if it is renamed or re-exported |
///
/// Durations and numbers are written as in `#[task]`.
///
/// # Tasks
/// - `ping { .. }`, `ping::spec(..)` or a variable: the field has that name, the task its own.
/// - Any other expression that is `Into<TaskSpec>`: a task without a field.
/// - `label = entry`: the label is the field, and the name of the task.
/// - `task(entry, ..)`: the entry, with options that replace those it has. `restart` with its `interval`, and
///   `backoff(..)`, are replaced as a whole. `critical = false`, `significant = false`, `final_attempt = false` and
///   `readiness = true` take back what `#[task]` says.
/// - `label = group(..)`: a group, below.
/// - `..iterator`: the tasks of an iterator, without fields.
///
/// What can be given where; what the options of tasks mean is said at `#[task]`:
///
/// | option | `#[task(..)]` | `task(..)` | `group(..)` | `defaults(..)` |
/// |---|---|---|---|---|
/// | `name` | yes | yes | - | - |
/// | `crate` | yes | - | - | - |
/// | `after` | - | yes | yes | - |
/// | `strategy` | - | - | yes | - |
/// | `tasks` | - | - | yes | - |
#[doc = options::places_of_options!()]
///
/// The names in one list must differ. Where they are written in the list, or are those of `#[task]` structs as in
/// `ping { .. }`, two that are the same do not compile; other entries are looked at when the tree starts.
///
/// `#[cfg(..)]` can stand before an entry. Expressions are evaluated once, in the order written, before anything is
/// built.
///
/// # Groups
/// A group holds tasks and groups that start, fail and stop together. It has a label, which is its name. In the tree
/// that is returned, `tree.groups.store` dereferences to the `GroupHandle` of `store`, and has fields `tasks` and
/// `groups` of its own.
///
/// ```
/// use std::time::Duration;
/// use taskvisor::prelude::*;
///
/// #[task(ready = "completed")]
/// async fn migrate() {}
///
/// #[task(ready = "signal")]
/// async fn pool(ctx: TaskContext, size: u8) {
///     println!("{size} connections");
///     ctx.ready();
///     ctx.cancelled().await;
/// }
///
/// #[task(restart = "always", interval = "1m")]
/// async fn compact() {}
///
/// #[task(watchdog = "10s", critical)]
/// async fn serve(ctx: TaskContext) {
///     while ctx.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_some() {
///         ctx.heartbeat();
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RuntimeError> {
/// let tree = supervise!(
///     strategy = one_for_one(max_restarts = 10, within = "5m"),
///     tasks = [
///         store = group(
///             strategy = rest_for_one(max_restarts = 5, within = "60s"),
///             tasks = [
///                 migrate {},
///                 pool { size: 5 },
///                 upkeep = group(tasks = [compact {}], critical = false),
///             ],
///             backoff(first = "1s"),
///         ),
///         task(serve {}, after = [store]),
///     ],
/// );
/// assert_eq!(tree.groups.store.tasks.pool.path(), "store/pool");
/// assert_eq!(tree.groups.store.groups.upkeep.path(), "store/upkeep");
/// tree.run_until(tokio::time::sleep(Duration::from_millis(10))).await
/// # }
/// ```
///
/// | option | takes | default | what it does |
/// |---|---|---|---|
/// | `tasks` | list in brackets | none | the entries of the group, as those of the tree |
/// | `strategy` | a word, below | `one_for_one` | who restarts when one of them fails, and how often |
/// | `after` | list in brackets | none | what must be ready before the group starts |
/// | `restart` | `"never"`, `"on_failure"`, `"always"` | `"on_failure"` | when the group starts again after it has ended |
/// | `max_retries` | number | unlimited | how many failures in a row of the group are retried |
/// | `backoff` | list, as in `#[task]` | the config's | the wait before the group is started again |
/// | `critical` | `true` or `false` | `true` | its end in failure, for good, fails the group that it is in |
/// | `significant` | alone, or `true` or `false` | `false` | its end in success, for good, ends the group that it is in; not with `"always"` |
/// | `readiness` | `true` or `false` | `true` | the states of its tasks count for the readiness of the service |
///
/// # Strategies
/// - `one_for_one`: what fails restarts alone.
/// - `one_for_all`: all restart.
/// - `rest_for_one`: what fails, and what is declared after it. They start one after another, each when the one before is
///   ready.
///
/// With a limit, as in `one_for_all(max_restarts = 5, within = "60s")`, one failure more in that time fails the group.
///
/// | of the limit | takes | what it does |
/// |---|---|---|
/// | `max_restarts` | number | how many failures are followed by a restart |
/// | `within` | duration | the time in which they are counted |
///
/// # Slots
/// A slot runs what is submitted to it, one task at a time: `slot(deploy)`, or `slot(deploy, admission = .., capacity =
/// ..)`. In the tree that is returned `tree.slots.deploy` is its `SlotHandle`, with `submit`, `queue`, `replace`,
/// `drop_if_running` and `cancel_all`. A tree with slots runs until a shutdown. This needs the feature `controller`.
///
/// | option | takes | default | what it does |
/// |---|---|---|---|
/// | `admission` | `"queue"`, `"replace"`, `"drop_if_running"` | `"queue"` | what `submit` does while the slot is busy: wait its turn, take the place of the task that runs, or give up |
/// | `capacity` | number | the controller's `slot_capacity` | how many may wait in the queue |
///
/// # Order
/// `after = [store, migrate]` in `task(..)` or `group(..)` names entries of the same list that stand before, by their
/// field. What is after others starts when they are ready, and stops before they do. The rest starts and stops
/// together.
///
/// In the list of the tree itself, it can name slots as well: `after = [reports]` where `slots = [slot(reports)]` is
/// given. That slot outlives the tree, and takes submissions of the entry until it has stopped; see
/// `TaskSpec::with_after`.
///
/// # Errors
/// Each mistake is an error at its token, all of an invocation at once, and the tree is there all the same. Those in
/// the options of tasks are told as by `#[task]`.
#[doc = include_str!("mistakes/supervise.md")]
#[proc_macro]
pub fn supervise(input: TokenStream) -> TokenStream {
    supervise::expand(input.into()).into()
}

/// Declares a tree that is needed by name: for a field, an argument, or another module.
///
/// The function ends with `supervise!(..)`, and returns a type that is made here: a struct beside the function, as
/// visible as that, with what every tree has. The types of its fields begin with its name, as `AppTasks`, `AppGroups`
/// and `AppGroupStore` do.
///
/// ```
/// use std::time::Duration;
/// use taskvisor::prelude::*;
///
/// mod tree {
///     use taskvisor::prelude::*;
///
///     #[task(restart = "always", interval = "10s")]
///     async fn ping(address: String) {
///         println!("ping {address}");
///     }
///
///     /// All that the program does.
///     #[supervisor]
///     pub fn app(host: &str) -> App {
///         let address = format!("{host}:80");
///         supervise!(
///             grace = "5s",
///             tasks = [ping { address }, store = group(tasks = [ping { address: host.to_owned() }])],
///         )
///     }
/// }
///
/// struct Service {
///     app: tree::App,
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RuntimeError> {
/// let service = Service { app: tree::app("localhost") };
/// assert_eq!(service.app.groups.store.tasks.ping.path(), "store/ping");
/// service.app.run_until(tokio::time::sleep(Duration::from_millis(10))).await
/// # }
/// ```
///
/// The function can be `async` and generic, and do anything before the tree. It returns the tree itself, and no
/// `Result` with it: what can fail is done before, and passed as an argument.
///
/// # Options
///
/// | option | takes | default | what it does |
/// |---|---|---|---|
/// | `crate` | path | `::taskvisor` | where taskvisor is, if it is renamed or re-exported |
///
/// # Errors
/// Those of `supervise!`, and the function and the type are there all the same.
///
/// ```compile_fail
/// use taskvisor::prelude::*;
///
/// #[supervisor]
/// fn app() -> App {
///     supervise!(); // the tree is what the function returns: leave out this `;`
/// }
/// ```
#[doc = include_str!("mistakes/supervisor.md")]
#[proc_macro_attribute]
pub fn supervisor(options: TokenStream, item: TokenStream) -> TokenStream {
    supervisor::expand(options.into(), item.into()).into()
}
