//! O. Operation: the inbox, whose messages outlive the attempts of their reader.

mod fences;

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};

use taskvisor::inbox::{Inbox, SendError, Sender, TrySendError};
use taskvisor::{
    CancellationToken, EventKind, IntoTaskSpec, RuntimeError, TaskContext, TaskHandle, TaskOutcome, TaskSpec, inbox,
    task,
};
use tests::{constant, ms, recorded, secs, supervisor};
use tokio::task::{JoinHandle, spawn_blocking, yield_now};
use tokio::time::timeout;

type Result<T = (), E = RuntimeError> = std::result::Result<T, E>;

/// How many messages each of the long tests sends.
const MESSAGES: u32 = 100_000;

/// A context that no one cancels, and its token.
fn context() -> (TaskContext, CancellationToken) {
    let token = CancellationToken::new();
    (TaskContext::detached("reader", token.clone()), token)
}

/// A reader that waits.
async fn waiting(numbers: &Inbox<u32>, ctx: &TaskContext) -> JoinHandle<Option<u32>> {
    let (numbers, ctx) = (numbers.clone(), ctx.clone());
    let reader = tokio::spawn(async move { numbers.next(&ctx).await });
    yield_now().await;
    reader
}

/// What the attempts did with each message, in order.
type Journal = Arc<Mutex<Vec<u32>>>;

/// The handle of the task, for the task.
type Own = Arc<OnceLock<TaskHandle>>;

/// Handles messages, and fails with some of them in hand. The journal has a message from the moment on from which it is
/// handled, or lost with its attempt.
#[task(timeout = "5ms", cleanup = "2ms")]
async fn consume(ctx: TaskContext, numbers: Inbox<u32>, journal: Journal, own: Own) -> Result<(), String> {
    while let Some(number) = numbers.next(&ctx).await {
        // Once for each, and not again when it comes back.
        let is_first = ctx.last_error().is_none_or(|error| format!("{error:#}") != format!("gave {number} back"));
        match number % 1000 {
            100 if is_first => {
                numbers.put_back(number);
                return Err(format!("gave {number} back"));
            }
            200 => {
                journal.lock().unwrap().push(number);
                panic!("{number} in hand");
            }
            300 => {
                // The timeout cancels the attempt.
                journal.lock().unwrap().push(number);
                ctx.cancelled().await;
                return Ok(());
            }
            400 => {
                // The end of the clean-up time aborts it.
                journal.lock().unwrap().push(number);
                pending::<()>().await;
            }
            500 => {
                journal.lock().unwrap().push(number);
                // A restart is a stop request: the next call takes nothing.
                assert!(own.get().unwrap().restart());
                assert_eq!(numbers.next(&ctx).await, None);
            }
            600 => {
                // A message can be taken and given back after the stop request.
                journal.lock().unwrap().push(number);
                own.get().unwrap().restart();
                if let Some(next) = numbers.try_next() {
                    numbers.put_back(next);
                }
            }
            _ => journal.lock().unwrap().push(number),
        }
    }
    Ok(())
}

