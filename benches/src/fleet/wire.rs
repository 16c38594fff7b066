//! Renewals: how many a second, and their bytes, by the number of keys.

use std::time::{Duration, Instant};

use fleet_tests::Proxy;
use taskvisor::fleet::{Claim, LeaseKey, LeaseStore as _, SessionSpec};

use crate::servers::{ENGINES, Servers};
use crate::{Effort, Failure};

const KEYS: [usize; 3] = [1, 100, 10_000];

pub(crate) async fn table(servers: &Servers, effort: &Effort) -> Result<(), Failure> {
    println!(
        "| engine | keys | renewals a second | bytes of one: sent | received | bytes of taking them all | of asking in vain |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for engine in ENGINES {
        for keys in KEYS {
            row(servers, effort, engine, keys).await?;
        }
    }
    println!();
    Ok(())
}

async fn row(servers: &Servers, effort: &Effort, engine: &str, keys: usize) -> Result<(), Failure> {
    let fleet = format!("wire-{keys}");
    let spec = |label| SessionSpec::new(fleet.as_str(), label, Duration::from_secs(600));
    let names: Vec<LeaseKey> =
        (0..keys).map(|n| LeaseKey::new(format!("feeds/tenant-{n:05}/import"))).collect::<Result<_, _>>()?;
    let proxy = Proxy::start(servers.address(engine)).await?;
    let store = servers.store_by(engine, proxy.address()).await?;
    let session = store.open(&spec("owner")).await?;

    let before = proxy.bytes();
    let claims = store.acquire(session, &names).await?;
    let taking = sum(since(before, proxy.bytes()));
    if !claims.iter().all(|claim| matches!(claim, Claim::Held { .. })) {
        return Err(format!("{engine}: not all of {keys} keys were taken").into());
    }

    store.renew(session).await?;
    let before = proxy.bytes();
    let (begin, mut renewals) = (Instant::now(), 0_u32);
    while begin.elapsed() < effort.renewing {
        store.renew(session).await?;
        renewals += 1;
    }
    let rate = f64::from(renewals) / begin.elapsed().as_secs_f64();
    let (sent, received) = since(before, proxy.bytes());
    let each = |bytes: u64| bytes / u64::from(renewals);

    let other = store.open(&spec("standby")).await?;
    // The first question also says that the keys are wanted.
    store.acquire(other, &names).await?;
    let before = proxy.bytes();
    store.acquire(other, &names).await?;
    let asking = sum(since(before, proxy.bytes()));
    println!("| {engine} | {keys} | {rate:.0} | {} | {} | {taking} | {asking} |", each(sent), each(received));
    store.close(session).await?;
    store.close(other).await?;
    Ok(())
}

fn since(before: (u64, u64), now: (u64, u64)) -> (u64, u64) {
    (now.0 - before.0, now.1 - before.1)
}

fn sum((sent, received): (u64, u64)) -> u64 {
    sent + received
}
