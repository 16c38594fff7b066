//! `retry_if` and `blocking`, in every form that a function can have.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use taskvisor::prelude::*;
use taskvisor::{BoxError, Task};

fn never<E>(_: &E) -> bool {
    false
}

fn is_empty(text: &String) -> bool {
    text.is_empty()
}

fn is_static(_: &&'static str) -> bool {
    false
}

fn is_boxed(_: &BoxError) -> bool {
    false
}

struct Policy;

impl Policy {
    const ALWAYS: fn(&io::Error) -> bool = |_| true;

    fn never(_: &io::Error) -> bool {
        false
    }
}

trait Transient {
    fn is_transient(&self) -> bool;
}

impl Transient for io::Error {
    fn is_transient(&self) -> bool {
        false
    }
}

type Outcome<E = TaskError> = Result<(), E>;

#[task(retry_if = is_empty, restart = "on_failure", max_retries = 3)]
async fn string(text: String) -> Result<(), String> {
    Err(text)
}

#[task(retry_if = is_static)]
async fn text() -> Result<(), &'static str> {
    Err("text")
}

#[task(retry_if = is_boxed)]
async fn boxed() -> Result<(), BoxError> {
    Err("boxed".into())
}

#[task(retry_if = Policy::never)]
async fn of_type() -> io::Result<()> {
    Err(io::Error::other("of type"))
}

#[task(retry_if = Policy::ALWAYS)]
async fn constant() -> io::Result<()> {
    Err(io::Error::other("constant"))
}

#[task(retry_if = Transient::is_transient)]
async fn of_trait() -> io::Result<()> {
    Err(io::Error::other("of trait"))
}

#[task(retry_if = <io::Error as Transient>::is_transient)]
async fn qualified() -> io::Result<()> {
    Err(io::Error::other("qualified"))
}

#[task(retry_if = self::never)]
async fn generic() -> Outcome<io::Error> {
    Err(io::Error::other("generic"))
}

#[task(retry_if = never::<TaskError>)]
async fn turbofish() -> Outcome {
    Err(TaskError::error("turbofish"))
}

#[task(retry_if = never)]
async fn opaque() -> Result<(), impl std::error::Error + Send + Sync> {
    Err(io::Error::other("opaque"))
}

#[task(retry_if = TaskError::is_retryable)]
async fn own(error: fn() -> TaskError) -> Outcome {
    Err(error())
}

// A function with the name of the option, which the generated code uses as well.
mod named {
    use super::*;

    fn retry_if(_: &String) -> bool {
        false
    }

    #[task(retry_if = retry_if)]
    pub(super) async fn check(result: String) -> Result<(), String> {
        Err(result)
    }
}

macro_rules! define {
    ($name:ident, $path:path, $function:expr, $flag:ident) => {
        #[task(retry_if = $path, max_retries = 5)]
        async fn $name() -> io::Result<()> {
            Err(io::Error::other("by path"))
        }

        mod $flag {
            use super::*;

            #[task($flag, retry_if = $function)]
            pub(super) fn $name() -> io::Result<()> {
                Err(io::Error::other("by expression"))
            }
        }
    };
}
define!(defined, Policy::never, Policy::never, blocking);

/// This doc comment is kept.
#[task(blocking, name = "sync", restart = "always", interval = "1s", timeout = "5s")]
pub fn sync_files(ctx: TaskContext, mut files: Vec<String>) -> io::Result<()> {
    files.push(ctx.name().to_owned());
    Ok(())
}

#[task(blocking = true, watchdog = "1s", ready = "signal")]
fn with_path(ctx: taskvisor::TaskContext) {
    ctx.ready();
    ctx.heartbeat();
}

#[task(blocking)]
fn with_token(token: CancellationToken, counter: &'static AtomicU8) {
    assert!(!token.is_cancelled());
    counter.fetch_add(1, Ordering::SeqCst);
}

#[task(blocking, retry_if = never)]
fn failing(this: u8, context: u8, task: u8) -> Result<(), String> {
    Err(format!("{}", this + context + task))
}

#[task(blocking)]
fn endless() -> ! {
    panic!("the end")
}

#[task(blocking = false)]
async fn not_blocking() {}

