use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use taskvisor::{SupervisorHandle, TaskState};
use tokio::time::sleep;

use crate::config::Config;
use crate::page::tenants;
use crate::service::Upstream;
use crate::{STARTS, tree};

fn config() -> Config {
    Config::read(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tenants/tenants.json"))).unwrap()
}

/// Waits until all tenants of the file run, but for the bad one, which is parked.
async fn until_settled(supervisor: &SupervisorHandle) {
    let is_settled = || {
        let tenants = tenants(supervisor);
        let waits = tenants.iter().filter(|tenant| tenant.state == TaskState::Interval).count();
        let parked = supervisor.health().not_counted;
        tenants.len() == 99 && waits > 90 && parked.len() == 1 && parked[0].to_string().contains("tenant-013: failed")
    };
    while !is_settled() {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_tenant_is_parked_and_starts_are_limited() {
    let upstream = Upstream::bind().await.unwrap();
    let tree = tree(TcpListener::bind(("127.0.0.1", 0)).unwrap(), config(), upstream.clone());
    tree.start().await.unwrap();
    until_settled(tree.supervisor()).await;

    assert!(upstream.most_starts() <= STARTS, "{} tenants started at one time", upstream.most_starts());
    assert!(tree.supervisor().health().is_ready());
    tree.shutdown().await.unwrap();
}

#[test]
fn a_tenant_with_a_setting_that_is_not_known_is_refused() {
    let file = std::env::temp_dir().join(format!("taskvisor-tenants-{}.json", std::process::id()));
    std::fs::write(&file, r#"[{"name": "acme", "every_ms": 5, "adress": "127.0.0.1:1"}]"#).unwrap();
    let error = Config::read(file.clone()).unwrap_err().to_string();
    std::fs::remove_file(&file).unwrap();
    assert!(error.contains("unknown field `adress`"), "{error}");
}
