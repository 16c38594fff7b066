//! Supervisors that share a task by leases in PostgreSQL.

use std::time::Duration;

use fleet_tests::{Link, Proxy};
use taskvisor::fleet::{FencingToken, Fleet};
use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
use taskvisor_postgres::PostgresStore;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{address, client, server, store, unmigrated, until, url_by};

#[derive(Debug, PartialEq)]
enum Said {
    Begins(&'static str, FencingToken),
    Ends(&'static str),
}

/// A third of this is how often keys are asked for without a hint.
const LONG: Duration = Duration::from_secs(300);
/// Long for a hint, and short for that.
const SOON: Duration = Duration::from_secs(60);

fn replica(name: &'static str, store: PostgresStore, ttl: Duration, said: mpsc::UnboundedSender<Said>) -> Tree {
    let ledger = TaskFn::arc("ledger", move |ctx: TaskContext| {
        let said = said.clone();
        async move {
            let _ = said.send(Said::Begins(name, ctx.fencing_token().expect("it runs under a lease")));
            ctx.cancelled().await;
            let _ = said.send(Said::Ends(name));
            Ok(())
        }
    });
    Tree::builder(SupervisorConfig::default())
        .with_fleet(Fleet::new(store).name("billing").label(name).ttl(ttl))
        .task(TaskSpec::inherit(ledger).with_singleton())
        .build()
}

#[tokio::test]
async fn a_task_is_handed_over_by_a_hint() {
    let Some(url) = server() else { return };
    let control = client(&url).await;
    store(&url, "handed").await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let mut next = async || timeout(SOON, heard.recv()).await.expect("a replica takes over").expect("a run");
    let mut owner = replica("first", unmigrated(&url, "handed"), LONG, said.clone());
    owner.start().await.unwrap();
    let mut of = "first";
    let Said::Begins("first", mut last) = next().await else { panic!("the first begins") };
    for name in ["second", "third", "fourth"] {
        let standby = replica(name, unmigrated(&url, "handed"), LONG, said.clone());
        standby.start().await.unwrap();
        until(&control, "SELECT 1 FROM handed.lease WHERE wanted", &[]).await;
        // Hints need a connection that listens, which is made after the refusal.
        let listens = "SELECT 1 FROM pg_stat_activity WHERE query = 'LISTEN \"handed\"' AND state = 'idle'
            HAVING count(*) >= 1";
        until(&control, listens, &[]).await;
        owner.shutdown().await.unwrap();
        assert_eq!(next().await, Said::Ends(of));
        let Said::Begins(by, token) = next().await else { panic!("{name} begins") };
        assert_eq!(by, name);
        assert!(token > last, "{token} came after {last}");
        (owner, of, last) = (standby, name, token);
    }
    owner.shutdown().await.unwrap();
    let left = control.query("SELECT 1 FROM handed.session WHERE NOT dead", &[]).await.unwrap();
    assert!(left.is_empty(), "every session was closed");
}

/// The owner is cut off: it stops before its lease ends, and another begins after that, with a greater token.
#[tokio::test]
async fn an_owner_that_is_cut_off_stops_before_another_begins() {
    let Some(url) = server() else { return };
    // All at once, because they mostly wait.
    tokio::join!(is_cut_off(&url, Link::Cut), is_cut_off(&url, Link::Stalled), is_cut_off(&url, Link::RepliesDropped));
}

async fn is_cut_off(url: &str, link: Link) {
    let schema = format!("cut_off_{link:?}");
    store(url, &schema).await;
    let proxy = Proxy::start(address(url)).await.unwrap();
    let through = unmigrated(&url_by(url, proxy.address().port()), &schema);
    let (said, mut heard) = mpsc::unbounded_channel();
    let mut next = async || timeout(SOON, heard.recv()).await.expect("an answer").expect("a run");
    // Neither may lose its lease because the machine is slow.
    let ttl = Duration::from_secs(10);
    let owner = replica("owner", through, ttl, said.clone());
    owner.start().await.unwrap();
    let Said::Begins("owner", first) = next().await else { panic!("{link:?}: the owner begins") };
    let other = replica("other", unmigrated(url, &schema), ttl, said.clone());
    other.start().await.unwrap();
    proxy.set(link);
    assert_eq!(next().await, Said::Ends("owner"), "{link:?}");
    let Said::Begins("other", second) = next().await else { panic!("{link:?}: the other begins") };
    assert!(second > first);
    proxy.set(Link::Open);
    // It stands by again, and does not take the key back.
    other.shutdown().await.unwrap();
    assert_eq!(next().await, Said::Ends("other"));
    let Said::Begins("owner", third) = next().await else { panic!("{link:?}: it is handed over") };
    assert!(third > second);
    owner.shutdown().await.unwrap();
}
