//! The service as a process, and what operations do to it: stops under load, kills, a broker that is down, a tenant that
//! breaks, a wrong override, and a rolling restart.
//!
//! `process` starts programs and sends signals, `load` has the customers. Each story runs with three seeds of a broker that
//! loses acknowledgements, fails and is slow.

#[path = "../../src/http/client.rs"]
#[expect(dead_code, reason = "the service uses more of it")]
mod client;
mod load;
mod process;

use std::collections::HashSet;
use std::time::Duration;

use fleet_tests::Postgres;
use serde_json::Value;
use tokio::time::sleep;

use crate::load::Load;
use crate::process::{Broker, Folder, Service};

const SEEDS: [u64; 3] = [7, 11, 42];

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[tokio::test]
async fn sigterm_under_load_answers_and_delivers_all_and_closes_the_pool_last() {
    for seed in SEEDS {
        let (folder, broker) = (Folder::new(), Broker::start(seed).await);
        let mut service = Service::new(&folder, &broker).env("ORDERS_DRAIN", "600ms").start().await;
        let load = Load::start(vec![service.address()], 60);
        sleep(seconds(1.5)).await;
        service.signal("TERM");
        // A load balancer sees it in the drain, in which requests are answered as before.
        service.until_page("/readyz", |status, _| status == 503).await;
        let seen = load.finish().await;
        let log = service.exit(Some(0)).await;

        assert_eq!(seen.unanswered, 0, "seed {seed}\n{log}");
        assert!(seen.accepted.len() > 30, "seed {seed}: {seen:?}\n{log}");
        let ledger = broker.ledger().await;
        assert_eq!(ledger.acknowledged, seen.accepted, "seed {seed}\n{log}");
        assert_eq!(ledger.repeats, 0, "seed {seed}: a message was sent again that was acknowledged\n{log}");
        let ended = process::ended(&log);
        let at = |path| ended.iter().position(|ended| ended == path);
        assert!(at("serve") < at("relay") && at("store/pool") == Some(ended.len() - 1), "seed {seed}\n{log}");
    }
}

#[tokio::test]
async fn kill_9_loses_no_order_and_counts_none_twice() {
    for seed in SEEDS {
        let (folder, broker) = (Folder::new(), Broker::start(seed).await);
        let mut service = Service::new(&folder, &broker).start().await;
        let load = Load::start(vec![service.address()], 60);
        sleep(seconds(1.5)).await;
        service.signal("KILL");
        let mut seen = load.finish().await;
        service.exit(None).await;

        let mut service = Service::new(&folder, &broker).env("ORDERS_DRAIN", "0s").start().await;
        let load = Load::start(vec![service.address()], 60);
        sleep(seconds(0.5)).await;
        seen.accepted.extend(load.finish().await.accepted);
        broker.until_has(&seen.accepted).await;
        service.signal("TERM");
        let log = service.exit(Some(0)).await;
        let ledger = broker.ledger().await;
        // One can have been under way in the kill. And one that was accepted, whose answer was lost, is delivered too.
        assert!(ledger.repeats <= 1, "seed {seed}: {}\n{log}", ledger.repeats);
        let unknown: HashSet<_> = ledger.acknowledged.difference(&seen.accepted).collect();
        assert!(unknown.len() as u64 <= seen.unanswered, "seed {seed}: {unknown:?}\n{log}");
    }
}

#[tokio::test]
async fn orders_are_accepted_while_the_broker_is_down_and_delivered_afterwards() {
    for seed in SEEDS {
        let (folder, broker) = (Folder::new(), Broker::start(seed).await);
        // In place of a minute.
        broker.fail_for(seconds(3.0)).await;
        let limits = [("ORDERS_DRAIN", "0s"), ("ORDERS_RELAY_BACKOFF_MAX", "200ms")];
        let mut service = Service::new(&folder, &broker).envs(limits).start().await;
        let load = Load::start(vec![service.address()], 60);
        // Told, but no reason to take the service out of rotation.
        service.until_page("/readyz", |status, body| status == 200 && body.contains("does not count: relay")).await;
        sleep(seconds(1.0)).await;
        assert!(broker.ledger().await.acknowledged.is_empty(), "seed {seed}");
        let seen = load.finish().await;
        assert!(seen.unanswered == 0 && seen.accepted.len() > 30, "seed {seed}: {seen:?}");

        broker.until_has(&seen.accepted).await;
        service.until_page("/readyz", |status, body| status == 200 && !body.contains("relay")).await;
        service.signal("TERM");
        let log = service.exit(Some(0)).await;
        let ledger = broker.ledger().await;
        assert_eq!((ledger.acknowledged, ledger.repeats), (seen.accepted, 0), "seed {seed}\n{log}");
    }
}

