//! The summary of `--seconds`: no order was lost, and no order was delivered again after its acknowledgement.

use crate::broker::Ledger;
use crate::load::Tally;
use crate::say;
use crate::store::{Result, Store};

/// Returns `true` if all checks have passed. Without a ledger, the broker is another process and is not checked.
pub(crate) async fn tell(tally: &Tally, ledger: Option<Ledger>, store: &dyn Store) -> Result<bool> {
    store.open().await?;
    let backlog = store.backlog().await?;
    store.close().await;

    let seen = tally.seen();
    let accepted = seen.accepted.len();
    say(&format!(
        "customers  {accepted} orders accepted; {} requests answered, {} not",
        seen.answered, seen.unanswered
    ));
    say(&format!("outbox     {} pending, {} parked", backlog.pending, backlog.parked));
    let Some(ledger) = ledger else { return Ok(true) };
    let acknowledged = ledger.acknowledged.iter().filter(|id| seen.accepted.contains(*id)).count();
    say(&format!(
        "broker     {acknowledged} of them acknowledged; {} came twice because an acknowledgement was lost, {} after one",
        ledger.duplicates, ledger.repeats
    ));
    let kept = usize::try_from(backlog.pending + backlog.parked).unwrap_or(0);
    let is_well = acknowledged + kept >= accepted;
    say(if is_well { "all is well" } else { "orders are lost" });
    Ok(is_well)
}
