//! The macros of taskvisor: `#[task]`, `#[subscriber]`, `supervise!` and `#[supervisor]`. Use them through `taskvisor`,
//! which re-exports them.
//!
//! Each macro is a pipeline of parse, check and expand, over one table-driven reader of options (`table`, `reader`).
//! `errors` collects all errors of an invocation, and `bindings` evaluates the user's expressions in the written order.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable, clippy::indexing_slicing)
)]

mod apart;
mod argument;
mod arms;
mod bindings;
mod echo;
mod errors;
mod function;
mod keys;
mod markdown;
mod meant;
mod options;
mod path;
mod punctuation;
mod reader;
mod source;
mod subscriber;
mod supervise;
mod supervisor;
mod synonyms;
mod table;
mod task;
#[cfg(test)]
mod tests;
mod twice;
mod unlisted;

use proc_macro::TokenStream;
use taskvisor_parse::{duration, suggest};

/// Makes a task from a function: a unit of work that a supervisor runs.
///
/// The function stays as written, and can be called. The macro adds a struct of the same name, with one public field
/// for each argument. The struct
/// - implements `Task`: each attempt calls the function with clones of the fields;
/// - has `name::spec(args..)`, which makes a `TaskSpec` with the options below, and `name::NAME`; where the argument is
///   a `String`, `spec` takes whatever converts into one;
/// - converts into a `TaskSpec`, so that it can stand in `supervise!` or be given to the builder;
/// - can be cloned, and has the documentation of the function and, as those of its fields, of the arguments.
///
/// The guide explains [tasks][guide-tasks], [restarts and backoff][guide-restarts], [schedules][guide-schedules],
/// [blocking work][guide-blocking], and what runs once over several replicas: [fleets][guide-fleets].
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
/// A first argument of type `TaskContext` or `CancellationToken` belongs to the attempt and is not a field. With such
/// an argument, the task has time to clean up after a stop request or a timeout; without one, the attempt is dropped at
/// once. All other arguments are owned, and `Clone + Send + Sync`.
///
/// What cannot be cloned, such as a listener, is shared: in an `Arc` where `&` is enough, and in an
/// `Arc<tokio::sync::Mutex<..>>` where `&mut` is needed. The next attempt goes on with the same value. In place of a
/// receiver, a task takes an `Inbox`, whose messages outlive the attempt.
///
/// ```
/// use std::sync::Arc;
/// use taskvisor::prelude::*;
/// use tokio::net::TcpListener;
///
/// #[task(restart = "on_failure", initial_delay = "10ms", cleanup = "2s", metric_label = "inbox", crate = "taskvisor")]
/// async fn consume(ctx: TaskContext, numbers: Inbox<u32>) {
///     while let Some(number) = numbers.next(&ctx).await {
///         println!("got {number}");
///     }
/// }
///
/// #[task(restart = "always", readiness = false)]
/// async fn accept(listener: Arc<TcpListener>) -> Result<(), std::io::Error> {
///     let (_connection, peer) = listener.accept().await?;
///     println!("{peer} is here");
///     Ok(())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (sender, numbers) = taskvisor::inbox(8);
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let tree = supervise!(
///     tasks = [consume { numbers }, accept { listener: Arc::new(listener) }],
/// );
/// sender.send(5).await?;
/// tree.run_until(tokio::time::sleep(std::time::Duration::from_millis(50))).await?;
/// # Ok(())
/// # }
/// ```
///
/// Other attributes of the function, such as `#[instrument]` of the crate `tracing`, stand above or below `#[task]`, and
/// apply to the function. Each attempt calls it, so it gets a span for each attempt.
///
/// # Names
/// The struct is in the type namespace, as modules are. In `mod ping; use ping::ping;` it would have the name of the
/// module, which is error E0255. `struct = PingTask` gives it another name, and the function keeps its own:
///
/// ```
/// use taskvisor::prelude::*;
///
/// mod ping {
///     use taskvisor::prelude::*;
///
///     /// Sends one ping.
///     #[task(struct = PingTask)]
///     pub async fn ping(
///         /// The host that answers.
///         address: String,
///     ) {
///         println!("ping {address}");
///     }
/// }
/// use ping::{PingTask, ping};
///
/// # #[tokio::main]
/// # async fn main() {
/// ping("localhost".into()).await;
/// let tree = supervise!(tasks = [ping = PingTask { address: "localhost".into() }]);
/// assert_eq!((tree.tasks.ping.name(), PingTask::NAME), ("ping", "ping"));
/// # }
/// ```
///
/// A function in an `impl` cannot be a task, because its struct has no place there: the compiler says that a struct is not
/// supported in an `impl`. The method stays as it is, and a task beside the `impl` calls it:
///
/// ```
/// use std::sync::Arc;
/// use taskvisor::prelude::*;
///
/// struct Store;
///
/// impl Store {
///     async fn compact(&self) -> Result<(), String> {
///         Ok(())
///     }
/// }
///
/// #[task(restart = "always", interval = "1h")]
/// async fn compact(store: Arc<Store>) -> Result<(), String> {
///     store.compact().await
/// }
/// # let _ = compact { store: Arc::new(Store) };
/// ```
///
/// # What it returns
/// `()`, or `Result<(), E>`, where `E` is `TaskError`, any error, a boxed error, `String` or `&'static str`. With the
/// feature `anyhow` a `TaskError` inside an `anyhow::Error` keeps its meaning. A function that never ends in success
/// returns `Infallible`, `!`, or `Result<Infallible, E>`: with `critical`, each end of it fails the group. A function that
/// returns `()` and must not end says so with `critical = "any_end"`.
///
/// ```
/// use std::convert::Infallible;
/// use taskvisor::prelude::*;
///
/// #[task(restart = "never", critical)]
/// async fn follow() -> Result<Infallible, String> {
///     Err("connection lost".into())
/// }
///
/// /// Ends when the channel is closed, which must not happen.
/// #[task(critical = "any_end")]
/// async fn consume() {}
///
/// /// Ready from the first download on, until three in a row have failed.
/// #[task(restart = "always", every = "1m", ready = "first_success", unready_after = 3)]
/// async fn download() -> Result<(), String> {
///     Ok(())
/// }
///
/// /// Thousands of these do not strike at the same second, and their lines are in no span.
/// #[task(restart = "always", every = "1m", splay = "10s", span = "none")]
/// async fn poll(customer: u32) {
///     println!("polls {customer}");
/// }
///
/// # #[tokio::main]
/// # async fn main() {
/// let error = supervise!(tasks = [follow {}]).run().await.unwrap_err();
/// assert_eq!(format!("{error:#}"), "`follow` failed (connection lost), which `root` needs");
/// let error = supervise!(tasks = [consume {}, download {}, poll { customer: 7 }]).run().await.unwrap_err();
/// assert_eq!(error.to_string(), "`consume` ended although it must not, which `root` needs");
/// # }
/// ```
///
/// # Options
/// An option that is not given is inherited from the supervisor's config when the task is registered.
///
/// The last column has the setter of `TaskSpec` for the same option.
///
/// | option | takes | when not given anywhere | what it does | setter |
/// |---|---|---|---|---|
/// | `name` | string | the function's name | what events, logs and calls name the task by | `with_name` |
/// | `struct` | name | the function's name | the name of the struct, where that of the function is taken | - |
/// | `crate` | path | `::taskvisor` | where taskvisor is, if it is renamed or re-exported | - |
#[doc = options::options_of_tasks!()]
///
/// `backoff(..)` is one unit: a field that is not given has its default, and is not inherited.
///
/// | field | takes | default | what it does |
/// |---|---|---|---|
/// | `first` | duration | `"100ms"` | the wait before the first retry |
/// | `max` | duration | `"30s"` | no wait is longer |
/// | `factor` | number, at least 1 | `1.0` | each wait is this many times the one before |
/// | `jitter` | `"none"`, `"full"`, `"equal"`, `"decorrelated"` | `"none"` | how the waits are spread |
/// | `reset_after` | duration | the larger of `max` and 10 s | an attempt that lived this long starts over from `first` |
///
/// The words of other libraries and systems, which the error for an unknown word knows:
///
/// | in | word | coming from |
/// |---|---|---|
#[doc = synonyms::words_of_others!()]
///
/// A duration is a string such as `"250ms"`, `"1.5s"` or `"1h30m"`, in the units `ns`, `us`, `ms`, `s`, `m`, `h` and
/// `d`, or any expression of type `Duration`; `timeout = None` is none. A word may stand in quotes or bare. Any other
/// value is an expression of the type: `restart = POLICY`, `critical = flag`, `backoff = policy`. Literals are checked at
/// compile time. Expressions are evaluated each time that a spec is made; an invalid value is a typed error when the task is
/// registered. `name` takes a constant. `watchdog` and `ready = "signal"` need a `TaskContext`; `ready = "completed"`
/// needs a task that ends, so not `"always"`; `ready = "first_success"` needs `"always"`.
///
/// With `restart = "always"` and no `interval`, a task that succeeds in the first poll of its attempt ten times in a row
/// is paused for 1 ms to 100 ms from then on, with one warning; `interval = "0s"` runs it without a pause.
///
/// ```
/// use std::time::Duration;
/// use taskvisor::prelude::*;
///
/// const POLL: Duration = Duration::from_secs(5);
///
/// #[task(
///     name = "poller",
///     restart = "always",
///     every = POLL,
///     timeout = POLL / 2,
///     limit(max_restarts = 5, within = "60s"),
/// )]
/// async fn poll(ctx: TaskContext, url: String) -> Result<(), TaskError> {
///     println!("{} asks {url}", ctx.name());
///     Ok(())
/// }
///
/// assert_eq!(poll::spec("http://localhost").every(), Some(POLL));
/// ```
///
/// # Schedules
/// With `cron`, which needs the feature `cron`, a task runs at times of the calendar. The pattern has five fields: minute,
/// hour, day of month, month and day of week. A field is `*`, or a list of values, ranges such as `9-17`, and steps such
/// as `*/15`. Months and days of the week have names, `L` is the last day of the month, and `mon#2` its second Monday.
/// `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly` stand for a whole pattern.
///
/// The times are those of `zone`. A literal pattern is checked at compile time, and a zone when the task is registered: the
/// macros have no database of zones. `Schedule` is the same for the builder.
///
/// The first run is at the first time of the pattern, and until then the task is ready. Runs never overlap. After a
/// failure, the task waits for its backoff, or for its next time if that is earlier. So `cron` stands alone: without
/// `every`, `interval` and `initial_delay`, and with no `ready` but `"start"`.
///
/// ```
/// use taskvisor::prelude::*;
/// use taskvisor::{Missed, Schedule};
///
/// /// At half past two of each working day, shifted by up to ten minutes. A run that was missed is made up for within an
/// /// hour.
/// #[task(
///     restart = "always",
///     cron = "30 2 * * mon-fri",
///     zone = "Europe/Berlin",
///     splay = "10m",
///     missed = "once",
///     late = "1h",
/// )]
/// async fn nightly() -> Result<(), String> {
///     Ok(())
/// }
///
/// #[task(restart = "always", cron = "@hourly", missed = "skip")]
/// async fn rotate() {}
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RuntimeError> {
/// let schedule = Schedule::cron("@hourly").missed(Missed::Skip);
/// assert_eq!(rotate::spec().schedule(), Some(schedule));
/// let tree = supervise!(tasks = [nightly {}, rotate {}]);
/// tree.run_until(std::future::ready(())).await
/// # }
/// ```
///
/// # Singletons
/// With `singleton`, which needs the feature `fleet`, a task runs in one replica of a service at a time: the tree has a
/// `fleet`, as `supervise!` shows. The ticks of `every` are then shared by the replicas, in whole seconds by the clock of
/// the store, and what `missed` and `late` say of `cron` counts for them as well. So it stands without `initial_delay`, and
/// with no `ready` but `"start"`.
///
/// ```
/// use taskvisor::prelude::*;
///
/// /// Each hour in one replica. A run whose owner dies is repeated by another, within ten minutes.
/// #[task(
///     restart = "always",
///     every = "1h",
///     singleton,
///     ticks = "at_least_once",
///     missed = "once",
///     late = "10m",
/// )]
/// async fn invoice() -> Result<(), String> {
///     Ok(())
/// }
///
/// /// Serves requests, so that only the owner is ready; and ends the process rather than to run on without its lease.
/// #[task(singleton = "frontend", standby = "not_ready", overrun = "abort")]
/// async fn serve(ctx: TaskContext) {
///     println!("with the token {:?}", ctx.fencing_token());
///     ctx.cancelled().await;
/// }
///
/// assert!(invoice::spec().is_singleton() && serve::spec().is_singleton());
/// ```
///
/// # Functions that block
/// With `blocking`, each attempt runs on a thread of its own, which has the name of the task. If no thread can be
/// created, the attempt has failed with that error, and is retried as any failure. With `blocking = "pool"`, for short
/// jobs, each attempt runs on Tokio's blocking pool, which all `spawn_blocking` of the runtime share. An attempt that
/// still waits for a thread of the pool ends at once when it is requested to stop.
///
/// A running attempt cannot be dropped: after a stop request or its timeout it continues until the function returns.
/// Until then the task keeps its name and its permit, and no next attempt begins. After the `stop_timeout` its outcome
/// is *aborted*. A long function should take a `TaskContext` or a `CancellationToken` and check it.
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
/// Each mistake is an error at its token. All errors of an invocation are reported at once, and the function and the
/// struct always exist.
///
/// ```compile_fail
/// use taskvisor::prelude::*;
///
/// #[task(restrat = "always")] // unknown option `restrat`, did you mean `restart`?
/// async fn sweep() {}
/// ```
///
/// [guide-tasks]: ../taskvisor/guide/tasks/index.html
/// [guide-restarts]: ../taskvisor/guide/restarts/index.html
/// [guide-schedules]: ../taskvisor/guide/schedules/index.html
/// [guide-blocking]: ../taskvisor/guide/blocking/index.html
/// [guide-fleets]: ../taskvisor/guide/fleets/index.html
#[doc = include_str!("mistakes/task.md")]
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(options.into(), item.into()).into()
}

/// Makes a subscriber from an async function. A subscriber receives the events of a supervisor.
///
/// The function stays as written, and can be called. The macro adds a struct of the same name, with one public field
/// for each argument after the event. The struct
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
/// The first argument is the event, `&Event`. The others are owned, and `Clone + Send + Sync`; share mutable state in
/// an `Arc`. The function returns nothing. The next event is delivered when it has returned.
///
/// The guide explains [outcomes and events][guide-events].
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
/// ```
/// use taskvisor::prelude::*;
///
/// #[subscriber(name = "printer", queue = 64, crate = "taskvisor")]
/// async fn print(event: &Event) {
///     println!("{event:?}");
/// }
///
/// assert_eq!(print::NAME, "printer");
/// ```
///
/// # Errors
/// The same as for `#[task]`.
///
/// ```compile_fail
/// use taskvisor::prelude::*;
///
/// #[subscriber(queu = 16)] // unknown option `queu`, did you mean `queue`?
/// async fn print(event: &Event) {
///     println!("{event:?}");
/// }
/// ```
///
/// [guide-events]: ../taskvisor/guide/outcomes_and_events/index.html
#[doc = include_str!("mistakes/subscriber.md")]
#[proc_macro_attribute]
pub fn subscriber(options: TokenStream, item: TokenStream) -> TokenStream {
    subscriber::expand(options.into(), item.into()).into()
}

/// Declares a tree of tasks and groups, with a typed handle for each.
///
/// It expands to calls of `Tree::builder`. It never fails, and starts nothing. The result is a `DeclaredTree`. It
/// dereferences to `Tree`, for `run`, `run_until`, `start` and `shutdown`, and `into()` makes a `Tree` of it. Its field
/// `tasks` has a `ChildHandle` for each task, and its field `groups` has the handles of each group: a wrong name does
/// not compile.
///
/// The guide explains [groups][guide-groups], [schedules][guide-schedules], [slots][guide-slots] and
/// [fleets][guide-fleets]. `Tree::builder`
/// declares the same trees without a macro.
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
/// `overrides` lets a deployment change options without a new build, such as `APP_PING_INTERVAL=1m`. The guide explains
/// [overrides][guide-overrides]:
///
/// ```
/// use taskvisor::prelude::*;
///
/// #[task(restart = "always", interval = "10s")]
/// async fn ping() {}
///
/// let tree = supervise!(overrides = Overrides::env("APP"), tasks = [ping {}]);
/// println!("{}", tree.settings());
/// ```
///
/// A task that depends on a flag is `..flag.then_some(ping { .. })`. Tasks of a spread have no field: `tree.child("shard-1")`
/// is the handle of one.
///
/// ```
/// use std::time::Duration;
/// use taskvisor::prelude::*;
///
/// #[task(restart = "always", interval = "1s")]
/// async fn sync(shard: u8) {
///     println!("shard {shard}");
/// }
///
/// #[task]
/// async fn migrate() {}
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RuntimeError> {
/// let (shards, migrates) = (0..3, true);
/// let tree = supervise!(
///     config = SupervisorConfig { bus_capacity: 256, ..SupervisorConfig::default() },
///     drain = "10ms",
///     max_concurrent = 2,
///     max_starting = 1,
///     signals = false,
///     tasks = [
///         ..migrates.then_some(migrate {}),
///         ..shards.map(|shard| sync { shard }.with_name(format!("shard-{shard}"))),
///     ],
/// );
/// assert_eq!(tree.child("shard-2").path(), "shard-2");
/// tree.run_until(tokio::time::sleep(Duration::from_millis(10))).await
/// # }
/// ```
///
/// The arms of an `if` with `else` and of a `match` can be the structs of different tasks:
///
/// ```
/// use taskvisor::prelude::*;
///
/// #[task]
/// async fn lead() {}
///
/// #[task]
/// async fn follow(leader: String) {
///     println!("follows {leader}");
/// }
///
/// let leader = Some("node-1".to_owned());
/// let tree = supervise!(
///     tasks = [
///         role = match leader {
///             Some(leader) => follow { leader },
///             None => lead {},
///         },
///     ],
/// );
/// assert_eq!(tree.tasks.role.name(), "role");
/// ```
///
/// # Keys
///
/// | key | takes | default | what it does |
/// |---|---|---|---|
/// | `tasks` | list in brackets | none | the tasks, below |
/// | `strategy` | a word, below | `one_for_one` | the children that restart when one fails, and the limit |
/// | `subscribers` | list in brackets | none | the receivers of events, by value or in an `Arc` |
/// | `fleet` | `Fleet` | none | the replicas among which a `singleton` runs once, below; with the feature `fleet` |
/// | `limits` | list in brackets | none | the limits with names, below |
/// | `slots` | list in brackets | none | the admission slots, below; with the feature `controller` |
/// | `controller` | `ControllerConfig` | its default | how many submissions may wait; with the feature `controller` |
/// | `name` | string | `"root"` | the name of the tree |
/// | `config` | `SupervisorConfig` | its default | the config, of which the keys below override fields |
/// | `grace` | duration | `"60s"` | how long a shutdown may take, past which tasks are aborted |
/// | `drain` | duration | `"0s"` | how long tasks go on once a shutdown is requested |
/// | `max_concurrent` | number | unlimited | how many attempts run at a time |
/// | `max_starting` | number | unlimited | how many tasks are between the begin of an attempt and its readiness |
/// | `signals` | `true`, `false`, a `Signals`, or a list, below | `true` | how the tree shuts down on SIGINT and SIGTERM |
/// | `defaults` | list of options, below | the config's | what the tasks that leave them out inherit |
/// | `overrides` | `Overrides` | none | options that files and variables of a deployment change |
/// | `crate` | path | `::taskvisor` | where taskvisor is, if it is renamed or re-exported |
///
/// Durations and numbers are written as in `#[task]`.
///
/// # Tasks
/// - `ping { .. }`, `ping::spec(..)` or a variable: the field has that name, the task its own.
/// - Any other expression that is `Into<TaskSpec>`: a task without a field.
/// - `label = entry`: the label is the field, and the name of the task.
/// - `task(entry, ..)`: the entry, with options that replace those it has. `restart` with its `interval`, and
///   `backoff(..)`, are replaced as a whole. `critical = false`, `significant = false`, `final_attempt = false`,
///   `readiness = true`, `paused = false` and `singleton = false` take back what `#[task]` says.
/// - `label = group(..)`: a group, below.
/// - `label = group(value, ..)`: a `Group` from a function, a variable or the builder, with the options of `group(..)` except `tasks`,
///   `fresh` and `strategy`. Its handle is a `GroupHandle`. A variable that is called like an option stands in parentheses.
/// - `..iterator`: the tasks of an iterator, without fields.
///
/// The table shows which option is valid where. `#[task]` documents the options of tasks:
///
/// | option | `#[task(..)]` | `task(..)` | `group(..)` | `defaults(..)` |
/// |---|---|---|---|---|
/// | `name` | yes | yes | - | - |
/// | `struct` | yes | - | - | - |
/// | `crate` | yes | - | - | - |
/// | `after` | - | yes | yes | - |
/// | `max_concurrent` | - | - | yes | - |
/// | `max_starting` | - | - | yes | - |
/// | `dynamic` | - | - | yes | - |
/// | `fresh` | - | - | yes | - |
/// | `strategy` | - | - | yes | - |
/// | `tasks` | - | - | yes | - |
#[doc = options::places_of_options!()]
///
/// The options that only `task(..)` has, because their values are known when the tree is made:
///
/// | option | takes | when not given | what it does | setter |
/// |---|---|---|---|---|
#[doc = options::options_of_entries!()]
///
/// The names in one list must differ. If two equal names are visible in the list, or are names of `#[task]` structs as
/// in `ping { .. }`, the list does not compile; other entries are checked when the tree starts.
///
/// Entries and keys can have `#[cfg(..)]` and doc comments. The doc comment of an entry becomes the documentation of its
/// handle. Expressions are evaluated once, in the written order, before anything is built.
///
/// ```
/// use taskvisor::prelude::*;
/// use taskvisor::Tree;
///
/// #[task(restart = "always", interval = "10s")]
/// async fn ping() {}
///
/// #[task]
/// async fn report() {}
///
/// // Each `supervise!` has a type of its own. As `Tree`, two have the same type.
/// fn tree(with_reports: bool) -> Tree {
///     if with_reports {
///         supervise!(
///             #[cfg(debug_assertions)]
///             grace = "1s",
///             tasks = [
///                 /// Keeps the connection open.
///                 ping {},
///                 #[cfg(unix)]
///                 report {},
///             ],
///         )
///         .into()
///     } else {
///         supervise!(tasks = [ping {}]).into()
///     }
/// }
/// # drop(tree(true));
/// ```
///
/// # Groups
/// A group holds tasks and groups that start, fail and stop together. Its label is its name. In the returned tree,
/// `tree.groups.store` dereferences to the `GroupHandle` of `store`, and has its own fields `tasks` and `groups`.
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
///     while ctx.sleep(Duration::from_secs(1)).await {
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
/// | `strategy` | a word, below | `one_for_one` | the children that restart when one fails, and the limit |
/// | `after` | list in brackets | none | what must be ready before the group starts |
/// | `restart` | `"never"`, `"on_failure"`, `"always"` | `"on_failure"` | when the group starts again after it has ended |
/// | `max_retries` | number | unlimited | how many failures in a row of the group are retried |
/// | `backoff` | list, as in `#[task]` | the config's | the wait before the group is started again |
/// | `critical` | `true`, `false` or `"any_end"` | `true` | its end in failure, for good, fails the group that it is in; with `"any_end"`, its end in success does as well |
/// | `significant` | alone, or `true` or `false` | `false` | its end in success, for good, ends the group that it is in; not with `"always"` |
/// | `readiness` | `true` or `false` | `true` | the states of its tasks count for the readiness of the service |
/// | `singleton` | alone, or a `bool`, or a key as a string, or an `Option` of one | `false` | it runs in one replica of the `fleet` at a time, under one lease |
/// | `standby` | `"ready"`, `"not_ready"` | `"ready"` | whether its tasks count as ready while another replica owns it |
/// | `overrun` | `"report"`, `"abort"` | `"report"` | what follows if its work has not ended when its lease has: an event, or the abort of the process |
/// | `paused` | alone, or `true` or `false` | `false` | it is paused when the tree starts: no attempt begins in it until its handle resumes it |
/// | `max_concurrent` | number | unlimited | how many attempts run at a time in the group, those in nested groups included |
/// | `max_starting` | number | unlimited | how many tasks of the group are between the begin of an attempt and its readiness |
/// | `dynamic` | `"keep"`, `"drop"` | `"keep"` | what becomes of tasks that were added at run time when the group restarts |
/// | `fresh` | function | none | makes the tasks anew at each start of the group, in place of `tasks` |
/// | `start_timeout` | duration | the config's | how long the future of `fresh` may take |
/// | `limit` | the name of a limit | none | the limit of `limits = [limit(db, 4)]` whose permits the attempts in the group need |
///
/// ```
/// use taskvisor::prelude::*;
///
/// #[task]
/// async fn pool() {}
///
/// #[task]
/// async fn import(part: u8) {
///     println!("part {part}");
/// }
///
/// let tree = supervise!(
///     tasks = [
///         pool {},
///         // Runs once: the tree ends when all parts are there, and serves meanwhile.
///         imports = group(
///             after = [pool],
///             restart = "never",
///             significant,
///             readiness = false,
///             max_concurrent = 4,
///             max_starting = 2,
///             tasks = [..(0..100).map(|part| import { part }.with_name(format!("part-{part}")))],
///         ),
///     ],
/// );
/// assert_eq!(tree.groups.imports.path(), "imports");
/// ```
///
/// # Tasks that are made at each start
/// `fresh = make` makes the tasks of a group anew, at its first start and at each restart. So a restart heals what they
/// share, such as a broken pool. `make` is an async function without arguments, or a closure, that returns
/// `Result<Vec<TaskSpec>, E>` or another list of what becomes a `TaskSpec`. An error is a failure of the group.
///
/// ```
/// use std::io;
/// use std::sync::Arc;
/// use std::time::Duration;
/// use taskvisor::prelude::*;
///
/// struct Pool(String);
///
/// impl Pool {
///     async fn connect(url: &str) -> io::Result<Arc<Self>> {
///         Ok(Arc::new(Self(url.to_owned())))
///     }
/// }
///
/// #[task(restart = "always", interval = "1s")]
/// async fn sync(pool: Arc<Pool>) {
///     println!("with {}", pool.0);
/// }
///
/// async fn store(url: &str) -> io::Result<[TaskSpec; 2]> {
///     let pool = Pool::connect(url).await?;
///     Ok(["users", "orders"].map(|name| sync::spec(Arc::clone(&pool)).with_name(name)))
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RuntimeError> {
/// let tree = supervise!(
///     tasks = [
///         store = group(
///             strategy = one_for_all(max_restarts = 0, within = "1m"),
///             fresh = || store("db://main"),
///             start_timeout = "10s",
///             dynamic = "drop",
///         ),
///     ],
/// );
/// tree.run_until(tokio::time::sleep(Duration::from_millis(10))).await
/// # }
/// ```
///
/// # Schedules
/// `cron` and its options can stand in `#[task]` or in `task(..)`; see `#[task]`. `defaults(zone = ..)` is the time zone of
/// all schedules that have none. `last_run` says when a task ran last, before the program started: the times of its
/// pattern since then were missed.
///
/// ```
/// use std::time::SystemTime;
/// use taskvisor::prelude::*;
///
/// #[task(restart = "always", cron = "30 2 * * *")]
/// async fn nightly() {}
///
/// #[task(restart = "always")]
/// async fn report(customer: u32) {
///     println!("for {customer}");
/// }
///
/// /// Reads what the last run has stored.
/// fn last_run() -> Option<SystemTime> {
///     None
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RuntimeError> {
/// let saved = last_run();
/// let tree = supervise!(
///     defaults(zone = "Europe/Berlin"),
///     tasks = [
///         task(nightly {}, last_run = saved),
///         task(report { customer: 7 }, cron = "0 8 1 * *", zone = "America/New_York"),
///     ],
/// );
/// tree.run_until(std::future::ready(())).await
/// # }
/// ```
///
/// # Fleets
/// `fleet = Fleet::new(store)` says that this process is one of several replicas, which share a store. What is a
/// `singleton` then runs in one of them at a time, and stands by in the others: a task, or a group with one lease for all of
/// it. A slot with `fleet` runs one of its tasks in all replicas together. `Fleet::local()` is a fleet of one process: two
/// trees that are given clones of it are two replicas. The guide explains [fleets][guide-fleets].
///
/// ```
/// use std::time::Duration;
/// use taskvisor::prelude::*;
///
/// #[task]
/// async fn ledger(ctx: TaskContext) {
///     ctx.cancelled().await;
/// }
///
/// #[task(restart = "always", every = "1h", singleton)]
/// async fn report() {}
///
/// #[task]
/// async fn feed(ctx: TaskContext, name: &'static str) {
///     println!("one replica reads {name}");
///     ctx.cancelled().await;
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RuntimeError> {
/// let tree = supervise!(
///     fleet = Fleet::local().name("billing").ttl(Duration::from_secs(15)),
///     tasks = [
///         task(ledger {}, singleton),
///         // In every replica: this undoes the `singleton` of `#[task]`.
///         task(report {}, singleton = false),
///         feeds = group(
///             singleton = "feeds",
///             standby = "not_ready",
///             overrun = "abort",
///             tasks = [orders = feed { name: "orders" }, prices = feed { name: "prices" }],
///         ),
///     ],
/// );
/// tree.run_until(tokio::time::sleep(Duration::from_millis(10))).await
/// # }
/// ```
///
/// Nothing can be `after` a singleton, which does not start in every replica: `group(singleton, tasks = [..])` with both
/// has an order within.
///
/// # Strategies
/// - `one_for_one`: what fails restarts alone.
/// - `one_for_all`: all restart.
/// - `rest_for_one`: what fails, and what is declared after it. They start one after another, each when the one before is
///   ready.
///
/// With a limit, as in `one_for_all(max_restarts = 5, within = "60s")`, the group fails at the sixth failure within
/// that time.
///
/// | of the limit | takes | what it does |
/// |---|---|---|
/// | `max_restarts` | number | how many failures are followed by a restart |
/// | `within` | duration | the time in which they are counted |
///
/// # Slots
/// A slot runs submitted tasks, one at a time by default: `slot(deploy)`, or
/// `slot(deploy, admission = .., capacity = ..)`. In the returned tree, `tree.slots.deploy` is its `SlotHandle`, with
/// `submit`, `queue`, `replace`, `latest`, `drop_if_running` and `cancel_all`. A tree with slots runs until a shutdown.
/// Slots need the feature `controller`.
///
/// | option | takes | default | what it does |
/// |---|---|---|---|
/// | `admission` | `"queue"`, `"replace"`, `"latest"`, `"drop_if_running"` | `"queue"` | what `submit` does while the slot is busy: wait its turn, take the place of the task that runs, take the place of the one that waits, or give up |
/// | `capacity` | number | the controller's `slot_capacity` | how many may wait in the queue |
/// | `debounce` | duration | none | how long a submission waits for a newer one before it starts; needs `"latest"` |
/// | `debounce_max` | duration | none | how long submissions that supersede each other wait in all; needs `debounce` |
/// | `limit` | the name of a limit | none | the limit whose permits its tasks need |
/// | `concurrency` | number | 1 | how many tasks run at once, in each key |
/// | `keyed` | alone, or `true` or `false` | `false` | the slot has keys, as in `tree.slots.jobs.key("acme")`, each with a queue of its own; not with `after` |
/// | `max_concurrent` | number | unlimited | how many tasks there are in all keys together, from their start until they have ended for good; a free place goes round the keys. Needs `keyed` |
/// | `rate` | string, as in `"10/1m"` | unlimited | how many tasks start within any such time; the rest waits |
/// | `paused` | alone, or `true` or `false` | `false` | it is paused at first: submissions wait until its handle resumes it |
/// | `fleet` | alone, or `true` or `false` | `false` | one of its tasks, in each key, runs in the whole `fleet` at a time; not with `"replace"` and `concurrency` |
///
/// # Limits
/// `limits = [limit(db, 4)]` declares a limit: four of the attempts that need it run at a time. `limit = db` on a task, a
/// group or a slot makes its attempts need it. `max_concurrent` of a group counts the attempts in the group. An attempt
/// that begins gets its permits one after another, each first come, first served: those of the groups around its task
/// from the inside, those of limits in the order of their declaration, and that of `max_concurrent` of the tree.
///
/// ```
/// use taskvisor::prelude::*;
///
/// #[task(limit = db)]
/// async fn import() {}
///
/// #[task]
/// async fn scale() {}
///
/// let tree = supervise!(
///     limits = [limit(db, 4), limit(cpu, 2)],
///     tasks = [
///         import {},
///         images = group(max_concurrent = 8, limit = cpu, tasks = [scale {}]),
///     ],
/// );
/// assert_eq!(tree.groups.images.path(), "images");
/// ```
///
/// # Signals
/// SIGINT and SIGTERM (Ctrl+C and Ctrl+Break on Windows) request a shutdown. `signals = false` leaves them to the program.
/// The type `Signals` explains them.
///
/// | of `signals` | takes | default | what it does |
/// |---|---|---|---|
/// | `force_after` | duration | `"1s"` | further signals within this time are the same request, later ones end the drain or force |
/// | `interrupt` | `"drain"`, `"stop"` | `"stop"` | whether a first SIGINT keeps the drain or skips it |
/// | `terminate` | `"drain"`, `"stop"` | `"drain"` | whether a first SIGTERM keeps the drain or skips it |
///
/// ```
/// use taskvisor::prelude::*;
///
/// #[task]
/// async fn migrate() {}
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RuntimeError> {
/// let tree = supervise!(
///     drain = "5s",
///     signals(force_after = "2s", interrupt = "drain", terminate = "drain"),
///     tasks = [migrate {}],
/// );
/// tree.run().await
/// # }
/// ```
///
/// # Order
/// `after = [store, migrate]` in `task(..)` or `group(..)` names earlier entries of the same list, by their field. An
/// entry starts when the entries that it is after are ready, and stops before they do. Entries without an order start
/// and stop together.
///
/// An entry of the tree itself can also name slots: `after = [reports]` with `slots = [slot(reports)]`. That slot
/// outlives the tree, and accepts submissions of the entry until the entry has stopped; see `TaskSpec::with_after`.
///
/// # Errors
/// Each mistake is an error at its token. All errors of an invocation are reported at once, and the tree always exists.
/// Errors in the options of tasks are those of `#[task]`.
///
/// [guide-fleets]: ../taskvisor/guide/fleets/index.html
/// [guide-groups]: ../taskvisor/guide/groups/index.html
/// [guide-overrides]: ../taskvisor/guide/overrides/index.html
/// [guide-schedules]: ../taskvisor/guide/schedules/index.html
/// [guide-slots]: ../taskvisor/guide/slots/index.html
#[doc = include_str!("mistakes/supervise.md")]
#[proc_macro]
pub fn supervise(input: TokenStream) -> TokenStream {
    supervise::expand(input.into()).into()
}

/// Gives the type of a tree a name, for a field, an argument, or another module.
///
/// The function makes the tree with `supervise!(..)`, and returns it. The macro creates the type: the name is an alias
/// of `DeclaredTree`, beside the function and with its visibility. The types of the fields begin with the name, such as
/// `AppTasks`, `AppGroups` and `AppTasksOfStore`.
///
/// The guide explains [groups][guide-groups].
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
/// The function can be `async` and generic, and can have any code around the tree. It can return the tree in a `Result`:
///
/// ```
/// use std::num::ParseIntError;
/// use taskvisor::prelude::*;
///
/// #[task]
/// async fn serve(port: u16) {
///     println!("listens on {port}");
/// }
///
/// #[supervisor]
/// fn app(port: &str) -> Result<App, ParseIntError> {
///     let port = port.parse()?;
///     Ok(supervise!(tasks = [serve { port }]))
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// app("8080")?.run().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Options
///
/// | option | takes | default | what it does |
/// |---|---|---|---|
/// | `crate` | path | `::taskvisor` | where taskvisor is, if it is renamed or re-exported |
///
/// In a crate that knows taskvisor only through another, both macros take the path:
///
/// ```
/// mod facade {
///     pub use taskvisor;
/// }
/// use facade::taskvisor::{supervise, supervisor, task};
///
/// #[task(crate = "facade::taskvisor")]
/// async fn ping() {}
///
/// #[supervisor(crate = "facade::taskvisor")]
/// fn app() -> App {
///     supervise!(crate = "facade::taskvisor", tasks = [ping {}])
/// }
///
/// # fn main() {
/// assert_eq!(app().tasks.ping.path(), "ping");
/// # }
/// ```
///
/// # Errors
/// The errors of `supervise!`. The function and the type always exist.
///
/// ```compile_fail
/// use taskvisor::prelude::*;
///
/// #[supervisor]
/// fn app() -> App {
///     supervise!(); // the tree is what the function returns: leave out this `;`
/// }
/// ```
///
/// [guide-groups]: ../taskvisor/guide/groups/index.html
#[doc = include_str!("mistakes/supervisor.md")]
#[proc_macro_attribute]
pub fn supervisor(options: TokenStream, item: TokenStream) -> TokenStream {
    supervisor::expand(options.into(), item.into()).into()
}

/// Generates the items of `taskvisor::__private::keys`.
#[doc(hidden)]
#[proc_macro]
pub fn __keys(_: TokenStream) -> TokenStream {
    keys::expand().into()
}