#[tokio::test]
async fn a_poisoned_tenant_harms_no_other() {
    let (folder, broker) = (Folder::new(), Broker::start(SEEDS[0]).await);
    let mut service = Service::new(&folder, &broker).env("ORDERS_DRAIN", "0s").start().await;
    // Their sum is too large for the database, and each of them for the broker.
    for id in ["poison-1", "poison-2"] {
        assert_eq!(service.order(id, "poison", i64::MAX).await, 201);
    }
    let mut accepted = HashSet::new();
    for id in ["acme-1", "acme-2"] {
        assert_eq!(service.order(id, "acme", 1200).await, 201);
        accepted.insert(id.to_owned());
    }
    // More than its queue holds. Some fail, and the rest are told to come later.
    let poisoned: Vec<_> = (0..30).map(|_| tokio::spawn(service.customer().statement("poison"))).collect();
    for _ in 0..5 {
        let (status, body) = service.customer().statement("acme").await;
        assert_eq!((status, body.as_str()), (200, r#"{"orders":2,"cents":2400}"#));
    }
    let mut statuses = HashSet::new();
    for answer in poisoned {
        let (status, body) = answer.await.unwrap();
        let has_cause = body.contains("the database failed: ") || status == 429;
        assert!(has_cause, "{status}: {body}");
        statuses.insert(status);
    }
    assert_eq!(statuses, HashSet::from([429, 500]));
    broker.until_has(&accepted).await;
    service.until_page("/orders/poison-1", |_, body| body == "parked").await;
    service.until_page("/orders/acme-1", |_, body| body == "delivered").await;
    service.until_page("/readyz", |status, _| status == 200).await;
    service.signal("TERM");
    let log = service.exit(Some(0)).await;
    assert_eq!(broker.ledger().await.acknowledged, accepted, "{log}");
}

#[tokio::test]
async fn a_wrong_override_ends_the_start_with_status_2_and_says_what_is_right() {
    let (folder, broker) = (Folder::new(), Broker::start(SEEDS[0]).await);
    let wrong = [("ORDERS_GRACE", "10"), ("ORDERS_RELAI_STOP_TIMEOUT", "5s"), ("ORDERS_BACKLOG_EVERY", "0s")];
    let mut service = Service::new(&folder, &broker).envs(wrong).start().await;
    let log = service.exit(Some(2)).await;
    for said in ["ORDERS_GRACE", "ORDERS_RELAI_STOP_TIMEOUT", "ORDERS_RELAY_STOP_TIMEOUT", "ORDERS_BACKLOG_EVERY"] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!folder.database().exists(), "something has started");
}

#[tokio::test]
async fn a_rolling_restart_of_two_replicas_is_not_noticed() {
    let Some(postgres) = Postgres::start(&[]) else { return };
    let url = format!("postgres://postgres@{}/postgres", postgres.address());
    let (folder, broker) = (Folder::new(), Broker::start(SEEDS[1]).await);
    let replica = |name: &str| {
        let options = ["--postgres", &url, "--replica", name, "--ttl", "3"];
        Service::on(&folder, &broker).args(options).env("ORDERS_DRAIN", "600ms").env("ORDERS_REPORT_EVERY", "1s")
    };
    // Both at once: they migrate the same database.
    let (mut one, mut two) = tokio::join!(replica("one").start(), replica("two").start());
    let load = Load::start(vec![one.address(), two.address()], 60);
    sleep(seconds(1.5)).await;
    for service in [&mut one, &mut two] {
        service.signal("TERM");
        let log = service.exit(Some(0)).await;
        let name = service.name().to_owned();
        *service = replica(&name).listen(service.address()).start().await;
        service.until_page("/readyz", |status, _| status == 200).await;
        sleep(seconds(1.5)).await;
        assert!(log.contains("the pool is closed"), "{log}");
    }
    let seen = load.finish().await;
    assert_eq!(seen.unanswered, 0);
    broker.until_has(&seen.accepted).await;
    for service in [&mut one, &mut two] {
        service.signal("TERM");
        service.exit(Some(0)).await;
    }
    let ledger = broker.ledger().await;
    assert_eq!((ledger.acknowledged, ledger.repeats), (seen.accepted, 0));

    // One report for each tick, whoever made it, by tokens that only grow.
    let (client, connection) = tokio_postgres::connect(&postgres.url(), tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let rows = client.query("SELECT tick, made_by, token FROM reports ORDER BY tick", &[]).await.unwrap();
    let makers: HashSet<String> = rows.iter().map(|row| row.get(1)).collect();
    assert_eq!(makers, HashSet::from(["one".to_owned(), "two".to_owned()]));
    for pair in rows.windows(2) {
        let ((tick, token), (next, later)): ((i64, i64), (i64, i64)) =
            ((pair[0].get(0), pair[0].get(2)), (pair[1].get(0), pair[1].get(2)));
        assert!(next - tick >= 1000 && later >= token, "{rows:?}");
    }
    drop(client);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_demonstration_ends_well_with_customers_and_faults() {
    for seed in SEEDS {
        let folder = Folder::new();
        let seed = seed.to_string();
        let options = ["--load", "60", "--seconds", "4", "--chaos", &seed];
        let mut service = Service::alone(&folder).args(options).start().await;
        service.until_page("/metrics", |_, body| body.contains("orders_outbox{state=\"pending\"}")).await;
        service.until_page("/livez", |status, _| status == 200).await;
        let tree = service.page("/console?tree").await.1;
        let tree: Value = serde_json::from_str(&tree).unwrap_or_else(|error| panic!("{error}: {tree}"));
        assert_eq!(tree["name"], "orders");
        let log = service.exit(Some(0)).await;
        assert!(service.output().ends_with("all is well\n"), "seed {seed}: {}\n{log}", service.output());
    }
}
