//! Tests of replicas with one database: restarted, killed, and without the database for a while.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet_tests::{Postgres, free_port};
use tokio::sync::Barrier;
use tokio::task;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls, Row};

use crate::load::Load;
use crate::process::{Broker, Folder, PATIENCE, Service, not_noted};
use crate::{Plot, with_each_seed};

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_two_replicas_is_not_noticed() {
    let _turn = crate::turn().await;
    let Some(postgres) = Postgres::start(&[]) else { return };
    let address = postgres.address();
    with_each_seed(|plot: Plot| async move {
        let url = database(address, &plot).await;
        rolling_restart(plot, &url).await;
    })
    .await;
}

/// Creates a database for a seed, and returns its URL.
async fn database(server: SocketAddr, plot: &Plot) -> String {
    let url = |name: &str| format!("postgres://postgres@{server}/{name}");
    let (admin, driver) = tokio_postgres::connect(&url("postgres"), NoTls).await.unwrap();
    tokio::spawn(driver);
    let name = format!("seed_{}", plot.seed);
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    url(&name)
}

async fn rolling_restart(mut plot: Plot, url: &str) {
    // Both replicas once, in either order, and one of them again.
    let mut turns = vec!["one", "two"];
    plot.luck.shuffle(&mut turns);
    turns.push(*plot.luck.choice(&["one", "two"]).unwrap());

    let (folder, broker) = (Folder::new(), Broker::start(plot.seed).await);
    let mut logs = String::new();
    let replica = |name: &str| {
        let options = ["--postgres", url, "--replica", name, "--ttl", "3", "--claim", "60"];
        Service::on(&folder, &broker).args(options).env("ORDERS_DRAIN", "6s").env("ORDERS_REPORT_EVERY", "1s")
    };
    // A port that no client uses as its own while a replica is down.
    let address = || SocketAddr::from(([127, 0, 0, 1], free_port()));
    // Both start at once, and migrate the same database.
    let (mut one, mut two) =
        tokio::join!(replica("one").listen(address()).start(), replica("two").listen(address()).start());
    let (client, driver) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let load = Load::start(vec![one.address(), two.address()], 20);
    for name in &turns {
        load.until_accepted(plot.luck.usize(10..40)).await;
        let service = if *name == "one" { &mut one } else { &mut two };
        service.signal("TERM");
        let log = service.exit(Some(0)).await;
        assert!(log.contains("the pool is closed"), "{log}");
        logs.push_str(&log);
        // The other replica makes the reports, even if this one made them before.
        until_reported(&client, if *name == "one" { "two" } else { "one" }).await;
        *service = replica(name).listen(service.address()).start().await;
    }
    load.until_accepted(20).await;
    let seen = load.finish().await;
    assert_eq!(seen.unanswered, 0, "{turns:?}");
    broker.until_has(&seen.accepted).await;
    for service in [&mut one, &mut two] {
        service.signal("TERM");
        logs.push_str(&service.exit(Some(0)).await);
    }
    let ledger = broker.ledger().await;
    seen.check(&ledger.acknowledged, &logs);
    assert!(ledger.repeats <= not_noted(&logs), "{turns:?} {}\n{logs}", ledger.repeats);

    // One report for each tick, with growing tokens.
    let rows = reports(&client).await;
    let makers: HashSet<String> = rows.iter().map(|row| row.get(1)).collect();
    assert_eq!(makers, HashSet::from(["one".to_owned(), "two".to_owned()]));
    for pair in rows.windows(2) {
        let ((tick, token), (next, later)): ((i64, i64), (i64, i64)) =
            ((pair[0].get(0), pair[0].get(2)), (pair[1].get(0), pair[1].get(2)));
        assert!(next - tick >= 1000 && later >= token, "{turns:?} {rows:?}");
    }
    drop(client);
    driver.await.unwrap().unwrap();
}

async fn reports(client: &Client) -> Vec<Row> {
    client.query("SELECT tick, made_by, token FROM reports ORDER BY tick", &[]).await.unwrap()
}

/// Waits until this replica has made the last report.
async fn until_reported(client: &Client, by: &str) {
    let end = Instant::now() + PATIENCE;
    while reports(client).await.last().is_none_or(|row| row.get::<_, &str>(1) != by) {
        assert!(Instant::now() < end, "{by} makes no report");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_killed_leaves_its_orders_to_the_other() {
    let _turn = crate::turn().await;
    let Some(postgres) = Postgres::start(&[]) else { return };
    let address = postgres.address();
    with_each_seed(|mut plot: Plot| async move {
        let url = database(address, &plot).await;
        let (folder, broker) = (Folder::new(), Broker::start(plot.seed).await);
        let mut names = ["one", "two"];
        plot.luck.shuffle(&mut names);
        let replica = |name: &str| {
            let options = ["--postgres", &url, "--replica", name, "--claim", "5"];
            Service::on(&folder, &broker).args(options).env("ORDERS_DRAIN", "0s")
        };
        let (mut killed, mut other) = tokio::join!(replica(names[0]).start(), replica(names[1]).start());
        let load = Load::start(vec![killed.address(), other.address()], 20);
        load.until_accepted(plot.luck.usize(10..40)).await;
        killed.signal("KILL");
        let mut log = killed.exit(None).await;
        load.until_accepted(20).await;
        let seen = load.finish().await;
        // The killed replica is not started again. Its claims are free after 5 s.
        broker.until_has(&seen.accepted).await;
        other.signal("TERM");
        log += &other.exit(Some(0)).await;
        let ledger = broker.ledger().await;
        assert!(ledger.repeats <= 1 + not_noted(&log), "{names:?} {}\n{log}", ledger.repeats);
        seen.check(&ledger.acknowledged, &log);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_under_load_refuses_orders_and_loses_none() {
    let _turn = crate::turn().await;
    let Some(postgres) = Postgres::start(&["synchronous_commit=on"]) else { return };
    let address = postgres.address();
    // The tests of all three seeds use the same crash.
    let (crashed, back) = (Arc::new(Barrier::new(4)), Arc::new(Barrier::new(4)));
    let (at_crash, at_return) = (Arc::clone(&crashed), Arc::clone(&back));
    let server = tokio::spawn(async move {
        let mut postgres = postgres;
        at_crash.wait().await;
        postgres.crash();
        at_return.wait().await;
        task::spawn_blocking(move || {
            postgres.start_again();
            postgres
        })
        .await
        .unwrap()
    });
    with_each_seed(move |mut plot: Plot| {
        let (crashed, back) = (Arc::clone(&crashed), Arc::clone(&back));
        async move {
            let url = database(address, &plot).await;
            let (folder, broker) = (Folder::new(), Broker::start(plot.seed).await);
            let options = ["--postgres", &url, "--replica", "one"];
            let mut service = Service::on(&folder, &broker).args(options).env("ORDERS_DRAIN", "0s").start().await;
            let load = Load::start(vec![service.address()], 20);
            load.until_accepted(plot.luck.usize(10..40)).await;
            crashed.wait().await;
            service.until_page("/readyz", |status, _| status == 503).await;
            assert_eq!(service.order("refused", "acme", 1200).await, 503);
            assert_eq!(service.page("/livez").await.0, 200);
            back.wait().await;
            load.until_accepted(20).await;
            let seen = load.finish().await;
            assert_eq!(seen.unanswered, 0);
            broker.until_has(&seen.accepted).await;
            service.until_page("/readyz", |status, _| status == 200).await;
            service.signal("TERM");
            let log = service.exit(Some(0)).await;
            seen.check(&broker.ledger().await.acknowledged, &log);
        }
    })
    .await;
    drop(server.await.unwrap());
}
