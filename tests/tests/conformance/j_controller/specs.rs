//! A04, A08. Submissions that are refused at once.

use taskvisor::{
    BackoffPolicy, ControllerConfig, ControllerError, ControllerSpec, EventKind, RuntimeError, SlotSpec, Supervisor,
    SupervisorBuilder, SupervisorConfig, TaskSpec, Tree,
};
use tests::{OK, Script, cooperative, recorded, settle, supervisor};

use super::{Result, end_of};

fn builder() -> SupervisorBuilder {
    Supervisor::builder(SupervisorConfig::default())
}

fn with(queue_capacity: usize, slot_capacity: usize) -> SupervisorBuilder {
    builder().with_controller(ControllerConfig { queue_capacity, slot_capacity })
}

/// Every invalid set-up of slots, with its message.
fn invalid() -> Vec<(SupervisorBuilder, &'static str)> {
    let slot = SlotSpec::new;
    vec![
        (with(0, 1), "queue_capacity"),
        (with(1, 0), "slot_capacity"),
        (builder().with_slot(slot("s").with_capacity(0)), "capacity"),
        (builder().with_slot(slot("")), "name"),
        (builder().with_slot(slot("s")).with_slot(slot("t")).with_slot(slot("s")), "name"),
    ]
}

fn option_of(error: &RuntimeError) -> &'static str {
    match error {
        RuntimeError::InvalidOption(invalid) => invalid.option,
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a04_an_invalid_controller_is_the_same_typed_error_everywhere() {
    for (number, (_, option)) in invalid().into_iter().enumerate() {
        let build = || invalid().swap_remove(number).0;
        let script = Script::new([OK]);
        assert_eq!(option_of(&build().try_build().unwrap_err()), option);
        let supervisor = build().build();
        assert_eq!(option_of(&supervisor.run(vec![script.spec("x")]).await.unwrap_err()), option);
        assert_eq!(option_of(&supervisor.add_task(script.spec("x")).await.unwrap_err()), option);
        for error in [
            supervisor.submit(ControllerSpec::queue(script.spec("x"))).await.unwrap_err(),
            supervisor.try_submit(ControllerSpec::queue(script.spec("x"))).unwrap_err(),
            supervisor.slot("s").submit(script.spec("x")).await.unwrap_err(),
        ] {
            assert!(matches!(error, ControllerError::InvalidOption(_)), "{error}");
            assert_eq!(option_of(&error.into()), option);
        }
        settle().await;
        assert_eq!(script.attempts(), 0);
    }
}

#[test]
fn a04_what_is_wrong_with_a_controller_is_said() {
    let said: Vec<_> = invalid().into_iter().map(|(builder, _)| builder.try_build().unwrap_err().to_string()).collect();
    for (said, parts) in said.iter().zip([
        ["controller", "`queue_capacity`", "0"],
        ["controller", "`slot_capacity`", "0"],
        ["slot `s`", "`capacity`", "0"],
        ["a slot", "name", "empty"],
        ["slot `s`", "name", "twice"],
    ]) {
        for part in parts {
            assert!(said.contains(part), "{said} does not say {part}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a04_a_tree_with_an_invalid_slot_is_refused() {
    let build = || Tree::builder(SupervisorConfig::default()).with_slot(SlotSpec::new("s").with_capacity(0));
    assert_eq!(option_of(&build().try_build().unwrap_err()), "capacity");
    assert_eq!(option_of(&build().build().start().await.unwrap_err()), "capacity");
    assert_eq!(option_of(&build().build().run().await.unwrap_err()), "capacity");
    assert!(build().build().slot("s").submit(cooperative("x")).await.is_err());
}

fn invalid_specs() -> Vec<TaskSpec> {
    let spec = || Script::new([OK]).spec("x");
    let nan = BackoffPolicy { factor: f64::NAN, ..BackoffPolicy::default() };
    vec![spec().with_backoff(nan), spec().with_after(["y"]), spec().with_name(""), spec().with_every(tests::secs(1))]
}

#[tokio::test(start_paused = true)]
async fn a04_an_invalid_spec_is_an_error_of_submit() -> Result {
    let (supervisor, recorder) = recorded();
    supervisor.submit(ControllerSpec::queue(cooperative("x"))).await?;
    settle().await;
    let told = recorder.kinds().len();
    for spec in invalid_specs() {
        let expected = supervisor.add_task(spec.clone()).await.unwrap_err().to_string();
        let mut errors = Vec::new();
        for make in [ControllerSpec::queue, ControllerSpec::replace, ControllerSpec::drop_if_running] {
            let submission = make(spec.clone()).with_slot("x");
            errors.push(supervisor.try_submit(submission.clone()).unwrap_err());
            errors.push(supervisor.submit(submission).await.unwrap_err());
        }
        for error in errors {
            assert!(matches!(error, ControllerError::InvalidOption(_)), "{error}");
            assert_eq!(error.as_label(), "controller_invalid_option");
            assert_eq!(error.to_string(), expected);
        }
    }
    let no_slot = supervisor.submit(ControllerSpec::queue(cooperative("y")).with_slot("")).await.unwrap_err();
    assert_eq!(option_of(&no_slot.into()), "name");
    assert!(supervisor.slot("").submit(cooperative("y")).await.is_err());
    settle().await;
    assert_eq!(recorder.kinds().len(), told, "no event");
    assert_eq!(recorder.count(EventKind::TaskRemoveRequested), 0);
    Ok(())
}

#[test]
fn a08_outside_a_runtime_a_submission_is_a_typed_error_and_works_later() {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    assert!(slot.is_idle());
    let error = slot.try_submit(cooperative("x")).unwrap_err();
    assert!(matches!(error, ControllerError::NoRuntime));
    assert_eq!(error.as_label(), "controller_no_tokio_runtime");
    assert!(matches!(RuntimeError::from(error), RuntimeError::NoRuntime));
    assert!(slot.is_idle());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let owner = runtime.block_on(slot.submit(cooperative("x"))).unwrap();
    // Submitted from a thread without a runtime, it runs where the other task does.
    let outside = slot.try_submit(Script::new([OK]).spec("y")).unwrap();
    runtime.block_on(async {
        assert!(owner.cancel().await.unwrap());
        assert_eq!(end_of(&outside).await, "completed");
    });
}

#[test]
fn a08_a_runtime_without_timers_is_a_typed_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(supervisor().slot("s").submit(cooperative("x"))).unwrap_err();
    assert!(matches!(error, ControllerError::NoRuntime));
}

#[tokio::test(start_paused = true)]
async fn a04_the_largest_capacities_are_legal() -> Result {
    let supervisor = with(usize::MAX, usize::MAX).try_build()?;
    let slot = supervisor.slot("s");
    super::queue_all(&slot, &cooperative("x"), 3).await?;
    assert_eq!(slot.cancel_all().await?, 3);
    supervisor.shutdown().await
}
