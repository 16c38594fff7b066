//! A server that the program has started itself, and so may kill, and the other installed tools for faults.

use std::path::{Path, PathBuf};
use std::process::Command;

use fleet_tests::{PgBouncer, Postgres, Redis, faketime};

use crate::plan::Fault;
use crate::servers::Server;

/// The value of the option on the command line.
pub(crate) const OWN: &str = "own";

#[derive(Debug)]
pub(crate) enum Own {
    Postgres(Postgres, Option<PgBouncer>),
    Redis(Redis),
}

impl Own {
    /// Starts a server, if the command line requests one, and replaces the value by its URL.
    pub(crate) fn start(server: &mut Server) -> Result<Option<Self>, String> {
        /// The number of connections of PgBouncer to the server, smaller than that of its clients.
        const POOL: usize = 4;
        let missing = || "the programs of the server are not installed".to_owned();
        match server {
            Server::Postgres(url) if url == OWN => {
                let started = Postgres::start_in(&[], &ahead()).ok_or_else(missing)?;
                *url = started.url();
                let pooler = PgBouncer::start(started.address(), POOL);
                Ok(Some(Self::Postgres(started, pooler)))
            }
            Server::Redis(url) if url == OWN => {
                let started = Redis::start_durable().ok_or_else(missing)?;
                *url = started.url();
                Ok(Some(Self::Redis(started)))
            }
            Server::Postgres(_) | Server::Redis(_) => Ok(None),
        }
    }

    pub(crate) fn pooler(&self) -> Option<&PgBouncer> {
        if let Self::Postgres(_, pooler) = self { pooler.as_ref() } else { None }
    }

    pub(crate) fn kill(&mut self) {
        match self {
            Self::Postgres(server, _) => server.crash(),
            Self::Redis(server) => server.crash(),
        }
    }

    pub(crate) fn start_again(&mut self) {
        match self {
            Self::Postgres(server, _) => server.start_again(),
            Self::Redis(server) => server.start_again(),
        }
    }

    /// Returns the faults that are possible with this server.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let pooler = self.pooler().map(|_| Fault::Pooler);
        [Fault::Server].into_iter().chain(pooler).collect()
    }
}

/// Returns the variables that set the clock of a server ahead of that of the replicas, if the library is installed.
fn ahead() -> Vec<(&'static str, String)> {
    let Some(library) = faketime() else { return Vec::new() };
    vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", "+2h".into()),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ]
}

/// The wall clocks of the replicas, which a library reads from files.
#[derive(Debug)]
pub(crate) struct Clocks {
    library: PathBuf,
    log: PathBuf,
}

impl Clocks {
    /// Returns `None` if the library is not installed. The files are beside the log.
    pub(crate) fn new(log: &Path) -> Option<Self> {
        Some(Self { library: faketime()?, log: log.to_owned() })
    }

    fn file(&self, replica: usize) -> PathBuf {
        self.log.with_extension(format!("clock-{replica}"))
    }

    /// Sets the clock of a replica to this number of hours from that of the machine.
    pub(crate) fn set(&self, replica: usize, hours: i8) -> Result<(), String> {
        std::fs::write(self.file(replica), format!("{hours:+}h")).map_err(|error| error.to_string())
    }

    /// Makes a replica read its clock from its file. The monotonic clock is not changed.
    pub(crate) fn lead(&self, replica: usize, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", self.file(replica));
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }

    /// Removes the files that the library leaves after a killed process.
    pub(crate) fn clean_up(process: u32) {
        for name in [format!("faketime_shm_{process}"), format!("sem.faketime_sem_{process}")] {
            let _ = std::fs::remove_file(Path::new("/dev/shm").join(name));
        }
    }
}

impl Drop for Clocks {
    fn drop(&mut self) {
        for replica in 0..20 {
            let _ = std::fs::remove_file(self.file(replica));
        }
    }
}
