//! O25 and O30 to O32: limits by name, and slots for real work.

mod o25_limits;
mod o25_races;
mod o30_latest;
mod o30_trigger;
mod o31_drain;
mod o31_hand_over;
mod o31_keys;
mod o31_random;
mod o32_look;

use taskvisor::{TaskHandle, TaskOutcome, TaskState};

fn runs(task: &TaskHandle) -> bool {
    task.status().state == TaskState::Running
}

fn is_canceled(outcome: &TaskOutcome) -> bool {
    matches!(outcome, TaskOutcome::Canceled { .. })
}
