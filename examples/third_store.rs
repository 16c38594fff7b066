//! A store of leases of one's own, in about 100 lines: a file that the processes of one machine share.
//!
//! It is checked against the laws that each store has to keep:
//!
//! ```text
//! cargo run --example third_store --features third-store
//! ```
//!
//! A process that is killed within a call leaves the lock behind, so a real service uses a database.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use taskvisor::async_trait;
use taskvisor::fleet::{Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, SessionId, SessionSpec, StoreTime};

type Result<T> = std::result::Result<T, LeaseError>;

/// The end, the time to live, the fleet and the label of each session, with times in milliseconds.
type Sessions = BTreeMap<String, (u64, u64, String, String)>;
/// The owner, the token and the tick of each key of each fleet.
type Leases = BTreeMap<String, (String, u64, Option<u64>)>;

struct FileStore(PathBuf);

impl FileStore {
    /// Reads the file, lets `act` change it at this time, and writes it: one call at a time.
    async fn with<T>(&self, act: impl FnOnce(&mut Sessions, &mut Leases, u64) -> Result<T>) -> Result<T> {
        let lock = self.0.with_extension("lock");
        while fs::OpenOptions::new().write(true).create_new(true).open(&lock).is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let done = self.change(act);
        fs::remove_file(lock).map_err(LeaseError::unreachable)?;
        done
    }

    fn change<T>(&self, act: impl FnOnce(&mut Sessions, &mut Leases, u64) -> Result<T>) -> Result<T> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(LeaseError::misconfigured)?;
        let now = u64::try_from(now.as_millis()).map_err(LeaseError::misconfigured)?;
        let text = fs::read(&self.0).unwrap_or_else(|_| b"[{},{}]".to_vec());
        let (mut sessions, mut leases): (Sessions, Leases) =
            serde_json::from_slice(&text).map_err(LeaseError::misconfigured)?;
        sessions.retain(|_, (until, ..)| now < *until);
        let done = act(&mut sessions, &mut leases, now)?;
        let text = serde_json::to_vec(&(sessions, leases)).map_err(LeaseError::misconfigured)?;
        fs::write(&self.0, text).map_err(LeaseError::unreachable)?;
        Ok(done)
    }
}

/// Returns the fleet of a session that is live.
fn fleet_of(sessions: &Sessions, id: SessionId) -> Result<String> {
    sessions.get(&id.to_string()).map(|(_, _, fleet, _)| fleet.clone()).ok_or(LeaseError::Expired)
}

#[async_trait]
impl LeaseStore for FileStore {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId> {
        let (id, ttl) = (SessionId::random()?, u64::try_from(spec.ttl.as_millis()).unwrap_or(u64::MAX));
        self.with(|sessions, _, now| {
            let session = (now + ttl, ttl, spec.fleet.to_string(), spec.label.to_string());
            sessions.insert(id.to_string(), session);
            Ok(id)
        })
        .await
    }

    async fn renew(&self, id: SessionId) -> Result<StoreTime> {
        self.with(|sessions, _, now| {
            let (until, ttl, ..) = sessions.get_mut(&id.to_string()).ok_or(LeaseError::Expired)?;
            *until = now + *ttl;
            Ok(StoreTime::from_unix(Duration::from_millis(now)))
        })
        .await
    }

    async fn acquire(&self, id: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>> {
        self.with(|sessions, leases, now| {
            let fleet = fleet_of(sessions, id)?;
            let claim = |key: &LeaseKey| {
                let (owner, token, last_tick) = leases.entry(format!("{fleet}\n{key}")).or_default();
                match sessions.get(owner) {
                    Some((.., label)) if *owner != id.to_string() => return Claim::Busy { owner: label.clone() },
                    Some(_) => {}
                    None => (*owner, *token) = (id.to_string(), *token + 1),
                }
                let (token, now) =
                    (FencingToken::from_number(*token), StoreTime::from_unix(Duration::from_millis(now)));
                Claim::Held { token, last_tick: *last_tick, now }
            };
            Ok(keys.iter().map(claim).collect())
        })
        .await
    }

    async fn release(&self, id: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<()> {
        self.with(|sessions, leases, _| {
            let fleet = fleet_of(sessions, id)?;
            for (key, token) in held {
                let lease = leases.get_mut(&format!("{fleet}\n{key}"));
                if let Some(lease) = lease.filter(|lease| lease.0 == id.to_string() && lease.1 == token.number()) {
                    lease.0.clear();
                }
            }
            Ok(())
        })
        .await
    }

    async fn mark(&self, id: SessionId, key: &LeaseKey, token: FencingToken, tick: u64) -> Result<bool> {
        self.with(|sessions, leases, _| {
            let fleet = fleet_of(sessions, id)?;
            let lease = leases.get_mut(&format!("{fleet}\n{key}"));
            let is_owner = |lease: &&mut (String, u64, _)| lease.0 == id.to_string() && lease.1 == token.number();
            let Some((_, _, last)) = lease.filter(is_owner) else { return Ok(false) };
            let is_new = last.is_none_or(|last| last < tick);
            *last = (*last).max(Some(tick));
            Ok(is_new)
        })
        .await
    }

    async fn close(&self, id: SessionId) -> Result<()> {
        self.with(|sessions, _, _| {
            sessions.remove(&id.to_string());
            Ok(())
        })
        .await
    }
}

#[tokio::main]
async fn main() {
    let file = std::env::temp_dir().join(format!("taskvisor-leases-{}.json", std::process::id()));
    taskvisor::test::lease_laws(FileStore(file.clone())).await;
    println!("the store in {} keeps the laws", file.display());
    let _ = fs::remove_file(file);
}
