//! A server of Redis.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::{Daemon, DaemonSpec, find, free_port, skip};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

/// A server of Redis or Valkey on a port of the loopback interface, which keeps its data in memory only.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    daemon: Daemon,
}

impl Redis {
    /// Starts a server. `None`: its program was not found, and the test is skipped.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Option<Self> {
        let Some(program) = ["redis-server", "valkey-server"].iter().find_map(|program| find(program, &[])) else {
            skip("Redis", "redis-server");
            return None;
        };
        let port = free_port();
        let folder = std::env::temp_dir().join(format!("redis-{}-{port}", std::process::id()));
        std::fs::create_dir(&folder).expect("a folder is made");
        let spec = DaemonSpec::new(program, folder.join("log"))
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"])
            .arg(&folder)
            .remove(&folder);
        let server = Self { port, daemon: Daemon::start(&spec) };
        let end = Instant::now() + START;
        while !server.answers() {
            assert!(Instant::now() < end, "Redis does not start\n{}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
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
        self.daemon.log()
    }
}
