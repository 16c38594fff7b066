//! The items that `#[task]` keeps and adds: the function, the struct, `spec`, `NAME`, the traits.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::prelude::*;
use taskvisor::{CancellationToken, Task, TaskContext, TaskError, TaskRef, TaskSpec};

/// Only `Clone`, for each attempt: no `Debug`.
#[derive(Clone)]
pub struct Client {
    calls: Arc<AtomicUsize>,
}

/// Counts.
#[task]
pub async fn count(client: Client) -> Result<(), String> {
    client.calls.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[task(name = "with context")]
async fn with_context(ctx: TaskContext, mut number: u8) -> Result<(), TaskError> {
    assert_eq!(ctx.name(), "with context");
    number += 1;
    let _ = number;
    Ok(())
}

#[task]
async fn with_token(_: CancellationToken) {}

#[task]
async fn with_path(token: taskvisor::CancellationToken) {
    drop(token);
}

#[task]
async fn no_arguments() {}

#[task]
async fn r#loop(r#type: u8) {
    let _ = r#type;
}

#[task]
async fn owned(
    text: &'static str,
    cow: Cow<'static, str>,
    map: HashMap<&'static str, [u8; 4]>,
    call: fn(&str) -> &str,
    shared: Arc<dyn Fn(&str) -> u8 + Send + Sync>,
    tuple: (u8, Option<Box<str>>),
) {
    let _ = (text, cow, map, call, shared, tuple);
}

// Names that the generated code uses.
#[task]
async fn colliding(this: u8, cx: u8, context: u8, task: u8, token: u8, spec: u8, argument0: u8) {
    let _ = (this, cx, context, task, token, spec, argument0);
}

#[task]
async fn string_error(text: &'static str) -> Result<(), &'static str> {
    Err(text)
}

#[task]
async fn boxed_error() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Err("boxed".into())
}

#[task]
async fn io_error() -> Result<(), std::io::Error> {
    Err(std::io::Error::other("io"))
}

#[task]
async fn opaque_error() -> Result<(), impl std::error::Error + Send + Sync> {
    Err(std::io::Error::other("opaque"))
}

#[task]
async fn fatal() -> Result<(), TaskError> {
    Err(TaskError::Fatal {
        reason: "fatal".into(),
    })
}

#[task]
async fn endless() -> ! {
    std::future::pending().await
}

type Outcome<E = TaskError> = std::result::Result<(), E>;

#[task]
async fn aliased() -> Outcome {
    Ok(())
}

#[task]
#[cfg(any())]
async fn absent(missing: NoSuchType) {}

#[cfg(any())]
#[task]
async fn absent_too(missing: NoSuchType) {}

#[task]
#[cfg(all())]
async fn present() {}

mod inner {
    use taskvisor::prelude::*;

    #[task]
    pub(crate) async fn visible(number: u8) {
        let _ = number;
    }
}
use inner::visible as seen;

async fn run(task: impl Into<TaskSpec>, task_again: impl Task) -> Result<(), TaskError> {
    drop(task.into());
    task_again.spawn(CancellationToken::new()).await
}

fn show(value: impl Display) -> String {
    format!("{value:#}")
}

#[tokio::main]
async fn main() {
    let calls = Arc::new(AtomicUsize::new(0));
    let client = Client {
        calls: Arc::clone(&calls),
    };

    // The function can still be called, and the struct is a value.
    count(client.clone()).await.unwrap();
    let task = count {
        client: client.clone(),
    };
    assert_eq!(task.client.calls.load(Ordering::Relaxed), 1);
    assert_eq!(format!("{task:?}"), "count { .. }");
    assert_eq!(count::NAME, "count");
    assert_eq!(count::spec(client.clone()).name(), "count");
    let task: TaskRef = Arc::new(task);
    assert!(!task.takes_context());
    task.spawn(CancellationToken::new()).await.unwrap();
    let context = TaskContext::detached("count", CancellationToken::new());
    task.attempt(context).await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 3);

    assert_eq!(with_context::NAME, "with context");
    assert!(with_context { number: 1 }.takes_context());
    run(with_context { number: 1 }, with_context { number: 1 }).await.unwrap();
    assert!(with_token {}.takes_context());
    assert!(with_path {}.takes_context());
    run(with_token {}, no_arguments {}).await.unwrap();

    assert_eq!(r#loop::NAME, "loop");
    run(r#loop { r#type: 1 }, r#loop { r#type: 1 }).await.unwrap();
    let _ = owned::spec("", "".into(), HashMap::new(), |text| text, Arc::new(|_| 1), (1, None));
    let _ = colliding::spec(1, 2, 3, 4, 5, 6, 7);
    colliding(1, 2, 3, 4, 5, 6, 7).await;
    let _ = (present::spec(), seen::spec(1), seen { number: 1 }, seen(1));

    let error = string_error { text: "text" }.spawn(CancellationToken::new()).await;
    assert!(show(error.unwrap_err()).contains("text"));
    assert!(run(boxed_error {}, boxed_error {}).await.is_err());
    assert!(run(io_error {}, io_error {}).await.is_err());
    assert!(run(opaque_error {}, opaque_error {}).await.is_err());
    assert!(matches!(run(fatal {}, fatal {}).await, Err(TaskError::Fatal { .. })));
    run(aliased {}, aliased {}).await.unwrap();
    let forever = endless {}.spawn(CancellationToken::new());
    drop(forever);

    // A task inside a function sees the items of that function.
    #[derive(Clone)]
    struct Local;
    #[task]
    async fn local(value: Local) {
        let _ = value;
    }
    run(local { value: Local }, local { value: Local }).await.unwrap();
}
