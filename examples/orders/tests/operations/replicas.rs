//! Two replicas over one database.

use std::collections::HashSet;
use std::time::Instant;

use fleet_tests::Postgres;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls, Row};

use crate::load::Load;
use crate::process::{Broker, Folder, PATIENCE, Service};
use crate::{Plot, with_each_seed};

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_two_replicas_is_not_noticed() {
    let Some(postgres) = Postgres::start(&[]) else { return };
    let address = postgres.address();
    with_each_seed(|plot: Plot| async move {
        let (admin, driver) = tokio_postgres::connect(&url(address, "postgres"), NoTls).await.unwrap();
        tokio::spawn(driver);
        let database = format!("seed_{}", plot.seed);
        admin.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
        story(plot, &url(address, &database)).await;
    })
    .await;
}

fn url(server: std::net::SocketAddr, database: &str) -> String {
    format!("postgres://postgres@{server}/{database}")
}

async fn story(mut plot: Plot, url: &str) {
    // Both once, in one order or the other, and one of them again.
    let mut turns = vec!["one", "two"];
    plot.luck.shuffle(&mut turns);
    turns.push(*plot.luck.choice(&["one", "two"]).unwrap());

    let (folder, broker) = (Folder::new(), Broker::start(plot.seed).await);
    let replica = |name: &str| {
        let options = ["--postgres", url, "--replica", name, "--ttl", "3"];
        Service::on(&folder, &broker).args(options).env("ORDERS_DRAIN", "600ms").env("ORDERS_REPORT_EVERY", "1s")
    };
    // Both at once: they migrate the same database.
    let (mut one, mut two) = tokio::join!(replica("one").start(), replica("two").start());
    let (client, driver) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let load = Load::start(vec![one.address(), two.address()], 40);
    for name in &turns {
        load.until_accepted(plot.luck.usize(20..80)).await;
        let service = if *name == "one" { &mut one } else { &mut two };
        service.signal("TERM");
        let log = service.exit(Some(0)).await;
        assert!(log.contains("the pool is closed"), "{log}");
        // The other makes the reports, also if this one did.
        until_reported(&client, if *name == "one" { "two" } else { "one" }).await;
        *service = replica(name).listen(service.address()).start().await;
    }
    load.until_accepted(20).await;
    let seen = load.finish().await;
    assert_eq!(seen.unanswered, 0, "{turns:?}");
    broker.until_has(&seen.accepted).await;
    for service in [&mut one, &mut two] {
        service.signal("TERM");
        service.exit(Some(0)).await;
    }
    let ledger = broker.ledger().await;
    assert_eq!((ledger.acknowledged, ledger.repeats), (seen.accepted, 0), "{turns:?}");

    // One report for each tick, whoever made it, by tokens that only grow.
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
        sleep(std::time::Duration::from_millis(50)).await;
    }
}
