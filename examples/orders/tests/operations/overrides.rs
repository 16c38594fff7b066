//! Tests of wrong overrides.

use std::process::Command;

use crate::process::{Broker, Folder, PROGRAM, Service};
use crate::{Plot, with_each_seed};

/// A variable, its value, and the parts of the error message.
type Wrong = (&'static str, &'static str, &'static [&'static str]);

const WRONG: [Wrong; 9] = [
    ("ORDERS_GRACE", "10", &["ORDERS_GRACE", "10"]),
    ("ORDERS_RELAI_STOP_TIMEOUT", "5s", &["ORDERS_RELAI_STOP_TIMEOUT", "ORDERS_RELAY_STOP_TIMEOUT"]),
    ("ORDERS_REPORT_EVRY", "1m", &["ORDERS_REPORT_EVRY", "ORDERS_REPORT_EVERY"]),
    ("ORDERS_BACKLOG_EVERY", "0s", &["ORDERS_BACKLOG_EVERY", "0s"]),
    ("ORDERS_CLEANUP_CRON", "61 3 * * *", &["ORDERS_CLEANUP_CRON", "61"]),
    ("ORDERS_SERVE_MAX_RETRIES", "many", &["ORDERS_SERVE_MAX_RETRIES", "many"]),
    ("ORDERS_STORE_MIGRATE_TIMEOUT", "soon", &["ORDERS_STORE_MIGRATE_TIMEOUT", "soon"]),
    ("ORDERS_RELAY_BACKOFF_JITTER", "some", &["ORDERS_RELAY_BACKOFF_JITTER", "some"]),
    // The variable that Kubernetes adds for a service of this name, unless `enableServiceLinks` is off.
    ("ORDERS_PORT", "tcp://10.0.0.1:80", &["ORDERS_PORT"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_override_ends_the_start_with_status_2_and_says_what_is_right() {
    with_each_seed(|mut plot: Plot| async move {
        let mut wrong = WRONG;
        plot.luck.shuffle(&mut wrong);
        let (folder, broker) = (Folder::new(), Broker::start(plot.seed).await);
        // One wrong override is enough to fail, and three are reported at once.
        for given in [&wrong[..1], &wrong[1..4]] {
            let pairs = given.iter().map(|(name, value, _)| (*name, *value));
            let mut service = Service::new(&folder, &broker).envs(pairs).start().await;
            let log = service.exit(Some(2)).await;
            for said in given.iter().flat_map(|(.., says)| *says) {
                assert!(log.contains(said), "{said}: {log}");
            }
            assert!(!folder.database().exists(), "something has started");
        }
    })
    .await;
}

/// Covers those that no seed has drawn.
#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_override_is_told_beside_the_others() {
    let (folder, broker) = (Folder::new(), Broker::start(0).await);
    let pairs = WRONG.map(|(name, value, _)| (name, value));
    let mut service = Service::new(&folder, &broker).envs(pairs).start().await;
    let log = service.exit(Some(2)).await;
    for said in WRONG.iter().flat_map(|(.., says)| *says) {
        assert!(log.contains(said), "{said}: {log}");
    }
}

#[test]
fn a_wrong_log_filter_ends_the_start_with_status_2_and_says_what_is_right() {
    let folder = Folder::new();
    let mut command = Command::new(PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--seconds", "1", "--sqlite"]).arg(folder.database());
    let ended = command.env("RUST_LOG", "info,sqlx=wran").output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("`sqlx=wran`") && said.contains("`info,sqlx=warn`"), "{said}");
    assert!(!folder.database().exists(), "something has started");
}
