//! Drops of messages, and wakers of those that wait, that panic.

use std::future::Future;
use std::panic::panic_any;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use taskvisor::{CancellationToken, TaskContext, inbox};

/// A message that counts its drop, and panics in it.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("a message");
    }
}

/// A waker that counts its calls, and panics in them.
#[derive(Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic_any("a waker");
    }
}

impl Alarm {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn o50_unread_messages_that_panic_when_they_are_dropped_end_nothing() {
    let (sender, bombs) = inbox(3);
    let dropped = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        assert!(sender.try_send(Bomb(Arc::clone(&dropped))).is_ok());
    }
    drop(bombs);
    assert!(sender.is_closed());
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}

#[test]
fn o50_a_waker_that_panics_takes_no_message_with_it() {
    let (sender, numbers) = inbox(1);
    sender.try_send(1).unwrap();
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(Arc::clone(&alarm));
    let mut context = Context::from_waker(&waker);
    let mut waiting = pin!(sender.send(2));
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    // the waker of a sender is woken by the reader
    assert_eq!(numbers.try_next(), Some(1));
    assert_eq!(alarm.count(), 1);
    assert!(waiting.as_mut().poll(&mut context).is_ready());
    assert_eq!(numbers.try_next(), Some(2));
    // and that of a reader by a sender, and by one that puts a message back
    for puts_back in [false, true] {
        let ctx = TaskContext::detached("reader", CancellationToken::new());
        let mut next = pin!(numbers.next(&ctx));
        assert!(next.as_mut().poll(&mut context).is_pending());
        if puts_back {
            numbers.put_back(3);
        } else {
            sender.try_send(3).unwrap();
        }
        assert_eq!(next.as_mut().poll(&mut context), Poll::Ready(Some(3)));
    }
    assert_eq!(alarm.count(), 3);
}

#[test]
fn o50_a_waker_that_panics_does_not_keep_an_inbox_open() {
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(Arc::clone(&alarm));
    let mut context = Context::from_waker(&waker);
    let (sender, numbers) = inbox(1);
    sender.try_send(1).unwrap();
    let mut waiting = pin!(sender.send(2));
    let mut closed = pin!(sender.closed());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    assert!(closed.as_mut().poll(&mut context).is_pending());
    drop(numbers);
    assert_eq!(alarm.count(), 2);
    assert!(sender.is_closed());
    assert!(waiting.as_mut().poll(&mut context).is_ready() && closed.as_mut().poll(&mut context).is_ready());
    // the last sender
    let (sender, numbers) = inbox::<u32>(1);
    let ctx = TaskContext::detached("reader", CancellationToken::new());
    let mut next = pin!(numbers.next(&ctx));
    assert!(next.as_mut().poll(&mut context).is_pending());
    drop(sender);
    assert_eq!(next.as_mut().poll(&mut context), Poll::Ready(None));
}
