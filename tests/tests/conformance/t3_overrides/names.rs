//! The names of overrides.

use taskvisor::{ControllerConfig, SlotSpec};

use super::*;

fn variables(variables: &[(&'static str, &'static str)]) -> Overrides {
    Overrides::variables("APP", variables.iter().copied())
}

fn with_slots() -> TreeBuilder {
    builder().with_controller(ControllerConfig::default()).with_slot(SlotSpec::new("deploy").with_capacity(2))
}

#[test]
fn t3_every_kind_of_setting_has_a_key_and_a_variable() {
    for (key, name, given) in [
        ("grace", "APP_GRACE", "1m"),
        ("drain", "APP_DRAIN", "5s"),
        ("timeout", "APP_TIMEOUT", "7s"),
        ("max_concurrent", "APP_MAX_CONCURRENT", "9"),
        ("backoff.factor", "APP_BACKOFF_FACTOR", "2.5"),
        ("max_starting", "APP_MAX_STARTING", "3"),
        ("store.pool.timeout", "APP_STORE_POOL_TIMEOUT", "10s"),
        ("store.pool.backoff.jitter", "APP_STORE_POOL_BACKOFF_JITTER", "equal"),
        ("store.cache.watchdog", "APP_STORE_CACHE_WATCHDOG", "1m30s"),
        ("store.limit.max_restarts", "APP_STORE_LIMIT_MAX_RESTARTS", "8"),
        ("store.max_concurrent", "APP_STORE_MAX_CONCURRENT", "2"),
        ("poll.every", "APP_POLL_EVERY", "2m"),
        ("limits.db", "APP_LIMITS_DB", "8"),
        ("controller.queue_capacity", "APP_CONTROLLER_QUEUE_CAPACITY", "64"),
        ("slots.deploy.capacity", "APP_SLOTS_DEPLOY_CAPACITY", "5"),
        ("slots.deploy.rate", "APP_SLOTS_DEPLOY_RATE", "10/1m"),
    ] {
        assert_eq!(value(with_slots(), [(key, given)], key), given);
        assert_eq!(value(with_slots(), variables(&[(name, given)]), key), given);
    }
}

#[test]
fn t3_a_name_without_its_groups_is_told_the_whole_name() {
    let tree = || {
        let jobs = Group::one_for_one("jobs").task(endless("count")).task(endless("pool"));
        let inner = Group::one_for_one("inner").task(endless("count")).task(endless("deep"));
        builder().group(jobs.group(inner))
    };
    let message = |name| refused(tree(), variables(&[(name, "1s")]))[0].message.clone();
    let meant = |names: &str| format!("unknown setting, did you mean {names}, with the groups that it is in?");
    for (name, names) in [
        ("APP_DEEP_TIMEOUT", "`APP_JOBS_INNER_DEEP_TIMEOUT`"),
        ("APP_INNER_DEEP_TIMEOUT", "`APP_JOBS_INNER_DEEP_TIMEOUT`"),
        ("APP_JOBS_DEEP_TIMEOUT", "`APP_JOBS_INNER_DEEP_TIMEOUT`"),
        ("APP_COUNT_BACKOFF_MAX", "`APP_JOBS_COUNT_BACKOFF_MAX` or `APP_JOBS_INNER_COUNT_BACKOFF_MAX`"),
        ("APP_INNER_MAX_STARTING", "`APP_JOBS_INNER_MAX_STARTING`"),
    ] {
        assert_eq!(message(name), meant(names), "{name}");
    }
    // The name of the task is not left out.
    assert_eq!(
        message("APP_JOBS_INNER_TIMEUOT"),
        "unknown setting: nothing that the tree declares has it, and what is added at run time has no settings"
    );
    assert_eq!(
        refused(tree(), Overrides::from([("deep.timeout", "1s")]))[0].message,
        meant("`jobs.inner.deep.timeout`")
    );
}

#[test]
fn t3_an_unknown_name_is_an_error_that_says_what_was_meant() {
    for (key, message) in [
        ("grcae", "grcae: unknown setting, did you mean `grace`?"),
        ("store.pool.timeot", "store.pool.timeot: unknown setting, did you mean `store.pool.timeout`?"),
        ("stor.pool.timeout", "stor.pool.timeout: unknown setting, did you mean `store.pool.timeout`?"),
        ("limits.dv", "limits.dv: unknown setting, did you mean `limits.db`?"),
        (
            "elephants",
            "elephants: unknown setting: nothing that the tree declares has it, and what is added at run time has no settings",
        ),
        ("limits", "limits: unknown setting, did you mean `limits.db`?"),
        (
            "poll.backoff",
            "poll.backoff: it has no value of its own: set `poll.backoff.factor`, `poll.backoff.first`, \
             `poll.backoff.jitter` or `poll.backoff.max`",
        ),
        ("store", "store: it has no value of its own, but settings such as `store.backoff.factor`"),
    ] {
        assert_eq!(refused_key(builder(), key, "10s"), message);
    }
    let invalid = refused(builder(), variables(&[("APP_STORE_POOL_TIMEUOT", "10s"), ("APP_PASSWORD", "hunter2")]));
    let texts: Vec<_> = invalid.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "APP_PASSWORD: unknown setting: nothing that the tree declares has it, and what is added at run time has no settings",
            "APP_STORE_POOL_TIMEUOT: unknown setting, did you mean `APP_STORE_POOL_TIMEOUT`?",
        ]
    );
    assert!(!format!("{:?}", variables(&[("APP_PASSWORD", "hunter2")])).contains("hunter2"));
}

