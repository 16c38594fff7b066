//! A custom store of leases: a file that the processes of one machine share, checked against the laws of stores.
//!
//! ```text
//! cargo run --example third_store --features third-store
//! ```

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::SystemTime;

use taskvisor::async_trait;
use taskvisor::fleet::{Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, Leases};
use taskvisor::fleet::{SessionId, SessionSpec, StoreTime};

type Result<T> = std::result::Result<T, LeaseError>;

struct FileStore(PathBuf);

impl FileStore {
    /// Reads the leases, lets `act` change them, and replaces the file: one call at a time.
    fn with<T>(&self, act: impl FnOnce(&mut Leases, StoreTime) -> Result<T>) -> Result<T> {
        let lock = File::create(self.0.with_extension("lock")).map_err(LeaseError::unreachable)?;
        lock_file(&lock).map_err(LeaseError::unreachable)?;
        let mut leases: Leases = match fs::read_to_string(&self.0) {
            Ok(text) => text.parse().map_err(LeaseError::misconfigured)?,
            Err(error) if error.kind() == ErrorKind::NotFound => Leases::default(),
            Err(error) => return Err(LeaseError::unreachable(error)),
        };
        let done = act(&mut leases, SystemTime::now().into())?;
        let next = self.0.with_extension("next");
        let replaced = fs::write(&next, leases.to_string()).and_then(|()| fs::rename(&next, &self.0));
        replaced.map_err(LeaseError::unreachable).map(|()| done)
    }
}

/// Locks the file until it is dropped. The system unlocks it if the process is killed.
#[cfg(unix)]
fn lock_file(file: &File) -> io::Result<()> {
    use rustix::fs::{FlockOperation, flock};
    Ok(flock(file, FlockOperation::LockExclusive)?)
}

/// Rust 1.89 has `File::lock` for every system.
#[cfg(not(unix))]
fn lock_file(_: &File) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

#[async_trait]
impl LeaseStore for FileStore {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId> {
        self.with(|leases, now| leases.open(spec, now))
    }
    async fn renew(&self, id: SessionId) -> Result<StoreTime> {
        self.with(|leases, now| leases.renew(id, now))
    }
    async fn acquire(&self, id: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>> {
        self.with(|leases, now| leases.acquire(id, keys, now))
    }
    async fn release(&self, id: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<()> {
        self.with(|leases, now| leases.release(id, held, now)).map(drop)
    }
    async fn mark(&self, id: SessionId, key: &LeaseKey, token: FencingToken, tick: u64) -> Result<bool> {
        self.with(|leases, now| leases.mark(id, key, token, tick, now))
    }
    async fn close(&self, id: SessionId) -> Result<()> {
        self.with(|leases, _| Ok(leases.close(id))).map(drop)
    }
}

#[tokio::main]
async fn main() {
    let file = std::env::temp_dir().join(format!("taskvisor-leases-{}", std::process::id()));
    taskvisor::test::lease_laws(FileStore(file.clone())).await;
    println!("the store in {} keeps the laws", file.display());
    let _ = (fs::remove_file(file.with_extension("lock")), fs::remove_file(file));
}
