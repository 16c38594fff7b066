//! The items that `#[subscriber]` keeps and adds: the function, the struct, `NAME`, the traits.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use taskvisor::prelude::*;

/// Only `Clone`, for each event: no `Debug`.
#[derive(Clone)]
pub struct Counter(Arc<AtomicUsize>);

/// Counts.
#[subscriber]
pub async fn count(event: &Event, counter: Counter) {
    if event.kind == EventKind::TaskStarting {
        counter.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[subscriber(name = "by name", queue = 16)]
async fn named(event: &taskvisor::Event, mut seen: Arc<Mutex<Vec<EventKind>>>) {
    tokio::task::yield_now().await;
    Arc::get_mut(&mut seen);
    seen.lock().unwrap().push(event.kind);
}

type Happening = Event;
const CAPACITY: usize = 8;
const NAME: &str = "computed";

#[subscriber(name = NAME, queue = CAPACITY * 2)]
async fn aliased(_: &Happening) -> () {}

#[subscriber(queue = { CAPACITY },)]
async fn destructured(&Event { seq, .. }: &Event, text: Cow<'static, str>, call: fn(&str) -> &str) {
    let _ = (seq, text, call);
}

#[subscriber]
async fn r#loop(event: &'_ Event, r#type: u8) {
    let _ = (event, r#type);
}

// Names that the generated code uses.
#[subscriber]
async fn colliding(event: &Event, this: u8, given: u8, argument0: u8) {
    let _ = (event, this, given, argument0);
}

#[subscriber]
#[cfg(any())]
async fn absent(event: &NoSuchType) {}

#[subscriber]
#[cfg(all())]
async fn present(event: &Event) {
    let _ = event;
}

#[subscriber]
#[deprecated]
async fn old(_event: &Event, _number: u8) {}

mod inner {
    use taskvisor::prelude::*;

    #[subscriber]
    pub(crate) async fn visible(event: &Event) {
        let _ = event;
    }
}
use inner::visible as seen;

#[task]
async fn ping() {}

#[tokio::main]
async fn main() {
    let counter = Counter(Arc::default());
    let events = Arc::new(Mutex::new(Vec::new()));
    let value = count { counter: counter.clone() };
    assert_eq!((count::NAME, value.name(), value.queue_capacity()), ("count", "count", 1024));
    assert_eq!(format!("{value:?}"), "count { .. }");
    let value = named { seen: events.clone() };
    assert_eq!((named::NAME, value.name(), value.queue_capacity()), ("by name", "by name", 16));
    assert_eq!((aliased::NAME, aliased {}.queue_capacity()), ("computed", 16));
    assert_eq!(r#loop { r#type: 1 }.name(), "loop");

    // A subscriber inside a function sees the items of that function.
    #[derive(Clone)]
    struct Local;
    #[subscriber]
    async fn local(event: &Event, value: Local) {
        let _ = (event, value);
    }

    let call: fn(&str) -> &str = |text| text;
    let shared = Arc::new(seen {});
    let tree = supervise!(
        subscribers = [
            count { counter: counter.clone() },
            value,
            aliased {},
            destructured { text: "text".into(), call },
            r#loop { r#type: 1 },
            colliding { this: 1, given: 2, argument0: 3 },
            present {},
            local { value: Local },
            shared.clone(),
            shared,
        ],
        tasks = [ping {}],
    );
    tree.run().await.unwrap();
    assert_eq!(counter.0.load(Ordering::Relaxed), 1);
    let seen = events.lock().unwrap().clone();
    assert!(seen.starts_with(&[EventKind::TaskAddRequested, EventKind::TaskAdded, EventKind::TaskStarting]), "{seen:?}");

    // The function can still be called.
    let sup = Supervisor::new(SupervisorConfig::default(), vec![Arc::new(Again(counter.clone()))]);
    sup.run(vec![ping::spec()]).await.unwrap();
    assert_eq!(counter.0.load(Ordering::Relaxed), 2);
}

struct Again(Counter);

#[taskvisor::async_trait]
impl Subscribe for Again {
    async fn on_event(&self, event: &Event) {
        count(event, self.0.clone()).await;
    }
}
