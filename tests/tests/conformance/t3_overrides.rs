//! T3: overrides per deployment.

mod advice;
mod checks;
mod files;
mod names;
mod random;
mod running;
mod schedules;
mod settings;

use std::time::Duration;

use taskvisor::{
    Group, InvalidOverride, Overrides, RuntimeError, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree, TreeBuilder,
};
use tests::ALWAYS;

type Result = std::result::Result<(), RuntimeError>;

fn config() -> SupervisorConfig {
    SupervisorConfig { grace: Duration::from_secs(30), ..SupervisorConfig::default() }
}

/// A task that runs until it is stopped.
fn endless(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Ok(())
    }))
}

/// A tree with a task of each kind of option.
fn builder() -> TreeBuilder {
    let bounded = endless("pool").with_timeout(Duration::from_secs(5));
    let poll = endless("poll").with_restart(ALWAYS).with_every(Duration::from_secs(60));
    let store = Group::one_for_all("store").with_limit(3, Duration::from_secs(60)).task(bounded).task(endless("cache"));
    Tree::builder(config()).with_named_limit("db", 4).group(store).task(poll)
}

/// The errors of these overrides.
fn refused(builder: TreeBuilder, overrides: impl Into<Overrides>) -> Vec<InvalidOverride> {
    match builder.with_overrides(overrides).try_build() {
        Err(RuntimeError::InvalidOverrides(invalid)) => invalid,
        other => panic!("not refused: {other:?}"),
    }
}

/// The text of the only error of one override by its key.
fn refused_key(builder: TreeBuilder, key: &str, value: &str) -> String {
    let invalid = refused(builder, [(key, value)]);
    assert_eq!(invalid.len(), 1, "{invalid:?}");
    invalid[0].to_string()
}

/// The value of a setting of a tree with these overrides.
fn value(builder: TreeBuilder, overrides: impl Into<Overrides>, key: &str) -> String {
    let tree = builder.with_overrides(overrides).try_build().unwrap();
    let settings = tree.settings();
    settings.get(key).unwrap_or_else(|| panic!("{key} in\n{settings:#}")).value().to_owned()
}
