//! The real store: on `SQLite`, and on PostgreSQL if it is installed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use fleet_tests::Postgres;
use taskvisor_postgres::PostgresStore;
use tokio::task::JoinSet;

use crate::store::{Accepted, Durability, Order, Settled, SqlStore, Store as _, StoreError};

/// A database in a temporary file, which is removed on drop.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("taskvisor-orders-sql-{}-{number}", std::process::id()));
        // A killed process that had the same number can have left it.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.0.join("orders").display())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a check on each available database.
async fn on_each<F: Future<Output = ()>>(check: impl Fn(String) -> F) {
    let file = File::new();
    check(file.url()).await;
    let Some(postgres) = Postgres::start(&[]) else { return };
    check(format!("postgres://postgres@{}/postgres", postgres.address())).await;
}

/// A replica, as `main` creates it.
async fn replica(url: &str) -> Result<SqlStore, StoreError> {
    let mut store = SqlStore::new(url, Durability::PowerCut);
    if url.starts_with("postgres:") {
        store = store.with_leases(PostgresStore::new(url.parse().unwrap()), "orders");
    }
    store.open().await?;
    store.migrate().await?;
    Ok(store)
}

fn order(id: &str, cents: i64) -> Order {
    Order { id: id.to_owned(), tenant: "acme".into(), item: "a book".into(), cents }
}

/// Not on `SQLite`, which has only one process.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_at_once_make_the_tables_once() {
    let Some(postgres) = Postgres::start(&[]) else { return };
    let url = format!("postgres://postgres@{}/postgres", postgres.address());
    let mut starts = JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        starts.spawn(async move { replica(&url).await.map(drop) });
    }
    while let Some(started) = starts.join_next().await {
        started.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_replica_of_the_version_before_starts_beside_a_later_one() {
    on_each(async |url| {
        let store = replica(&url).await.unwrap();
        // The row of a migration of a later version.
        store.run("INSERT INTO _sqlx_migrations VALUES (99, 'later', CURRENT_TIMESTAMP, TRUE, '', 0)").await.unwrap();
        store.close().await;
        replica(&url).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_order_is_accepted_once_and_another_with_its_id_is_not() {
    on_each(async |url| {
        let store = replica(&url).await.unwrap();
        assert_eq!(store.accept(&order("1", 1200)).await.unwrap(), Accepted::New);
        assert_eq!(store.accept(&order("1", 1200)).await.unwrap(), Accepted::Known);
        assert_eq!(store.accept(&order("1", 1300)).await.unwrap(), Accepted::Conflict);
        assert_eq!(store.backlog().await.unwrap().pending, 1);
        assert_eq!(store.statement("acme").await.unwrap().cents, 1200);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_claim_keeps_a_message_from_others_until_it_is_released_or_settled() {
    on_each(async |url| {
        let (one, two) = (replica(&url).await.unwrap(), replica(&url).await.unwrap());
        let hour = Duration::from_secs(3600);
        for id in ["1", "2"] {
            one.accept(&order(id, 1200)).await.unwrap();
        }
        assert_eq!(one.claim("one", hour, 9).await.unwrap().len(), 2);
        assert!(two.claim("two", hour, 9).await.unwrap().is_empty());
        let now = SystemTime::now();
        assert_eq!((one.left("one", now).await.unwrap(), two.left("two", now).await.unwrap()), (2, 0));
        one.settle("1", Settled::Delivered).await.unwrap();
        one.release("one").await.unwrap();
        let claimed = two.claim("two", hour, 9).await.unwrap();
        assert_eq!(claimed.iter().map(|message| (&*message.id, message.attempts)).collect::<Vec<_>>(), [("2", 2)]);
        two.settle("2", Settled::Later(hour)).await.unwrap();
        assert!(one.claim("one", hour, 9).await.unwrap().is_empty(), "it is not due");
        // A delivered message stays delivered.
        one.settle("1", Settled::Later(Duration::ZERO)).await.unwrap();
        assert_eq!(one.state("1").await.unwrap().as_deref(), Some("delivered"));
        for store in [one, two] {
            store.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn old_messages_are_removed_some_at_a_time() {
    on_each(async |url| {
        let store = replica(&url).await.unwrap();
        for id in ["1", "2", "3", "4"] {
            store.accept(&order(id, 1200)).await.unwrap();
        }
        for id in ["1", "2", "3"] {
            store.settle(id, Settled::Delivered).await.unwrap();
        }
        let later = SystemTime::now() + Duration::from_secs(60);
        assert_eq!(store.clean(later - Duration::from_secs(120), 9).await.unwrap(), 0);
        let removed = [store.clean(later, 2).await.unwrap(), store.clean(later, 2).await.unwrap()];
        assert_eq!((removed, store.clean(later, 2).await.unwrap()), ([2, 1], 0));
        assert_eq!(store.state("4").await.unwrap().as_deref(), Some("pending"));
        store.close().await;
    })
    .await;
}

/// A lock of another session on a table would block a statement forever.
#[tokio::test]
async fn the_server_ends_a_statement_that_nobody_waits_for() {
    let Some(postgres) = Postgres::start(&[]) else { return };
    let store = replica(&format!("postgres://postgres@{}/postgres", postgres.address())).await.unwrap();
    let limits = [("statement_timeout", "10s"), ("idle_in_transaction_session_timeout", "10s")];
    for (name, limit) in limits {
        assert_eq!(store.ask(&format!("SHOW {name}")).await.unwrap(), limit);
    }
    store.close().await;
}
