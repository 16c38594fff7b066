//! O18: the panic hook of the process. In a test program of its own, because there is one hook.

use std::panic::set_hook;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{
    RestartPolicy, RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec,
};

fn counting() -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    set_hook(Box::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
    }));
    count
}

/// Runs a task that panics. Returns `true` if its panic has a location.
async fn is_located() -> Result<bool, RuntimeError> {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let task = TaskFn::arc("a", |_: TaskContext| async { panic!("here") });
    let task = supervisor.add_task(TaskSpec::inherit(task).with_restart(RestartPolicy::Never)).await?;
    supervisor.run(vec![TaskSpec::inherit(TaskFn::arc("b", |_: TaskContext| async { Ok(()) }))]).await?;
    let TaskOutcome::Panicked { error } = task.outcome().await else { panic!("it panics") };
    let TaskError::Panicked(panic) = &*error else { panic!("it panics") };
    Ok(panic.location().is_some())
}

#[tokio::test]
async fn o18_the_hook_before_is_called_and_one_set_later_is_respected() -> Result<(), RuntimeError> {
    let before = counting();
    assert!(is_located().await?, "`run` records");
    assert_eq!(before.load(Ordering::SeqCst), 1, "the hook before is called");

    let after = counting();
    assert!(!is_located().await?, "`run` does not replace it");
    assert_eq!((before.load(Ordering::SeqCst), after.load(Ordering::SeqCst)), (1, 1));

    Ok(())
}
