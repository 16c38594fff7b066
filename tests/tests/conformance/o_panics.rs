//! O18: where a panic happened.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::Poll;

use taskvisor::{
    Event, EventKind, RestartPolicy, RuntimeError, Subscribe, Supervisor, SupervisorConfig, TaskContext, TaskError,
    TaskFn, TaskOutcome, TaskRef, TaskSpec, record_panics, task,
};
use tests::{Recorder, recorded, settle};

type Result = std::result::Result<(), RuntimeError>;

async fn outcome_of(task: TaskRef) -> TaskOutcome {
    record_panics();
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let spec = TaskSpec::inherit(task).with_restart(RestartPolicy::Never);
    supervisor.add_task(spec).await.unwrap().outcome().await
}

/// The message, and the location without its column.
fn panic_of(outcome: &TaskOutcome) -> (String, Option<String>) {
    let TaskOutcome::Panicked { error } = outcome else { panic!("{outcome:?}") };
    let TaskError::Panicked(panic) = &**error else { panic!("{error:?}") };
    let location = panic.location().map(|at| {
        assert!(at.column > 0);
        format!("{}:{}:", at.file, at.line)
    });
    (panic.message().to_owned(), location)
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[task(blocking, restart = "never")]
fn blocks() {
    panic!("blocking");
}

#[tokio::test]
async fn o18_attempts_helpers_drops_and_blocking_work_tell_where_they_panicked() -> Result {
    let line = line!() + 1;
    let poll = TaskFn::arc("poll", |_: TaskContext| async { panic!("polled {}", 1) });
    let (message, location) = panic_of(&outcome_of(poll).await);
    assert_eq!((message.as_str(), location), ("polled 1", Some(format!("{}:{line}:", file!()))));

    let values = Vec::<u8>::new();
    let build = TaskFn::arc("build", move |_: TaskContext| {
        let _ = values.first().expect("a value");
        async { Ok(()) }
    });
    let (message, location) = panic_of(&outcome_of(build).await);
    assert_eq!(message, "a value");
    assert!(location.unwrap().starts_with(file!()));

    let helper = TaskFn::arc("helper", |ctx: TaskContext| async move {
        ctx.spawn(async { panic!("helper") });
        ctx.cancelled().await;
        Ok(())
    });
    let (message, location) = panic_of(&outcome_of(helper).await);
    assert_eq!((message.as_str(), location.is_some()), ("helper", true));

    let drops = TaskFn::arc("drops", |_: TaskContext| async {
        let _dropped = PanicsInDrop;
        Ok(())
    });
    let (message, location) = panic_of(&outcome_of(drops).await);
    assert_eq!((message.as_str(), location.is_some()), ("dropped", true));

    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let outcome = supervisor.add_task(blocks::spec()).await?.outcome().await;
    let (message, location) = panic_of(&outcome);
    assert_eq!((message.as_str(), location.is_some()), ("blocking", true));
    assert!(outcome.to_string().starts_with(&format!("panicked at {}:", file!())), "{outcome}");
    assert!(outcome.to_string().ends_with(": blocking"), "{outcome}");
    Ok(())
}

#[tokio::test]
async fn o18_a_resumed_panic_has_no_location_of_another() {
    let resumes = TaskFn::arc("resumes", |_: TaskContext| async {
        let caught = std::panic::catch_unwind(|| panic!("caught by the program"));
        assert!(caught.is_err());
        resume_unwind(Box::new("resumed"));
    });
    assert_eq!(panic_of(&outcome_of(resumes).await), ("resumed".into(), None));
    // The payload of a panic that the program caught keeps its location.
    let passes_on = TaskFn::arc("passes_on", |ctx: TaskContext| async move {
        let attempt = ctx.attempt();
        match std::panic::catch_unwind(|| assert!(attempt > 1, "passed on")) {
            Ok(()) => Ok(()),
            Err(payload) => resume_unwind(payload),
        }
    });
    let (message, location) = panic_of(&outcome_of(passes_on).await);
    assert_eq!((message.as_str(), location.is_some()), ("passed on", true));
}

struct Panics;

#[async_trait::async_trait]
impl Subscribe for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    async fn on_event(&self, event: &Event) {
        assert_ne!(event.kind, EventKind::TaskStarting, "subscriber");
    }
}

