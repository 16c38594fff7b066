//! The files of deployments: each override exists, and the time for the stop is enough.

use std::time::Duration;

use taskvisor::Overrides;

use super::World;
use crate::tree::{Parts, tree};

const KUBERNETES: &str = include_str!("../../deploy/kubernetes.yaml");
const SYSTEMD: &str = include_str!("../../deploy/orders.service");

/// Returns each part of the text between these two.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    text.split(begin).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

async fn check(variables: Vec<(&str, &str)>, kill_after: Duration) {
    let world = World::new();
    let mut parts = world.parts().await;
    parts.overrides = Overrides::variables("ORDERS", variables);
    let tree = tree(Parts { ..parts }, world.pool());
    let settings = tree.settings();
    // A wrong override is an error at the start.
    tree.schedule(1).expect("the overrides are right");
    let of = |key: &str| {
        let value = settings.get(key).expect("an option of the tree").value().to_owned();
        Duration::from_secs(value.trim_end_matches('s').parse().expect("whole seconds"))
    };
    assert!(of("drain") + of("grace") + Duration::from_secs(1) < kill_after);
    let relay = of("relay.stop_timeout") + of("serve.stop_timeout") + of("store.pool.stop_timeout");
    assert!(relay <= of("grace") + Duration::from_secs(5), "the limits of the tasks do not fit into the grace");
}

#[tokio::test]
async fn kubernetes_waits_for_the_end() {
    let pairs = between(KUBERNETES, "name: ORDERS_", " }");
    let variables = pairs.iter().map(|pair| pair.split_once(", value: ").expect("a value"));
    let names: Vec<_> = variables.map(|(name, value)| (format!("ORDERS_{name}"), value.trim_matches('"'))).collect();
    assert_eq!(names.len(), 2);
    let seconds = between(KUBERNETES, "terminationGracePeriodSeconds: ", "\n")[0].parse().unwrap();
    check(names.iter().map(|(name, value)| (name.as_str(), *value)).collect(), Duration::from_secs(seconds)).await;
    // The variables that Kubernetes adds for a service would have the prefix of the overrides.
    assert!(KUBERNETES.contains("enableServiceLinks: false"));
}

#[tokio::test]
async fn systemd_waits_for_the_end() {
    let variables = between(SYSTEMD, "Environment=", "\n");
    let variables: Vec<_> = variables.iter().filter_map(|pair| pair.split_once('=')).collect();
    assert_eq!(variables.len(), 2);
    let seconds = between(SYSTEMD, "TimeoutStopSec=", "\n")[0].parse().unwrap();
    check(variables, Duration::from_secs(seconds)).await;
}
