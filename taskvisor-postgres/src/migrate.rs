//! Makes the tables.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::fleet::LeaseError;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::types::{ToSql, Type};

use crate::connect::{Connect, Line};
use crate::error::of_migration;
use crate::repeat::repeat;
use crate::schema::{Schema, VERSION};

/// The longest time of a migration. Nothing else bounds it: it is called before a tree runs, and a server may take a
/// connection and not answer.
const LIMIT: Duration = Duration::from_secs(60);

/// Makes the tables and functions, unless they exist in this version.
pub(crate) async fn migrate(
    line: &Line,
    connector: &Arc<dyn Connect>,
    config: &Config,
    schema: &Schema,
) -> Result<(), LeaseError> {
    let made = timeout(LIMIT, make(line, connector, config, schema)).await;
    let made =
        made.unwrap_or_else(|_| Err(LeaseError::unreachable(format!("`migrate` has not ended within {LIMIT:?}"))));
    made.map_err(of_migration)
}

async fn make(line: &Line, connector: &Arc<dyn Connect>, config: &Config, schema: &Schema) -> Result<(), LeaseError> {
    let query = async |statement: &str, params: &[(&(dyn ToSql + Sync), Type)]| {
        repeat(schema, || line.query(connector, config, statement, params)).await.map(|(rows, _)| rows)
    };
    let is_current = format!("SELECT 1 FROM {schema}.migration WHERE version = {VERSION}");
    match query(&is_current, &[]).await {
        Ok(rows) if !rows.is_empty() => return Ok(()),
        Err(LeaseError::Unreachable(error)) => return Err(LeaseError::Unreachable(error)),
        _ => {}
    }
    let exists = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1";
    let rows = query(exists, &[(&schema.name(), Type::TEXT)]).await?;
    // `CREATE SCHEMA IF NOT EXISTS` needs the right to create it even if it exists.
    let create = if rows.is_empty() { schema.create() } else { String::new() };
    let statements = schema.tables().replacen('\n', &format!("\n{create}"), 1);
    repeat(schema, || line.batch(connector, config, &statements)).await?;
    Ok(())
}
