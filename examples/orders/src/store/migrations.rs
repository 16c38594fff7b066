//! The tables, as migrations that are part of the program.

use std::future::Future;
use std::pin::Pin;

use sqlx::error::BoxDynError;
use sqlx::migrate::{Migration, MigrationSource, MigrationType, Migrator};

use super::Result;

/// Add to the end, and never change one that has been deployed: its text is compared with what was run. A new one leaves the
/// version before able to work, because replicas of it run meanwhile.
const ALL: [(&str, &str); 2] =
    [("orders", include_str!("migrations/1_orders.sql")), ("reports", include_str!("migrations/2_reports.sql"))];

#[derive(Debug)]
struct Embedded;

impl MigrationSource<'static> for Embedded {
    fn resolve(self) -> Pin<Box<dyn Future<Output = std::result::Result<Vec<Migration>, BoxDynError>> + Send>> {
        let migration = |(version, (name, sql)): (i64, (&'static str, &'static str))| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into(), false)
        };
        Box::pin(async move { Ok((1..).zip(ALL).map(migration).collect()) })
    }
}

/// Returns all migrations. The migrator holds a lock of the database, so replicas wait for each other.
pub(super) async fn migrator() -> Result<Migrator> {
    let mut migrator = Migrator::new(Embedded).await?;
    // In a rolling update, and after one that was taken back, a replica meets the tables of a later version.
    migrator.set_ignore_missing(true);
    Ok(migrator)
}
