//! What a refused override advises is taken when it is followed.

use taskvisor::{BackoffPolicy, ControllerConfig, Ready, RestartPolicy, SlotSpec};
use tests::secs;

use super::*;

/// Texts that are no values of most settings.
const WRONG: [&str; 40] = [
    "",
    " ",
    "0",
    "00",
    "0.0",
    " 0",
    "-0",
    "0:0",
    "0,0s",
    "0 s",
    "+0s",
    "0 hours",
    "PT0S",
    ".0s",
    "0_0s",
    "-1",
    "-5s",
    " -1",
    "5",
    " 5",
    "5.",
    "1.5",
    "1.2.3",
    "0.0000005",
    "0.0000000000001",
    "99999999999999999999999999",
    "10 s",
    "1h30",
    "1,5s",
    "1:30",
    "none",
    "None",
    "NONE",
    " none ",
    "often",
    "yes",
    "TRUE",
    "10/1",
    "10/0",
    "10 per minute",
];

/// A tree with each kind of owner, whose options are set and not set.
fn tree() -> TreeBuilder {
    let restart = RestartPolicy::Always { interval: Some(secs(5)) };
    let job = endless("job").with_restart(restart).with_watchdog(secs(9)).with_limit(3, secs(9));
    let job = job.with_ready(Ready::FirstSuccess).with_unready_after(3).with_backoff(BackoffPolicy::default());
    let slot = SlotSpec::new("deploy").with_capacity(3).with_rate(10, secs(60));
    builder().task(job).with_controller(ControllerConfig::default()).with_slot(slot)
}

/// The values that a message advises: in quotes after `write`, or as words in backticks.
fn advised(message: &str) -> Vec<String> {
    let mut values = Vec::new();
    for advice in ["write ", "for example ", "did you mean ", "expected "] {
        for (at, _) in message.match_indices(advice) {
            let rest = &message[at + advice.len()..];
            values.extend(rest.split('"').skip(1).step_by(2).map(str::to_owned));
            if rest.contains("`none`") {
                values.push("none".to_owned());
            }
        }
    }
    values.extend(message.contains("leave it out, or").then(|| "none".to_owned()));
    let zero = if message.contains("a duration is") { "0s" } else { "0" };
    values.extend(message.contains("zero or more").then(|| zero.to_owned()));
    values.sort();
    values.dedup();
    values
}

fn errors(key: &str, value: &str) -> Vec<InvalidOverride> {
    match tree().with_overrides([(key, value)]).try_build() {
        Err(RuntimeError::InvalidOverrides(invalid)) => invalid,
        built => {
            drop(built.unwrap());
            Vec::new()
        }
    }
}

#[test]
fn t3_what_is_advised_is_taken() {
    let settings = tree().build().settings();
    let keys: Vec<_> = settings.iter().map(|setting| setting.key().to_owned()).collect();
    assert!(keys.len() > 60, "{keys:?}");
    let (mut followed, mut misled) = (0, Vec::new());
    for (key, wrong) in keys.iter().flat_map(|key| WRONG.iter().map(move |wrong| (key, wrong))) {
        for error in errors(key, wrong) {
            let given = [format!("{wrong:?}"), format!("{:?}", wrong.trim())];
            let text = given.iter().fold(error.message.clone(), |text, given| text.replace(given, ""));
            // The tree has no place for a value of this setting.
            let is_misplaced = |next: &str| ["beside it", "not both"].iter().any(|it| next.contains(it));
            for value in advised(&text).into_iter().filter(|_| !is_misplaced(&text)) {
                followed += 1;
                let next = errors(key, &value);
                // Whether an example goes with another option is another question.
                let is_other = |next: &str| is_misplaced(next) || next.contains(", above `backoff.max`");
                if let Some(next) = next.first().filter(|next| !is_other(&next.message)) {
                    misled.push(format!("{key} = {wrong:?}: {}\n    {value:?}: {}", error.message, next.message));
                }
            }
        }
    }
    assert!(followed > 1_000, "{followed}");
    assert!(misled.is_empty(), "{} of {followed}:\n{}", misled.len(), misled.join("\n"));
}
