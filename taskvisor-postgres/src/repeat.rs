//! Runs statements again.

use std::time::Duration;

use taskvisor::fleet::LeaseError;
use tokio::time::sleep;
use tokio_postgres::Error;

use crate::error::{is_conflict, is_connection_lost, lease_error};
use crate::schema::Schema;

/// The largest number of runs of a statement that conflicts with concurrent ones.
const MAX_RUNS: u32 = 10;

/// The response to a lost connection during a statement, which may have been carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The statement is run again: its answer is the same.
    RunAgain,
    /// The call fails: another run may give another answer.
    Fail,
}

/// Runs statements, and again if they conflicted with concurrent ones, or if their connection was closed.
pub(crate) async fn repeat<T, F>(schema: &Schema, lost: Lost, run: impl Fn() -> F) -> Result<T, LeaseError>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut may_reconnect = lost == Lost::RunAgain;
    let mut runs = 1;
    loop {
        let error = match run().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if is_conflict(&error) && runs < MAX_RUNS {
            sleep(Duration::from_millis(fastrand::u64(..10 * u64::from(runs)))).await;
            runs += 1;
        } else if is_connection_lost(&error) && may_reconnect {
            // The server may have closed the connection long ago.
            may_reconnect = false;
        } else {
            return Err(lease_error(error, schema));
        }
    }
}
