//! O. Operation: a message in hand, which comes back however the attempt ends.

use std::future::pending;
use std::sync::{Arc, Mutex};

use taskvisor::inbox::{Held, Inbox};
use taskvisor::{IntoTaskSpec, RestartPolicy, RuntimeError, TaskContext, TaskOutcome, inbox, task};
use tests::{constant, ms, secs, supervisor};
use tokio::time::sleep;

/// What happens to the first attempt with the message 1 in hand.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Error,
    Panic,
    Timeout,
    Restart,
    Helper,
}

#[task(timeout = "1s", cleanup = "10ms")]
async fn read(ctx: TaskContext, numbers: Inbox<u32>, end: End, seen: Arc<Mutex<Vec<u32>>>) -> Result<(), String> {
    while let Some(number) = numbers.next(&ctx).await {
        let number = numbers.hold(number);
        seen.lock().unwrap().push(*number);
        if *number == 1 && ctx.attempt() == 1 {
            match end {
                End::Error => return Err("in hand".into()),
                End::Panic => panic!("in hand"),
                End::Timeout | End::Restart => pending().await,
                End::Helper => {
                    ctx.spawn(async move { keep(number).await });
                    return Err("its helper is dropped".into());
                }
            }
        }
        number.done();
    }
    Ok(())
}

async fn keep(_number: Held<u32>) {
    pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn o50_a_held_message_comes_back_first_however_the_attempt_ends() -> Result<(), RuntimeError> {
    for end in [End::Error, End::Panic, End::Timeout, End::Restart, End::Helper] {
        let (sender, numbers) = inbox(4);
        let seen = Arc::default();
        for number in 0..3 {
            sender.try_send(number).unwrap();
        }
        drop(sender);
        let supervisor = supervisor();
        let spec = read { numbers: numbers.clone(), end, seen: Arc::clone(&seen) }.into_task_spec();
        let task =
            supervisor.add_task(spec.with_restart(RestartPolicy::OnFailure).with_backoff(constant(ms(1)))).await?;
        if end == End::Restart {
            sleep(ms(100)).await;
            assert!(task.restart());
        }
        assert!(matches!(task.outcome().await, TaskOutcome::Completed), "{end:?}");
        assert_eq!(*seen.lock().unwrap(), [0, 1, 1, 2], "{end:?}");
        assert!(numbers.is_empty());
        supervisor.shutdown().await?;
    }
    Ok(())
}

#[task]
async fn hang(ctx: TaskContext, numbers: Inbox<u32>) {
    let _number = numbers.next(&ctx).await.map(|number| numbers.hold(number));
    pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn o50_a_held_message_comes_back_from_an_attempt_that_is_aborted() -> Result<(), RuntimeError> {
    let (sender, numbers) = inbox(4);
    sender.try_send(1).unwrap();
    let supervisor = supervisor();
    let task = supervisor.add_task(hang { numbers: numbers.clone() }.into_task_spec()).await?;
    while !numbers.is_empty() {
        sleep(ms(1)).await;
    }
    assert!(supervisor.cancel_with_timeout("hang", secs(1)).await?);
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { .. }));
    assert_eq!(numbers.try_next(), Some(1));
    supervisor.shutdown().await
}

#[test]
fn o50_a_held_message_is_used_in_place_and_keeps_its_inbox_open() {
    let (sender, words) = inbox(1);
    sender.try_send("one".to_owned()).unwrap();
    let mut word = words.try_next().map(|word| words.hold(word)).unwrap();
    word.push_str(", two");
    assert_eq!((word.len(), format!("{word:?}")), (8, "Held(\"one, two\")".to_owned()));
    drop(words);
    assert!(!sender.is_closed());
    assert_eq!(word.done(), "one, two");
    assert!(sender.is_closed());
}
