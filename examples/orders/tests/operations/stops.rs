//! Tests of the ends of the process: requested, killed, and after a failure of the broker.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use crate::load::Load;
use crate::process::{Broker, Folder, Service, ended, not_noted};
use crate::{Plot, with_each_seed};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_answers_and_delivers_all_and_closes_the_pool_last() {
    let _turn = crate::turn().await;
    with_each_seed(|mut plot: Plot| async move {
        let (folder, broker) = (Folder::new(), Broker::start(plot.seed).await);
        let mut service = Service::new(&folder, &broker).env("ORDERS_DRAIN", "10s").start().await;
        let load = Load::start(vec![service.address()], 30);
        load.until_accepted(plot.luck.usize(15..60)).await;
        service.signal("TERM");
        // A load balancer notices the stop in the drain, during which requests are still answered.
        service.until_page("/readyz", |status, _| status == 503).await;
        let seen = load.finish().await;
        let log = service.exit(Some(0)).await;

        assert_eq!(seen.unanswered, 0, "{log}");
        let ledger = broker.ledger().await;
        seen.check(&ledger.acknowledged, &log);
        assert!(ledger.repeats <= not_noted(&log), "a message was sent again that was acknowledged\n{log}");
        let ended = ended(&log);
        let at = |path| ended.iter().position(|ended| ended == path);
        assert!(at("serve") < at("relay") && at("store/pool") == Some(ended.len() - 1), "{log}");
    })
    .await;
}

/// The moment at which the process is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kill {
    UnderLoad,
    /// During the drain, as by an impatient operator.
    WhileItStops,
    /// Again, when it has just begun to deliver the rest.
    Twice,
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_order_and_counts_none_twice() {
    let _turn = crate::turn().await;
    with_each_seed(|mut plot: Plot| async move {
        let kill = plot.variant([Kill::UnderLoad, Kill::WhileItStops, Kill::Twice]);
        let (folder, broker) = (Folder::new(), Broker::start(plot.seed).await);
        let mut service = Service::new(&folder, &broker).start().await;
        let load = Load::start(vec![service.address()], 30);
        load.until_accepted(plot.luck.usize(15..60)).await;
        if kill == Kill::WhileItStops {
            service.signal("TERM");
            service.until_page("/readyz", |status, _| status == 503).await;
        }
        service.signal("KILL");
        let mut seen = load.finish().await;
        let mut log = service.exit(None).await;
        if kill == Kill::Twice {
            let mut again = Service::new(&folder, &broker).start().await;
            again.signal("KILL");
            log += &again.exit(None).await;
        }

        let mut service = Service::new(&folder, &broker).env("ORDERS_DRAIN", "0s").start().await;
        let load = Load::start(vec![service.address()], 30);
        load.until_accepted(20).await;
        let later = load.finish().await;
        seen.accepted.extend(later.accepted);
        seen.doubtful.extend(later.doubtful);
        broker.until_has(&seen.accepted).await;
        service.signal("TERM");
        log += &service.exit(Some(0)).await;
        let ledger = broker.ledger().await;
        // At each kill, one message can have been in flight. An accepted order whose answer was lost is delivered too.
        let kills = if kill == Kill::Twice { 2 } else { 1 };
        assert!(ledger.repeats <= kills + not_noted(&log), "{}\n{log}", ledger.repeats);
        seen.check(&ledger.acknowledged, &log);
    })
    .await;
}

/// It takes a minute of real time, in parallel with the other tests.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_down_for_a_minute_stops_no_order_and_gets_each_afterwards() {
    const MINUTE: Duration = Duration::from_secs(60);
    const ALMOST: Duration = Duration::from_secs(59);
    let _turn = crate::turn().await;
    with_each_seed(|mut plot: Plot| async move {
        let (folder, broker) = (Folder::new(), Broker::start(plot.seed).await);
        let mut service = Service::new(&folder, &broker).env("ORDERS_DRAIN", "0s").start().await;
        let load = Load::start(vec![service.address()], 8);
        load.until_accepted(plot.luck.usize(1..20)).await;
        let down = Instant::now();
        broker.fail_for(MINUTE).await;
        let before = broker.ledger().await;
        // The failure is reported, but does not take the service out of rotation.
        service.until_page("/readyz", |_, body| body.contains("does not count: relay")).await;
        while down.elapsed() < ALMOST {
            let (status, body) = service.page("/readyz").await;
            assert_eq!(status, 200, "after {:?}: {body}", down.elapsed());
            sleep(Duration::from_millis(250)).await;
        }
        let acknowledged = broker.ledger().await.acknowledged;
        assert!(acknowledged == before.acknowledged || down.elapsed() >= MINUTE, "{acknowledged:?}");
        let seen = load.finish().await;
        assert_eq!(seen.unanswered, 0);
        assert!(seen.accepted.len() > before.acknowledged.len() + 100, "{}", seen.accepted.len());

        broker.until_has(&seen.accepted).await;
        service.until_page("/readyz", |status, body| status == 200 && !body.contains("relay")).await;
        service.signal("TERM");
        let log = service.exit(Some(0)).await;
        let ledger = broker.ledger().await;
        seen.check(&ledger.acknowledged, &log);
        assert!(ledger.repeats <= not_noted(&log), "{}\n{log}", ledger.repeats);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_ends_well_with_customers_and_faults() {
    let _turn = crate::turn().await;
    with_each_seed(|plot: Plot| async move {
        let folder = Folder::new();
        let seed = plot.seed.to_string();
        let options = ["--load", "60", "--seconds", "4", "--chaos", &seed];
        let mut service = Service::alone(&folder).args(options).start().await;
        service.until_page("/metrics", |_, body| body.contains("orders_outbox{state=\"pending\"}")).await;
        service.until_page("/livez", |status, _| status == 200).await;
        let tree = service.page("/console?tree").await.1;
        let tree: Value = serde_json::from_str(&tree).unwrap_or_else(|error| panic!("{error}: {tree}"));
        assert_eq!(tree["name"], "orders");
        let log = service.exit(Some(0)).await;
        assert!(service.output().ends_with("all is well\n"), "{}\n{log}", service.output());
    })
    .await;
}