#[tokio::test]
async fn o18_events_last_error_and_subscribers_tell_it_and_run_installs_the_hook() -> Result {
    let recorder = Recorder::new();
    let subscribers: Vec<Arc<dyn Subscribe>> = vec![Arc::clone(&recorder) as _, Arc::new(Panics)];
    let supervisor = Supervisor::new(SupervisorConfig::default(), subscribers);
    let task = TaskFn::arc("a", |ctx: TaskContext| async move {
        assert!(ctx.attempt() > 1, "first");
        let error = ctx.last_error().unwrap().to_string();
        assert!(error.starts_with(&format!("panicked at {}:", file!())) && error.ends_with(": first"), "{error}");
        Ok(())
    });
    supervisor.run(vec![TaskSpec::inherit(task)]).await?;
    settle().await;
    let reason = |kind| {
        let seen = recorder.seen().into_iter().find(|seen| seen.kind == kind).unwrap();
        seen.whole_reason.unwrap()
    };
    for (kind, message) in [(EventKind::TaskFailed, ": first"), (EventKind::SubscriberPanicked, "subscriber")] {
        let reason = reason(kind);
        assert!(reason.starts_with(&format!("panicked at {}:", file!())), "{reason}");
        assert!(reason.contains(message), "{reason}");
    }
    assert_eq!(recorder.count(EventKind::ActorExhausted), 1);
    Ok(())
}

/// The hook is per thread: panics on two threads at the same time keep their own locations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o18_panics_on_two_threads_keep_their_own_locations() -> Result {
    record_panics();
    let (supervisor, _) = recorded();
    let mut tasks = Vec::new();
    for n in 0..1_000_u32 {
        let task = TaskFn::arc(n.to_string(), move |_: TaskContext| {
            poll_fn(move |_| -> Poll<std::result::Result<(), TaskError>> {
                if n % 2 == 0 { panic!("even {n}") } else { resume_unwind(Box::new(format!("odd {n}"))) }
            })
        });
        let spec = TaskSpec::inherit(task).with_restart(RestartPolicy::Never);
        tasks.push((n, supervisor.add_task(spec).await?));
    }
    for (n, task) in tasks {
        let (message, location) = panic_of(&task.outcome().await);
        let expected = if n % 2 == 0 { format!("even {n}") } else { format!("odd {n}") };
        assert_eq!((message, location.is_some()), (expected, n % 2 == 0));
    }
    Ok(())
}

struct PanicsByName;

#[async_trait::async_trait]
impl taskvisor::Task for PanicsByName {
    fn name(&self) -> &str {
        panic!("its name")
    }

    fn spawn(&self, _: tokio_util::sync::CancellationToken) -> taskvisor::BoxTaskFuture {
        Box::pin(async { Ok(()) })
    }
}

/// `Task::name` is user code as well.
#[tokio::test]
async fn k1_a_task_whose_name_panics_is_refused() -> Result {
    let (supervisor, _) = recorded();
    let spec = || TaskSpec::inherit(Arc::new(PanicsByName) as TaskRef);
    let refused = [
        supervisor.add_task(spec()).await.map(|_| ()),
        supervisor.replace(spec()).await.map(|_| ()),
        supervisor.reconcile([spec()]).await.map(|_| ()),
    ];
    for refused in refused {
        let error = refused.expect_err("it has no name").to_string();
        assert_eq!(error, "a task: `name` is \"\", expected a name that is not empty");
    }
    supervisor.add_task(spec().with_name("named")).await?.outcome().await;
    Ok(())
}
