//! Releases of keys. A key that a transaction has locked by `check` delays no other.

use std::collections::HashSet;
use std::time::Duration;

use taskvisor::fleet::{FencingToken, LeaseError, LeaseKey, SessionId};
use tokio::time::sleep;

use crate::error::is_locked;
use crate::schema::Schema;
use crate::store::PostgresStore;

/// The largest number of keys in one statement that leaves some out. Where the server has no statistics, it compares each
/// of them with each row.
const MOST: usize = 250;
/// The pause before a locked key is released again, and the largest number of runs for it: about a second.
const PAUSE: Duration = Duration::from_millis(50);
const MAX_RUNS: u32 = 20;

/// Returns the statement that releases keys. It calls a function of version 1 of the tables, which waits for locked rows.
/// So these are left out, and returned.
fn statement(schema: &Schema) -> String {
    format!(
        "WITH live AS (SELECT {schema}.live_1($1::uuid, $2) AS fleet), free AS (
            SELECT l.key FROM {schema}.lease l, live WHERE l.fleet = live.fleet AND l.key = ANY ($3)
            FOR NO KEY UPDATE OF l SKIP LOCKED)
        SELECT {schema}.release_1($1::uuid, $2, r.keys, r.tokens), r.locked
        FROM (
            SELECT coalesce(array_agg(h.key) FILTER (WHERE h.is_free), '{{}}') AS keys,
                coalesce(array_agg(h.token) FILTER (WHERE h.is_free), '{{}}') AS tokens,
                array_agg(h.key) FILTER (WHERE h.is_locked) AS locked
            FROM (
                SELECT k.key, k.token, f.key IS NOT NULL AS is_free, f.key IS NULL AND EXISTS (
                    SELECT FROM {schema}.lease l, live WHERE l.fleet = live.fleet AND l.key = k.key
                        AND l.session = $1::uuid AND l.token = k.token) AS is_locked
                FROM unnest($3, $4) k (key, token) LEFT JOIN free f ON f.key = k.key
            ) h
        ) r"
    )
}

/// Returns the statement that releases keys, and fails if one of them stays locked for 2 s.
fn statement_for_all(schema: &Schema) -> String {
    format!("SELECT {schema}.release_1($1::uuid, $2, $3, $4), NULL::text[]")
}

/// Releases keys, and waits a while for those that a transaction has locked.
pub(crate) async fn release(
    store: &PostgresStore,
    schema: &Schema,
    session: SessionId,
    held: &[(LeaseKey, FencingToken)],
) -> Result<(), LeaseError> {
    let mut held: Vec<_> = held.iter().map(|(key, token)| (key.as_str(), *token)).collect();
    if held.len() > MOST {
        match store.release_keys(session, &held, &statement_for_all(schema)).await {
            Err(error) if is_locked(&error) => {}
            released => return released.map(drop),
        }
    }
    let statement = statement(schema);
    let mut runs = 1;
    loop {
        let mut locked = HashSet::new();
        let mut batches = held.chunks(MOST);
        // A call without keys still checks whether the session is live.
        let mut batch = batches.next().unwrap_or_default();
        loop {
            locked.extend(store.release_keys(session, batch, &statement).await?);
            match batches.next() {
                Some(next) => batch = next,
                None => break,
            }
        }
        let Some(first) = locked.iter().next() else { return Ok(()) };
        if runs == MAX_RUNS {
            let all = locked.len();
            let told = format!("a transaction that has called `check` keeps {all} keys from being released: {first:?}");
            return Err(LeaseError::unreachable(told));
        }
        held.retain(|(key, _)| locked.contains(*key));
        sleep(PAUSE).await;
        runs += 1;
    }
}
