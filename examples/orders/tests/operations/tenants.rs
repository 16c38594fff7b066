//! Tests of a faulty tenant.

use std::collections::{HashMap, HashSet};

use crate::process::{Broker, Folder, Service};
use crate::{Plot, with_each_seed};

const TENANTS: [&str; 5] = ["acme", "blue", "cobalt", "dune", "ember"];

/// The fault of the tenant.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Poison {
    /// The sum of its orders is too large for the database, so each statement fails. The broker refuses them, too.
    Sum,
    /// The broker refuses its orders.
    Refused,
    /// It requests more statements than can be made.
    Flood,
}

impl Poison {
    /// Returns the amount of each of its orders.
    fn cents(self) -> i64 {
        match self {
            Self::Sum => i64::MAX,
            Self::Refused => 1_000_000_000,
            Self::Flood => 1200,
        }
    }

    /// Returns the number of requests that it makes at once, and the statuses of their answers.
    fn requests(self) -> (usize, HashSet<u16>) {
        match self {
            // More than the capacity of its queue. Some fail, and the others get 429.
            Self::Sum => (30, HashSet::from([429, 500])),
            Self::Refused => (4, HashSet::from([200])),
            Self::Flood => (30, HashSet::from([200, 429])),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_tenant_harms_no_other() {
    let _turn = crate::turn().await;
    with_each_seed(|mut plot: Plot| async move {
        let poison = plot.variant([Poison::Sum, Poison::Refused, Poison::Flood]);
        let mut tenants = TENANTS;
        plot.luck.shuffle(&mut tenants);
        let [poisoned, others @ ..] = tenants;
        let (folder, broker) = (Folder::new(), Broker::start(plot.seed).await);
        let mut service = Service::new(&folder, &broker).env("ORDERS_DRAIN", "0s").start().await;

        let mut orders = HashMap::from([(poisoned, 2)]);
        orders.extend(others.map(|tenant| (tenant, plot.luck.i64(1..5))));
        let (mut accepted, mut parked) = (HashSet::new(), HashSet::new());
        for (tenant, count) in &orders {
            for number in 1..=*count {
                let id = format!("{tenant}-{number}");
                let is_poisoned = *tenant == poisoned;
                let cents = if is_poisoned { poison.cents() } else { 1200 };
                assert_eq!(service.order(&id, tenant, cents).await, 201);
                let is_refused = is_poisoned && poison != Poison::Flood;
                (if is_refused { &mut parked } else { &mut accepted }).insert(id);
            }
        }

        let (count, expected) = poison.requests();
        let asked: Vec<_> = (0..count).map(|_| tokio::spawn(service.customer().statement(poisoned))).collect();
        for tenant in others {
            let (status, body) = service.customer().statement(tenant).await;
            let count = orders[tenant];
            let sum = format!(r#"{{"orders":{count},"cents":{}}}"#, count * 1200);
            assert_eq!((status, body), (200, sum), "{poison:?} of {poisoned}");
        }
        let mut statuses = HashSet::new();
        for answer in asked {
            let (status, body) = answer.await.unwrap();
            // Errors of the database are in the log, and not in answers to customers.
            assert!(!body.contains("overflow") && !body.contains("database"), "{status}: {body}");
            statuses.insert(status);
        }
        assert_eq!(statuses, expected, "{poison:?} of {poisoned}");

        broker.until_has(&accepted).await;
        for (ids, state) in [(&parked, "parked"), (&accepted, "delivered")] {
            for id in ids {
                service.until_page(&format!("/orders/{id}"), |_, body| body == state).await;
            }
        }
        service.until_page("/readyz", |status, _| status == 200).await;
        service.signal("TERM");
        let log = service.exit(Some(0)).await;
        assert_eq!(broker.ledger().await.acknowledged, accepted, "{log}");
        assert_eq!(log.contains("integer overflow"), poison == Poison::Sum, "the log has the cause\n{log}");
    })
    .await;
}
