//! The tables, as migrations that are part of the program.

use std::future::Future;
use std::pin::Pin;

use sqlx::error::BoxDynError;
use sqlx::migrate::{Migration, MigrationSource, MigrationType, Migrator};

use super::Result;

/// Add migrations at the end, and never change a deployed one: its text is compared with the one that was run. The
/// previous version must work after a new migration, because its replicas still run.
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
    // In a rolling update, and after a rollback, a replica finds the tables of a later version.
    migrator.set_ignore_missing(true);
    Ok(migrator)
}