/// Sends all messages to a task that fails with some in hand, and checks that each is handled or lost once, in order.
async fn every_message_once() -> Result {
    let (supervisor, recorder) = recorded();
    let (sender, numbers) = inbox(64);
    let (journal, own) = (Journal::default(), Own::default());
    let spec = consume { numbers, journal: Arc::clone(&journal), own: Arc::clone(&own) }.into_task_spec();
    let task = supervisor.add_task(spec.with_backoff(constant(ms(0)))).await?;
    own.set(task.clone()).unwrap();
    for number in 0..MESSAGES {
        sender.send(number).await.unwrap();
    }
    drop(sender);
    let outcome = task.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Completed), "{outcome:?}");
    supervisor.shutdown().await?;
    let journal = journal.lock().unwrap();
    assert!(journal.iter().copied().eq(0..MESSAGES), "lost, repeated or out of order");
    // The tasks did fail: each kind of failure, in each thousand.
    assert!(recorder.count(EventKind::TaskFailed) >= 4 * 100);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o50_panics_timeouts_and_restarts_lose_only_the_message_in_hand() -> Result {
    every_message_once().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o50_and_so_on_two_workers() -> Result {
    every_message_once().await
}

#[tokio::test]
async fn o50_a_reader_that_is_requested_to_stop_takes_nothing() {
    let (sender, numbers) = inbox(2);
    let (ctx, token) = context();
    sender.send(1).await.unwrap();
    token.cancel();
    assert_eq!(numbers.next(&ctx).await, None);
    assert_eq!(numbers.len(), 1);

    // A message that comes together with the stop request goes to the next reader.
    let (ctx, token) = context();
    let (later, _keep) = context();
    assert_eq!(numbers.try_next(), Some(1));
    let stopped = waiting(&numbers, &ctx).await;
    let reader = waiting(&numbers, &later).await;
    sender.try_send(2).unwrap();
    token.cancel();
    assert_eq!(stopped.await.unwrap(), None);
    assert_eq!(reader.await.unwrap(), Some(2));
}

#[tokio::test]
async fn o50_readers_are_served_in_the_order_in_which_they_wait() {
    let (sender, numbers) = inbox(4);
    let (ctx, _token) = context();
    let first = waiting(&numbers, &ctx).await;
    let aborted = waiting(&numbers, &ctx).await;
    let second = waiting(&numbers, &ctx).await;
    // An abort releases its place, also after it was promised a message.
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    aborted.abort();
    assert_eq!(first.await.unwrap(), Some(1));
    assert_eq!(second.await.unwrap(), Some(2));
    assert!(aborted.await.unwrap_err().is_cancelled());
    assert!(numbers.is_empty());
}

#[tokio::test]
async fn o50_a_reader_that_stands_still_keeps_no_message_from_others_but_one() {
    let (sender, numbers) = inbox(4);
    let (ctx, _token) = context();
    let mut still = Box::pin(numbers.next(&ctx));
    assert!(futures_poll(&mut still).await.is_none());
    for number in 1..=3 {
        sender.try_send(number).unwrap();
    }
    assert_eq!(numbers.next(&ctx).await, Some(1));
    assert_eq!(numbers.next(&ctx).await, Some(2));
    assert_eq!(numbers.try_next(), None);
    drop(still);
    assert_eq!(numbers.try_next(), Some(3));
}

/// Polls the future once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn o50_a_message_that_is_put_back_comes_first_and_does_not_change_the_capacity() {
    let (sender, numbers) = inbox(2);
    for round in 0..3 {
        sender.try_send(1).unwrap();
        sender.try_send(2).unwrap();
        let (first, second) = (numbers.try_next().unwrap(), numbers.try_next().unwrap());
        sender.try_send(3).unwrap();
        if round > 0 {
            sender.try_send(4).unwrap();
        }
        numbers.put_back(second);
        numbers.put_back(first);
        assert_eq!(sender.capacity(), 0);
        assert!(matches!(sender.try_send(5), Err(TrySendError::Full(5))));
        assert_eq!((numbers.try_next(), numbers.try_next(), numbers.try_next()), (Some(1), Some(2), Some(3)));
        assert_eq!(numbers.try_next(), (round > 0).then_some(4));
        assert_eq!((sender.capacity(), sender.max_capacity(), numbers.len()), (2, 2, 0));
    }
    // It wakes a reader that waits, also when nobody can send any more.
    let (ctx, _token) = context();
    let reader = waiting(&numbers, &ctx).await;
    numbers.put_back(6);
    assert_eq!(reader.await.unwrap(), Some(6));
    drop(sender);
    assert_eq!(numbers.next(&ctx).await, None);
    numbers.put_back(7);
    assert_eq!(numbers.next(&ctx).await, Some(7));
    assert_eq!(numbers.next(&ctx).await, None);
}

#[tokio::test]
async fn o50_readers_get_what_is_queued_when_the_last_sender_is_dropped() {
    let (sender, numbers) = inbox(2);
    let other = sender.clone();
    let (ctx, _token) = context();
    sender.try_send(1).unwrap();
    drop(sender);
    other.try_send(2).unwrap();
    let third = {
        assert_eq!(numbers.next(&ctx).await, Some(1));
        assert_eq!(numbers.next(&ctx).await, Some(2));
        waiting(&numbers, &ctx).await
    };
    assert!(!third.is_finished());
    drop(other);
    assert_eq!(third.await.unwrap(), None);
    assert_eq!(numbers.try_next(), None);
}

#[tokio::test]
async fn o50_the_last_inbox_closes_and_senders_get_their_message_back() {
    let (sender, numbers) = inbox(1);
    let message = Arc::new(());
    let clone = numbers.clone();
    drop(numbers);
    assert!(!sender.is_closed());
    sender.send(Arc::clone(&message)).await.unwrap();
    let blocked = tokio::spawn({
        let (sender, message) = (sender.clone(), Arc::clone(&message));
        async move { sender.send(message).await }
    });
    let watching = tokio::spawn({
        let sender = sender.clone();
        async move { sender.closed().await }
    });
    yield_now().await;
    assert_eq!(Arc::strong_count(&message), 3);
    assert!(!watching.is_finished(), "the inbox is open");
    drop(clone);
    // What was queued is dropped now, and not with the last sender.
    let SendError(returned) = blocked.await.unwrap().unwrap_err();
    assert_eq!(Arc::strong_count(&message), 2);
    assert!(Arc::ptr_eq(&returned, &message));
    watching.await.unwrap();
    assert!(sender.is_closed());
    assert!(matches!(sender.try_send(returned), Err(TrySendError::Closed(_))));
    let closed = sender.reserve().await.map(drop).unwrap_err();
    let told = "the inbox is closed: its last `Inbox` has been dropped";
    assert_eq!((closed.to_string().as_str(), format!("{closed:?}").as_str()), (told, "SendError(..)"));
    let closed = sender.try_send(message).unwrap_err();
    assert_eq!((closed.to_string().as_str(), format!("{closed:?}").as_str()), (told, "Closed(..)"));
}