#[task(blocking = "pool", retry_if = never)]
fn pooled(number: u8) -> Result<(), String> {
    Err(number.to_string())
}

#[task(blocking = pool)]
fn pooled_with_context(ctx: TaskContext) {
    assert_eq!(ctx.attempt(), 1);
}

#[task]
async fn forever() -> std::convert::Infallible {
    std::future::pending().await
}

#[task(retry_if = never)]
async fn until_it_fails() -> Result<std::convert::Infallible, String> {
    Err("lost".to_owned())
}

#[task(blocking)]
fn blocks_until_it_fails() -> Result<std::convert::Infallible, String> {
    Err("lost".to_owned())
}

// A value that is not `Send`, which is allowed since there is no `await`.
#[task(blocking)]
fn not_send() {
    let shared = std::rc::Rc::new(1);
    assert_eq!(*shared, 1);
}

async fn error_of(task: impl Task) -> String {
    match task.spawn(CancellationToken::new()).await {
        Err(error @ TaskError::Permanent(_)) => format!("permanent: {error:#}"),
        Err(error) => format!("{}: {error:#}", error.as_label()),
        Ok(()) => "none".to_owned(),
    }
}

#[tokio::main]
async fn main() {
    static COUNTER: AtomicU8 = AtomicU8::new(0);

    assert_eq!(error_of(string { text: "full".into() }).await, "permanent: full");
    assert_eq!(error_of(string { text: String::new() }).await, "task_failed: ");
    assert_eq!(error_of(text {}).await, "permanent: text");
    assert_eq!(error_of(boxed {}).await, "permanent: boxed");
    assert_eq!(error_of(of_type {}).await, "permanent: of type");
    assert_eq!(error_of(constant {}).await, "task_failed: constant");
    assert_eq!(error_of(of_trait {}).await, "permanent: of trait");
    assert_eq!(error_of(qualified {}).await, "permanent: qualified");
    assert_eq!(error_of(generic {}).await, "permanent: generic");
    assert_eq!(error_of(turbofish {}).await, "permanent: turbofish");
    assert_eq!(error_of(opaque {}).await, "permanent: opaque");
    assert_eq!(error_of(named::check { result: "x".into() }).await, "permanent: x");
    assert_eq!(error_of(defined {}).await, "permanent: by path");
    assert_eq!(error_of(blocking::defined {}).await, "permanent: by expression");
    let fatal = || TaskError::Fatal { reason: "own".into() };
    assert_eq!(error_of(own { error: fatal }).await, "task_fatal: own");
    assert_eq!(error_of(own { error: || TaskError::Canceled }).await, "task_canceled: canceled");

    assert_eq!(error_of(sync_files { files: vec![] }).await, "none");
    assert_eq!(error_of(with_token { counter: &COUNTER }).await, "none");
    assert_eq!(COUNTER.load(Ordering::SeqCst), 1);
    assert_eq!(error_of(failing { this: 1, context: 2, task: 3 }).await, "permanent: 6");
    assert_eq!(error_of(endless {}).await, "task_panicked: panicked: the end");
    assert_eq!(error_of(with_path {}).await, "none");
    assert_eq!(error_of(not_send {}).await, "none");
    assert_eq!(error_of(not_blocking {}).await, "none");
    assert_eq!(error_of(pooled { number: 7 }).await, "permanent: 7");
    assert_eq!(error_of(pooled_with_context {}).await, "none");
    assert_eq!(error_of(until_it_fails {}).await, "permanent: lost");
    assert_eq!(error_of(blocks_until_it_fails {}).await, "task_failed: lost");
    drop(forever {});

    // The functions are callable as written.
    not_send();
    assert_eq!(failing(1, 2, 3), Err("6".to_owned()));
    let tree = supervise!(tasks = [sync_files::spec(vec![]), not_send {}, task(with_path {}, timeout = "1s")]);
    assert_eq!(tree.tasks.sync_files.path(), "sync");
    // A thread cannot be dropped, so that its end is awaited.
    assert!(not_send {}.takes_context() && !not_blocking {}.takes_context());
    assert!(pooled { number: 1 }.takes_context());
}
