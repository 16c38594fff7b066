//! A server that the program has started for itself, and so may kill, and what else is installed to make trouble with.

use std::path::{Path, PathBuf};
use std::process::Command;

use fleet_tests::{PgBouncer, Postgres, Redis, faketime};

use crate::plan::Fault;
use crate::servers::Server;

/// The word for it on the command line.
pub(crate) const OWN: &str = "own";

#[derive(Debug)]
pub(crate) enum Own {
    Postgres(Postgres, Option<PgBouncer>),
    Redis(Redis),
}

impl Own {
    /// Starts one, if the command line says so, and puts its URL in the place of the word.
    pub(crate) fn start(server: &mut Server) -> Result<Option<Self>, String> {
        /// The connections of PgBouncer to the server: fewer than its clients have.
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

    /// Returns the faults that there are with this server.
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
    /// `None`: the library is not installed. The files are beside the log.
    pub(crate) fn new(log: &Path) -> Option<Self> {
        Some(Self { library: faketime()?, log: log.to_owned() })
    }

    fn file(&self, replica: usize) -> PathBuf {
        self.log.with_extension(format!("clock-{replica}"))
    }

    /// Sets the clock of a replica by so many hours from that of the machine.
    pub(crate) fn set(&self, replica: usize, hours: i8) -> Result<(), String> {
        std::fs::write(self.file(replica), format!("{hours:+}h")).map_err(|error| error.to_string())
    }

    /// Lets a replica read its clock. Those that nobody can set are left as they are.
    pub(crate) fn lead(&self, replica: usize, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", self.file(replica));
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }

    /// Removes what the library leaves of a process that was killed.
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
