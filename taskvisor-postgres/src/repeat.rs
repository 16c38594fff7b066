//! Runs statements again.

use std::time::Duration;

use taskvisor::fleet::LeaseError;
use tokio::time::sleep;
use tokio_postgres::Error;

use crate::error::{is_conflict, is_connection_lost, lease_error};
use crate::schema::Schema;

/// The largest number of runs of a statement that conflicts with concurrent ones.
const MAX_RUNS: u32 = 10;

/// Runs statements, and again if they conflicted with concurrent ones, or once if their connection was closed.
///
/// With the answer, it returns the error of a closed connection: the statements may have been carried out twice.
pub(crate) async fn repeat<T, F>(schema: &Schema, run: impl Fn() -> F) -> Result<(T, Option<Error>), LeaseError>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut lost = None;
    let mut runs = 1;
    loop {
        let error = match run().await {
            Ok(done) => return Ok((done, lost)),
            Err(error) => error,
        };
        if is_conflict(&error) && runs < MAX_RUNS {
            sleep(Duration::from_millis(fastrand::u64(..10 * u64::from(runs)))).await;
            runs += 1;
        } else if is_connection_lost(&error) && lost.is_none() {
            // The server may have closed the connection long ago.
            lost = Some(error);
        } else {
            return Err(lease_error(error, schema));
        }
    }
}
