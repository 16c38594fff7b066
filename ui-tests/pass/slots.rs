//! Slots: declared by the macro as by the builder, and used through their handles.
#![deny(missing_docs, clippy::pedantic, unused)]

use std::time::Duration;

use taskvisor::prelude::*;
use taskvisor::Tree;

#[task]
async fn deploy(ctx: TaskContext, version: u32) {
    let _ = version;
    ctx.cancelled().await;
}

fn capacity() -> usize {
    2
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tree = supervise!(
        signals = false,
        #[cfg(all())]
        fleet = Fleet::local(),
        limits = [limit(db, 2), #[cfg(any())] limit(absent, 1)],
        controller = ControllerConfig { slot_capacity: 1, ..ControllerConfig::default() },
        slots = [
            slot(deploy, admission = "replace"),
            slot(uploads, capacity = capacity()),
            slot(reports, admission = "drop_if_running", capacity = 5),
            slot(plain),
            slot(r#loop, admission = "queue"),
            slot(fast, admission = "latest", debounce = "2s", debounce_max = "10s"),
            slot(wide, concurrency = 3, rate = "10/1m", limit = db),
            slot(jobs, keyed, max_concurrent = 4, capacity = 2),
            slot(later, paused),
            slot(replicated, fleet),
            slot(alone, fleet = false),
            slot(at_night, fleet = capacity() == 2),
            slot(sometimes, paused = capacity() > 5),
            #[cfg(any())]
            slot(absent),
        ],
    );
    let fast = SlotSpec::new("fast")
        .with_admission(AdmissionPolicy::Latest)
        .with_debounce(Duration::from_secs(2))
        .with_debounce_max(Duration::from_secs(10));
    let wide = SlotSpec::new("wide").with_concurrency(3).with_rate(10, Duration::from_secs(60)).with_named_limit("db");
    let built = Tree::builder(SupervisorConfig::default())
        .with_controller(ControllerConfig { slot_capacity: 1, ..ControllerConfig::default() })
        .with_slot(SlotSpec::new("deploy").with_admission(AdmissionPolicy::Replace))
        .with_slot(SlotSpec::new("uploads").with_capacity(2))
        .with_slot(SlotSpec::new("reports").with_admission(AdmissionPolicy::DropIfRunning).with_capacity(5))
        .with_slot(SlotSpec::new("plain"))
        .with_slot(SlotSpec::new("loop"))
        .with_slot(fast)
        .with_slot(wide)
        .with_slot(SlotSpec::new("jobs").with_keys().with_max_concurrent(4).with_capacity(2))
        .with_named_limit("db", 2)
        .build();

    let slots = [&tree.slots.deploy, &tree.slots.uploads, &tree.slots.reports, &tree.slots.plain, &tree.slots.r#loop];
    let (jobs, made_jobs) = (tree.slots.jobs.key("acme"), built.slot("jobs").key("acme"));
    assert_eq!(jobs.name(), made_jobs.name());
    let slots = slots.into_iter().chain([&tree.slots.fast, &tree.slots.wide, &jobs]);
    for slot in slots {
        assert_eq!(slot.admission(), built.slot(slot.name()).admission(), "{}", slot.name());
        // The number of submissions that a slot accepts shows its capacity.
        let (mut of_macro, mut of_builder) = (0, 0);
        let built = built.slot(slot.name());
        for version in 0..10 {
            let made = slot.queue(deploy::spec(version).with_name(format!("{}-{version}", slot.name().replace('/', "-")))).await?;
            of_macro += u32::from(!is_rejected(&made));
            let made = built.queue(deploy::spec(version).with_name(format!("{}-{version}", slot.name().replace('/', "-")))).await?;
            of_builder += u32::from(!is_rejected(&made));
        }
        assert_eq!(of_macro, of_builder, "{}", slot.name());
        assert_eq!(slot.len(), built.len());
        assert_eq!(slot.cancel_all().await?, usize::try_from(of_macro)?);
        assert!(slot.is_idle());
    }

    assert!(tree.slots.later.is_paused() && !tree.slots.sometimes.is_paused() && !tree.slots.deploy.is_paused());
    let first = tree.slots.deploy.submit(deploy { version: 1 }).await?;
    let second = tree.slots.deploy.submit(deploy { version: 2 }).await?;
    assert!(matches!(first.outcome().await, TaskOutcome::Canceled { .. }));
    assert!(second.cancel().await?);
    let rejected = tree.slots.reports.submit(deploy { version: 1 }).await?;
    let rejected = (tree.slots.reports.try_submit(deploy { version: 2 })?, rejected).0;
    assert!(matches!(rejected.outcome().await, TaskOutcome::Rejected { reason: RejectReason::Busy }));
    tree.run_until(tokio::time::sleep(Duration::from_millis(1))).await?;
    Ok(())
}

fn is_rejected(task: &TaskHandle) -> bool {
    task.status().state == taskvisor::TaskState::Ended
}
