//! `Tree::settings`.

use taskvisor::{ControllerConfig, Origin, RestartPolicy, SlotSpec};

use super::*;

fn overrides() -> Overrides {
    let file = Overrides::from([("store.pool.timeout", "10s"), ("timeout", "7s")]);
    let variables = [("APP_STORE_POOL_TIMEOUT", "20s"), ("APP_GRACE", "1m"), ("APP_STORE_LIMIT_MAX_RESTARTS", "9")];
    Overrides::file("app.toml", file).then(Overrides::variables("APP", variables))
}

#[test]
fn t3_settings_tell_each_value_its_origin_and_what_it_replaced() {
    let tree = builder().with_overrides(overrides()).build();
    let settings = tree.settings();
    let shown = |key: &str| {
        let setting = settings.get(key).unwrap_or_else(|| panic!("{key} in\n{settings:#}"));
        let replaced = setting.replaced().map(|(value, origin)| format!("{value} ({origin})"));
        format!("{} {} <- {}", setting.value(), setting.origin(), replaced.unwrap_or_default())
    };
    assert_eq!(shown("grace"), "1m APP_GRACE <- 30s (config)");
    assert_eq!(shown("drain"), "0s default <- ");
    assert_eq!(shown("timeout"), "7s app.toml: timeout <- none (default)");
    assert_eq!(shown("store.pool.timeout"), "20s APP_STORE_POOL_TIMEOUT <- 10s (app.toml: store.pool.timeout)");
    // A task inherits what is overridden.
    assert_eq!(shown("store.cache.timeout"), "7s app.toml: timeout <- ");
    assert_eq!(shown("store.limit.max_restarts"), "9 APP_STORE_LIMIT_MAX_RESTARTS <- 3 (program)");
    assert_eq!(shown("store.limit.within"), "1m program <- ");
    assert_eq!(shown("poll.every"), "1m program <- ");
    assert_eq!(shown("poll.limit"), "none default <- ");
    assert_eq!(shown("poll.backoff.first"), "100ms default <- ");
    assert_eq!(shown("limits.db"), "4 program <- ");
    let pool = settings.get("store.pool.timeout").unwrap();
    assert_eq!((pool.path(), pool.option(), pool.key()), ("store/pool", "timeout", "store.pool.timeout"));
    assert!(pool.origin().is_override() && !Origin::Program.is_override());
    // A part that has no value is not listed.
    assert!(settings.get("store.limit").is_none() && settings.get("poll.limit.within").is_none());
}

#[test]
fn t3_the_table_shows_what_is_not_the_default() {
    let tree = builder().with_overrides(overrides()).build();
    let expected = "\
path         option              value  from                          instead of
root         grace               1m     APP_GRACE                     30s (config)
root         timeout             7s     app.toml: timeout             none (default)
limits/db    max_concurrent      4      program
store        limit.max_restarts  9      APP_STORE_LIMIT_MAX_RESTARTS  3 (program)
store        limit.within        1m     program
store/pool   timeout             20s    APP_STORE_POOL_TIMEOUT        10s (app.toml: store.pool.timeout)
store/cache  timeout             7s     app.toml: timeout
poll         every               1m     program
poll         timeout             7s     app.toml: timeout
";
    assert_eq!(tree.settings().to_string(), expected);
    assert!(format!("{:#}", tree.settings()).lines().count() > 60);
}

#[test]
fn t3_the_table_takes_a_name_of_any_length() {
    let long = "n".repeat(70_000);
    let task = |name: &str| {
        TaskSpec::inherit(TaskFn::arc(name, |_: TaskContext| async { Ok(()) })).with_timeout(Duration::from_secs(1))
    };
    let tree = Tree::builder(SupervisorConfig::default()).tasks([task(&long), task("short")]).build();
    let table = tree.settings().to_string();
    assert!(table.contains(&format!("\n{long}  timeout  1s     program\n")), "it shifts the rest of its own line");
    assert!(table.lines().all(|line| line.len() < 200 || line.starts_with(&long)), "and of no other");
}

#[test]
fn t3_an_interval_is_told_where_the_program_has_one() {
    let task = |name: &str| TaskSpec::inherit(TaskFn::arc(name.to_owned(), |_: TaskContext| async { Ok(()) }));
    let always = |interval| RestartPolicy::Always { interval };
    let interval_of = |config: SupervisorConfig, spec: TaskSpec| {
        let settings = Tree::builder(config).task(spec).build().settings();
        settings.get("a.interval").map(|setting| format!("{} {}", setting.value(), setting.origin()))
    };
    let plain = SupervisorConfig::default;
    let periodic = || SupervisorConfig { restart: always(Some(Duration::from_secs(5))), ..plain() };
    for (config, spec, expected) in [
        (plain(), task("a").with_restart(always(None)), Some("none default")),
        (plain(), task("a").with_restart(always(Some(Duration::from_secs(1)))), Some("1s program")),
        (periodic(), task("a"), Some("5s config")),
        (periodic(), task("a").with_restart(always(None)), Some("none program")),
        (periodic(), task("a").with_restart(RestartPolicy::Never), None),
    ] {
        assert_eq!(interval_of(config, spec).as_deref(), expected);
    }
}