#[test]
fn t3_of_names_that_are_equally_close_the_first_is_meant() {
    let tree = ('a'..='w').fold(builder(), |tree, shard| tree.task(endless(&format!("shard_{shard}"))));
    assert_eq!(
        refused_key(tree, "shard_x.timeout", "10s"),
        "shard_x.timeout: unknown setting, did you mean `shard_a.timeout`?"
    );
}

#[test]
fn t3_the_structure_of_the_program_is_not_overridden() {
    let structure = "it is the program's structure, which only its code can change";
    for key in [
        "strategy",
        "restart",
        "poll.restart",
        "poll.ready",
        "poll.critical",
        "poll.after",
        "poll.significant",
        "store.strategy",
        "store.restart",
        "store.critical",
        "store.after",
        "slots.deploy.admission",
    ] {
        assert_eq!(refused_key(with_slots(), key, "always"), format!("{key}: {structure}"));
    }
    let invalid = refused(builder(), variables(&[("APP_STORE_POOL_RESTART", "always")]));
    assert_eq!(invalid[0].message, structure);
    let invalid = refused(builder(), variables(&[("APP_STORE_WATCHDOG", "9s")]));
    assert!(
        invalid[0].message.starts_with("a group has no `watchdog`: set that of its tasks, such as `APP_STORE_"),
        "{}",
        invalid[0].message
    );
    // The interval is no structure, but there is none without the policy.
    assert_eq!(value(builder(), [("poll.every", "none"), ("poll.interval", "9s")], "poll.interval"), "9s");
    let message = "store.pool.interval: it needs the restart policy `Always`, which is the program's structure";
    assert_eq!(refused_key(builder(), "store.pool.interval", "9s"), message);
}

#[test]
fn t3_two_settings_of_one_variable_are_refused_when_it_is_used() {
    let ambiguous = || {
        let store = Group::one_for_one("store").task(endless("pool"));
        Tree::builder(config()).group(store).task(endless("store_pool")).task(endless("a.b"))
    };
    assert_eq!(value(ambiguous(), variables(&[("APP_STORE_MAX_STARTING", "2")]), "store.max_starting"), "2");
    assert_eq!(value(ambiguous(), [("store.pool.timeout", "9s")], "store.pool.timeout"), "9s");
    assert_eq!(value(ambiguous(), variables(&[("APP_A_B_TIMEOUT", "9s")]), "a.b.timeout"), "9s");
    let invalid = refused(ambiguous(), variables(&[("APP_STORE_POOL_TIMEOUT", "9s")]));
    assert_eq!(
        invalid[0].to_string(),
        "APP_STORE_POOL_TIMEOUT: it names both `timeout` of `store/pool` and `timeout` of `store_pool`: use a file"
    );
    let template = ambiguous().build().settings().to_env("APP");
    assert!(template.contains("# APP_STORE_POOL_TIMEOUT names several settings, set store_pool.timeout in a file\n"));
}

#[test]
fn t3_keys_can_be_equal_as_well() {
    let equal = || {
        let inner = Group::one_for_one("a").task(endless("b"));
        Tree::builder(config()).group(inner).task(endless("a.b"))
    };
    assert_eq!(
        refused_key(equal(), "a.b.timeout", "9s"),
        "a.b.timeout: it names both `timeout` of `a/b` and `timeout` of `a.b`: rename one of the two"
    );
}

#[test]
fn t3_the_children_of_a_fresh_group_are_not_overridden() {
    let fresh = || {
        let make = || async { std::io::Result::Ok(vec![endless("pool")]) };
        Tree::builder(config()).group(Group::one_for_all("store").fresh(make))
    };
    assert_eq!(value(fresh(), [("store.start_timeout", "9s")], "store.start_timeout"), "9s");
    assert_eq!(
        refused_key(fresh(), "store.pool.timeout", "9s"),
        "store.pool.timeout: the children of `store` are made anew at each start, and are not overridden"
    );
    let invalid = refused(fresh(), variables(&[("APP_STORE_MAX_RETRYS", "1")]));
    assert!(invalid[0].message.ends_with("or did you mean `APP_STORE_MAX_RETRIES`?"), "{}", invalid[0]);
    // A group without the function has no such option.
    assert!(refused_key(builder(), "store.start_timeout", "9s").contains("unknown setting"));
}

#[test]
fn t3_a_prefix_is_a_word() {
    for (prefix, message) in [
        ("", "_*: the prefix is empty: write one of this program, such as `APP`"),
        ("APP_", "APP__*: the prefix ends with `_`, which is added: write \"APP\""),
        ("MY APP", "MY APP_*: the prefix \"MY APP\" has other signs than letters, digits and `_`"),
    ] {
        let invalid = refused(builder(), Overrides::variables(prefix, [("APP_GRACE", "1m")]));
        assert_eq!(invalid[0].to_string(), message);
    }
    // Other variables are those of others.
    let others = Overrides::variables("APP", [("PATH", "/bin"), ("APPLE", "1"), ("app_grace", "1"), ("APP", "1")]);
    assert_eq!(value(builder(), others, "grace"), "30s");
}
