//! The lines of leases and of the fleet.

use taskvisor::fleet::{Fleet, LocalStore};
use taskvisor::{SupervisorConfig, Tree};
use tests::{cooperative, secs};
use tokio::time::sleep;

use super::log::Log;
use super::run;

/// No field has the meaning of another.
#[test]
fn t5_leases_and_the_fleet_have_fields_of_their_own() {
    let log = Log::default();
    log.during(|| {
        run(async {
            let fleet = Fleet::new(LocalStore::new()).name("billing").ttl(secs(15));
            let task = cooperative("ledger").with_singleton_key("eu/ledger");
            let tree = Tree::builder(SupervisorConfig::default()).with_fleet(fleet).task(task).build();
            tree.start().await?;
            sleep(secs(1)).await;
            tree.shutdown().await
        })
    })
    .unwrap();
    let told = log.lines_of("ledger").into_iter().filter(|line| line.message().starts_with("lease "));
    let told: Vec<_> = told.map(|line| (line.message().to_owned(), line.field("key").to_owned(), line)).collect();
    let expected = ["lease acquired", "lease released"].map(|message| (message.to_owned(), "eu/ledger".to_owned()));
    assert_eq!(told.iter().map(|(message, key, _)| (message.clone(), key.clone())).collect::<Vec<_>>(), expected);
    for (.., line) in told {
        assert!(line.field("token").parse::<u64>().is_ok_and(|token| token > 0), "{line:?}");
    }
}