#[test]
fn t3_settings_tell_invalid_overrides() {
    let overrides = Overrides::variables("APP", [("APP_GRACE", "30"), ("APP_DRAIN", "2s"), ("APP_DRIAN", "5s")]);
    let settings = builder().with_overrides(overrides).build().settings();
    let invalid: Vec<_> = settings.invalid().iter().map(|invalid| invalid.origin.to_string()).collect();
    assert_eq!(invalid, ["APP_DRIAN", "APP_GRACE"]);
    assert_eq!(settings.get("drain").unwrap().origin(), &Origin::Default);
    let table = settings.to_string();
    let (before, told) = table.split_once("\nno override is applied, as these are invalid:\n").unwrap();
    assert!(before.starts_with("path ") && told.lines().count() == 2, "{table}");
    assert!(told.contains("APP_DRIAN: unknown setting, did you mean `APP_DRAIN`?\n"), "{table}");

    let settings = builder().with_overrides(overrides_of_grace()).build().settings();
    assert!(settings.invalid().is_empty() && !settings.to_string().contains("invalid"));
}

fn overrides_of_grace() -> Overrides {
    Overrides::from([("grace", "30s")])
}

#[test]
fn t3_the_template_gives_the_same_settings_again() {
    let tree = builder().with_overrides(overrides()).build();
    let values = |tree: &Tree| -> Vec<(String, String)> {
        tree.settings().iter().map(|setting| (setting.key().to_owned(), setting.value().to_owned())).collect()
    };
    // What is overridden, and then everything.
    let template = tree.settings().to_env("APP");
    assert!(
        template.contains("\nAPP_STORE_POOL_TIMEOUT=20s\n") && template.contains("\n#APP_DRAIN=0s\n"),
        "{template}"
    );
    let all = template.replace("#APP_", "APP_");
    for text in [&template, &all] {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let variables =
            lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables: Vec<_> = variables.collect();
        assert!(variables.len() >= 4);
        let again = builder().with_overrides(Overrides::variables("APP", variables)).try_build().unwrap();
        assert_eq!(values(&again), values(&tree));
    }
}

/// What is inherited is written once, where it was set: a task takes over a later change, and an option that it does not
/// have is not set.
#[test]
fn t3_what_is_inherited_is_a_comment_of_the_template() {
    for (key, value) in [("zone", "Europe/Berlin"), ("timeout", "7s"), ("backoff.first", "1s"), ("max_retries", "4")] {
        let tree = builder().with_overrides(Overrides::from([(key, value)])).try_build().unwrap();
        let template = tree.settings().to_env("APP");
        let lines: Vec<_> = template.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(lines, [format!("APP_{}={value}", key.to_uppercase().replace('.', "_"))]);
        let variables = lines.iter().filter_map(|line| line.split_once('='));
        let again = builder().with_overrides(Overrides::variables("APP", variables)).try_build().unwrap();
        let value_of = |tree: &Tree, key: &str| tree.settings().get(key).map(|setting| setting.value().to_owned());
        for setting in &tree.settings() {
            assert_eq!(value_of(&again, setting.key()).as_deref(), Some(setting.value()), "{}", setting.key());
        }
    }
    let both = Overrides::from([("timeout", "7s"), ("poll.timeout", "7s")]);
    let template = builder().with_overrides(both).try_build().unwrap().settings().to_env("APP");
    assert!(template.contains("\nAPP_TIMEOUT=7s\n") && template.contains("\nAPP_POLL_TIMEOUT=7s\n"), "{template}");
}

#[test]
fn t3_a_tree_without_overrides_has_settings_too() {
    let settings = builder().build().settings();
    assert_eq!(settings, builder().with_overrides(Overrides::default()).build().settings());
    let grace = settings.get("grace").unwrap();
    assert_eq!((grace.value(), grace.origin()), ("30s", &Origin::Config));
    assert!(settings.iter().all(|setting| setting.replaced().is_none()));
}

#[tokio::test(start_paused = true)]
async fn t3_settings_are_the_same_while_the_tree_runs_and_after_it() -> Result {
    for overrides in [None, Some(overrides())] {
        let builder = overrides.into_iter().fold(builder(), TreeBuilder::with_overrides);
        let tree = builder.build();
        let before = tree.settings();
        tree.start().await?;
        assert_eq!(tree.settings(), before);
        tree.shutdown().await?;
        assert_eq!(tree.settings(), before);
    }
    Ok(())
}

#[test]
fn t3_settings_without_overrides_have_those_of_slots_and_of_their_controller() {
    let controller = ControllerConfig { queue_capacity: 7, ..ControllerConfig::default() };
    let builder = builder().with_controller(controller).with_slot(SlotSpec::new("deploy").with_capacity(3));
    let settings = builder.build().settings();
    let shown = |key: &str| settings.get(key).map(|setting| setting.value().to_string());
    assert_eq!(shown("controller.queue_capacity").as_deref(), Some("7"));
    assert_eq!(shown("slots.deploy.capacity").as_deref(), Some("3"));
}
