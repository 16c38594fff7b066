//! T3: `overrides` takes a value, which is made in the written order and can fail.

use std::time::Duration;
use taskvisor::prelude::*;

#[task(restart = "always", interval = "10s")]
async fn poll() {}

#[task(timeout = "5s")]
async fn pool() {}

#[supervisor]
fn app(overrides: Overrides) -> Result<App, std::io::Error> {
    Ok(supervise!(
        overrides = Ok::<_, std::io::Error>(overrides)?,
        slots = [slot(deploy, capacity = 2)],
        limits = [limit(db, 4)],
        tasks = [poll {}, store = group(tasks = [pool {}])],
    ))
}

fn main() {
    let value = |app: &App, key: &str| app.settings().get(key).map(|setting| setting.value().to_owned());
    let overrides = Overrides::from([("poll.interval", "1m"), ("store.pool.timeout", "none")]);
    let variables = [("APP_SLOTS_DEPLOY_CAPACITY", "5"), ("APP_LIMITS_DB", "8"), ("APP_GRACE", "9s")];
    let app = app(overrides.then(Overrides::variables("APP", variables))).unwrap();
    for (key, expected) in [
        ("poll.interval", "1m"),
        ("store.pool.timeout", "none"),
        ("slots.deploy.capacity", "5"),
        ("limits.db", "8"),
        ("grace", "9s"),
    ] {
        assert_eq!(value(&app, key).as_deref(), Some(expected), "{key}");
    }

    // An override replaces the words of `task(..)` and of the keys, wherever the key stands.
    let tree = supervise!(
        grace = "30s",
        tasks = [task(pool {}, timeout = "7s")],
        #[cfg(all())]
        overrides = Overrides::from([("pool.timeout", "8s"), ("grace", "1m")]),
    );
    let settings = tree.settings();
    let replaced = settings.get("pool.timeout").unwrap().replaced().unwrap();
    assert_eq!(replaced, ("7s", &taskvisor::Origin::Program));
    assert_eq!(settings.get("grace").unwrap().value(), "1m");
    let same = Tree::builder(SupervisorConfig { grace: Duration::from_secs(30), ..SupervisorConfig::default() })
        .task(pool::spec().with_timeout(Duration::from_secs(7)))
        .with_overrides([("pool.timeout", "8s"), ("grace", "1m")])
        .build();
    assert_eq!(settings, same.settings());
}
