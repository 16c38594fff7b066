//! Values that panic whenever they are dropped: two such panics at once end the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{Event, RuntimeError, Subscribe, Supervisor, SupervisorConfig, Tree};

/// A subscriber that counts its drop, and panics in it.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("a subscriber");
    }
}

#[async_trait::async_trait]
impl Subscribe for Bomb {
    async fn on_event(&self, _: &Event) {}
}

#[test]
fn k4a_subscribers_of_what_is_not_built_are_dropped_without_a_panic() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let bomb = || Arc::new(Bomb(Arc::clone(&dropped)));
    let config = SupervisorConfig::default;
    drop(Tree::builder(config()).with_subscriber(bomb()).with_subscriber(bomb()));
    drop(Supervisor::builder(config()).with_subscribers(vec![bomb(), bomb()]));
    let refused = SupervisorConfig { bus_capacity: 0, ..config() };
    let refused = Supervisor::builder(refused).with_subscribers(vec![bomb(), bomb()]).try_build();
    assert!(matches!(refused, Err(RuntimeError::InvalidOption(_))));
    assert_eq!(dropped.load(Ordering::Relaxed), 6);
}
