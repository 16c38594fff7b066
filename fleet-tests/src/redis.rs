//! A server of Redis.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::{Daemon, DaemonSpec, find, free_port, new_folder, skip};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

/// A server of Redis or Valkey on a port of the loopback interface.
#[derive(Debug)]
pub struct Redis {
    spec: DaemonSpec,
    port: u16,
    daemon: Option<Daemon>,
}

impl Redis {
    /// Starts a server that keeps its data in memory only. `None`: its program was not found, and the test is skipped.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts a server that writes each command to its disk before it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_durable() -> Option<Self> {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    fn start_with(args: &[&str]) -> Option<Self> {
        let Some(program) = program() else {
            skip("Redis", "redis-server");
            return None;
        };
        let port = free_port();
        let folder = new_folder("redis");
        let spec = DaemonSpec::new(program, folder.join("log"))
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"])
            .arg(&folder)
            .args(args)
            .remove(&folder);
        let mut server = Self { spec, port, daemon: None };
        server.start_again();
        Some(server)
    }

    /// Returns whether it can be started. It says so if not, as a test that is skipped.
    pub fn is_installed() -> bool {
        let is_installed = program().is_some();
        if !is_installed {
            skip("Redis", "redis-server");
        }
        is_installed
    }

    /// Ends it as `kill -9` does. What it has written to its disk stays.
    pub fn crash(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.end_and_keep();
        }
    }

    /// Starts it again with what it has written, and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        self.daemon = Some(Daemon::start(&self.spec));
        let end = Instant::now() + START;
        while !self.answers() {
            assert!(Instant::now() < end, "Redis does not start\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address()) else { return false };
        let mut answer = [0; 5];
        let asked = stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut answer));
        asked.is_ok() && &answer == b"+PONG"
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Returns the last lines of its log.
    pub fn log(&self) -> String {
        self.daemon.as_ref().map(Daemon::log).unwrap_or_default()
    }
}

fn program() -> Option<PathBuf> {
    ["redis-server", "valkey-server"].iter().find_map(|program| find(program, &[]))
}
