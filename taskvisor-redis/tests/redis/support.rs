//! Real servers for the tests of the store, each with a folder and a port of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fleet_tests::{Daemon, DaemonSpec, find, free_port, new_folder, skip};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue};
use taskvisor::fleet::{Claim, FencingToken, LeaseKey, LeaseStore, SessionId, SessionSpec};
use taskvisor_redis::RedisStore;

/// A time to live that no test outlasts.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// A server, which ends with it.
pub(crate) struct Server {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    args: Vec<String>,
    daemon: Option<Daemon>,
}

impl Server {
    /// Starts a server, or says that the test is skipped.
    pub(crate) async fn start(args: &[&str]) -> Option<Self> {
        let found = ["redis-server", "valkey-server"].iter().find_map(|program| find(program, &[]));
        let Some(program) = found else {
            skip("a store of leases in Redis", "redis-server");
            return None;
        };
        let folder = new_folder("taskvisor-redis");
        let args = args.iter().map(ToString::to_string).collect();
        let mut server = Self { program, folder, port: free_port(), args, daemon: None };
        server.restart().await;
        Some(server)
    }

    /// Ends it as `kill -9` does, and starts it again at the same port, with the data that it has written.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        let spec = DaemonSpec::new(&self.program, self.folder.join("log"))
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", ""])
            .args(["--repl-diskless-sync-delay", "0"])
            .arg("--dir")
            .arg(&self.folder)
            .args(&self.args);
        let daemon = self.daemon.insert(Daemon::start(&spec));
        // Another one may have got the port.
        let is_it = format!("process_id:{}\r\n", daemon.id());
        let end = Instant::now() + LONG;
        while Instant::now() < end {
            if let Ok(mut connection) = self.client().get_multiplexed_async_connection().await {
                let info: Result<String, _> = redis::cmd("INFO").query_async(&mut connection).await;
                if let Some(info) = info.ok().filter(|info| info.contains("\r\nloading:0\r\n")) {
                    assert!(info.contains(&is_it), "the port {} is free\n{}", self.port, self.log());
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server does not answer\n{}", self.log());
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.daemon = None;
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    pub(crate) fn store(&self) -> RedisStore {
        RedisStore::new(self.url()).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        self.daemon.as_ref().map(Daemon::log).unwrap_or_default()
    }

    fn client(&self) -> Client {
        Client::open(self.url()).unwrap()
    }

    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        let patience = Some(Duration::from_secs(30));
        let config = AsyncConnectionConfig::new().set_connection_timeout(patience).set_response_timeout(patience);
        self.client().get_multiplexed_async_connection_with_config(&config).await.unwrap()
    }

    /// Sends a command, of words.
    pub(crate) async fn say<T: FromRedisValue>(&self, command: &str) -> T {
        let mut words = command.split(' ');
        let mut sent = redis::cmd(words.next().unwrap());
        sent.arg(words.collect::<Vec<_>>());
        let answer = sent.query_async(&mut self.connection().await).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}\n{}", self.log()))
    }

    /// Makes this server the replica of another one, and waits until it has its data.
    pub(crate) async fn follow(&self, primary: SocketAddr) {
        let _: () = self.say(&format!("REPLICAOF 127.0.0.1 {}", primary.port())).await;
        self.until("INFO replication", "master_link_status:up").await;
    }

    /// Waits until the answer to a command contains a text.
    pub(crate) async fn until(&self, command: &str, text: &str) {
        let end = Instant::now() + LONG;
        while Instant::now() < end {
            let answer: String = self.say(command).await;
            if answer.contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let last: redis::Value = self.say(command).await;
        panic!("{command} does not say {text:?}: {last:?}\n{}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.daemon = None;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn key(name: &str) -> LeaseKey {
    LeaseKey::new(name).unwrap()
}

pub(crate) fn spec(label: &str) -> SessionSpec {
    SessionSpec::new("billing", label, LONG)
}

pub(crate) async fn open(store: &RedisStore, label: &str) -> SessionId {
    store.open(&spec(label)).await.unwrap()
}

/// Takes a free key.
pub(crate) async fn take(store: &RedisStore, session: SessionId, name: &str) -> FencingToken {
    match store.acquire(session, &[key(name)]).await.unwrap().remove(0) {
        Claim::Held { token, .. } => token,
        Claim::Busy { owner } => panic!("{name} is busy: {owner}"),
    }
}

/// Asks for a key that another one owns.
pub(crate) async fn is_refused(store: &RedisStore, session: SessionId, name: &str) {
    let claim = store.acquire(session, &[key(name)]).await.unwrap().remove(0);
    assert!(matches!(claim, Claim::Busy { .. }), "{name}: {claim:?}");
}

/// Lets the sessions of a fleet expire as if the clock of the server had been set by so many seconds.
///
/// The libfaketime of the distribution does not work with the allocator of Redis. So the stored times are set.
pub(crate) async fn set_clock(server: &Server, fleet: &str, by: i64) {
    let script = "for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
        local expiry, rest = string.match(redis.call('HGET', KEYS[1], id), '^(%d+)( .*)$')
        redis.call('HSET', KEYS[1], id, string.format('%.0f', expiry - ARGV[1] * 1000000) .. rest)
    end";
    let mut command = redis::cmd("EVAL");
    command.arg((script, 1, format!("taskvisor:{{{fleet}}}:sessions"), by));
    let _: () = command.query_async(&mut server.connection().await).await.unwrap();
}