#[tokio::test]
async fn o50_a_permit_keeps_room_and_survives_nothing_that_closes() {
    let (sender, numbers) = inbox(1);
    let permit = sender.reserve().await.unwrap();
    assert!(matches!(sender.try_send(1), Err(TrySendError::Full(1))));
    drop(permit);
    let permit = sender.reserve().await.unwrap();
    permit.send(2).unwrap();
    assert_eq!(numbers.try_next(), Some(2));
    let permit = sender.reserve().await.unwrap();
    drop(numbers);
    assert_eq!(permit.send(3).unwrap_err().into_inner(), 3);
}

#[tokio::test]
async fn o50_a_send_that_is_dropped_sends_nothing_and_gives_up_its_place() {
    let (sender, numbers) = inbox(1);
    sender.try_send(1).unwrap();
    let mut dropped = Box::pin(sender.send(2));
    assert!(futures_poll(&mut dropped).await.is_none());
    let mut kept = Box::pin(sender.send(3));
    assert!(futures_poll(&mut kept).await.is_none());
    assert_eq!(numbers.try_next(), Some(1));
    drop(dropped);
    kept.await.unwrap();
    assert_eq!((numbers.try_next(), numbers.try_next()), (Some(3), None));
}

#[tokio::test]
async fn o50_threads_that_block_send_and_read() {
    let (sender, numbers) = inbox(1);
    let (ctx, token) = context();
    let pooled = spawn_blocking({
        let sender = sender.clone();
        move || (0..100).all(|number| sender.blocking_send(number).is_ok())
    });
    let thread = std::thread::spawn(move || (100..200).all(|number| sender.blocking_send(number).is_ok()));
    let reader = spawn_blocking(move || {
        let read: Vec<u32> = std::iter::from_fn(|| numbers.blocking_next(&ctx)).collect();
        (read, numbers)
    });
    let (mut read, numbers) = reader.await.unwrap();
    assert!(pooled.await.unwrap() && thread.join().unwrap());
    read.sort_unstable();
    assert!(read.into_iter().eq(0..200));

    // A reader that blocks ends when it is requested to stop.
    let (sender, other) = inbox::<u32>(1);
    let (ctx, second) = context();
    let reader = spawn_blocking(move || other.blocking_next(&ctx));
    second.cancel();
    assert_eq!(reader.await.unwrap(), None);
    assert!(sender.is_closed());
    drop((token, numbers));
    // It refuses to block a thread that runs async tasks.
    assert!(catch_unwind(AssertUnwindSafe(|| inbox(1).0.blocking_send(1))).is_err());
}

/// A message needs to be `Send`, and not `Sync`, `Clone` or `Debug`.
struct Message {
    _not_sync: Cell<u32>,
}

#[task]
async fn keep(ctx: TaskContext, messages: Inbox<Message>, done: Sender<()>) -> Result<(), SendError<()>> {
    while messages.next(&ctx).await.is_some() {
        done.send(()).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o50_an_inbox_is_a_field_of_a_task_and_is_closed_when_the_task_has_ended_for_good() -> Result {
    let supervisor = supervisor();
    let (sender, messages) = inbox(1);
    let (done, replies) = inbox(1);
    let task: TaskHandle = supervisor.add_task(TaskSpec::from(keep { messages, done })).await?;
    let (ctx, _token) = context();
    sender.send(Message { _not_sync: Cell::new(1) }).await.unwrap();
    assert_eq!(replies.next(&ctx).await, Some(()));
    assert!(!sender.is_closed());
    task.cancel().await?;
    drop(task);
    supervisor.shutdown().await?;
    timeout(secs(60), sender.closed()).await.expect("the task holds its inbox");
    assert_eq!(replies.next(&ctx).await, None);
    Ok(())
}

/// Handles what is queued when it is requested to stop.
#[task(final_attempt)]
async fn drain(ctx: TaskContext, numbers: Inbox<u32>, journal: Journal) -> Result<(), String> {
    if ctx.attempt() == 1 {
        return Err("retried in an hour".into());
    }
    assert_eq!(numbers.next(&ctx).await, None);
    journal.lock().unwrap().extend(std::iter::from_fn(|| numbers.try_next()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o50_a_final_attempt_takes_nothing_but_may_read_what_is_queued() -> Result {
    let supervisor = supervisor();
    let (sender, numbers) = inbox(2);
    let journal = Journal::default();
    let spec = drain { numbers, journal: Arc::clone(&journal) }.into_task_spec().with_backoff(constant(secs(3600)));
    let task = supervisor.add_task(spec).await?;
    sender.send(1).await.unwrap();
    sender.send(2).await.unwrap();
    while task.status().attempt == 0 {
        yield_now().await;
    }
    task.cancel().await?;
    assert_eq!(*journal.lock().unwrap(), [1, 2]);
    supervisor.shutdown().await
}

#[test]
fn o50_a_capacity_without_room_is_refused_with_what_would_be_right() {
    for capacity in [0, usize::MAX] {
        let panic = catch_unwind(|| inbox::<u32>(capacity)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.starts_with("the capacity of an inbox is 1 to "), "{message}");
        assert!(message.ends_with(&format!("and not {capacity}")), "{message}");
    }
}
