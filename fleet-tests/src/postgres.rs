//! Servers of PostgreSQL and PgBouncer.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::daemon::as_user;
use crate::{Daemon, DaemonSpec, find, free_port, new_folder, skip};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

/// A server of PostgreSQL on a port of the loopback interface, with data of its own. It trusts everybody, and its
/// superuser is `postgres`.
#[derive(Debug)]
pub struct Postgres {
    spec: DaemonSpec,
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    daemon: Option<Daemon>,
}

impl Postgres {
    /// Starts a server. `None`: its programs were not found, and the test is skipped.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(settings: &[&str]) -> Option<Self> {
        Self::start_in::<&str>(settings, &[])
    }

    /// Starts a server with variables in its environment.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_in<V: AsRef<OsStr>>(settings: &[&str], envs: &[(&str, V)]) -> Option<Self> {
        let Some(postgres) = postgres() else {
            skip("PostgreSQL", "postgresql");
            return None;
        };
        let bin = postgres.parent()?.to_owned();
        let (folder, port) = (folder("postgres"), free_port());
        let mut initdb = as_user(user(), &bin.join("initdb"));
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]);
        run(initdb.arg(folder.join("data")));
        let mut spec = DaemonSpec::new(postgres, folder.join("log")).user(user()).signal("QUIT").remove(&folder);
        spec = spec.arg("-D").arg(folder.join("data")).args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k", ""]);
        for setting in ["fsync=off", "max_connections=200"].iter().chain(settings) {
            spec = spec.args(["-c", setting]);
        }
        for (name, value) in envs {
            spec = spec.env(name, value);
        }
        let mut server = Self { spec, bin, folder, port, daemon: None };
        server.start_again();
        Some(server)
    }

    /// Returns whether it can be started. It says so if not, as a test that is skipped.
    pub fn is_installed() -> bool {
        let is_installed = postgres().is_some();
        if !is_installed {
            skip("PostgreSQL", "postgresql");
        }
        is_installed
    }

    /// Returns the connection string of the superuser.
    pub fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// Returns the connection string by way of a proxy or a pooler on a port.
    pub fn url_by(&self, port: u16) -> String {
        format!("host=127.0.0.1 port={port} user=postgres dbname=postgres")
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns a folder that the server can read.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the last lines of its log.
    pub fn log(&self) -> String {
        self.daemon.as_ref().map(Daemon::log).unwrap_or_default()
    }

    /// Ends it as a crash would. Its data stay.
    pub fn crash(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.end_and_keep();
        }
    }

    /// Starts it again with its data, and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        let daemon = self.daemon.insert(Daemon::start(&self.spec));
        let end = Instant::now() + START;
        let mut asked = Command::new(self.bin.join("pg_isready"));
        asked.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).stdout(Stdio::null());
        while !asked.status().is_ok_and(|status| status.success()) {
            assert!(Instant::now() < end, "PostgreSQL does not start\n{}", daemon.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends a signal to its main process.
    ///
    /// # Panics
    /// If it has ended.
    pub fn signal(&self, name: &str) {
        self.daemon.as_ref().expect("a running server").signal(name);
    }
}

/// A PgBouncer in transaction mode. It gives the connections to the server in turn, so that no two transactions of a
/// client need to have the same.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    daemon: Daemon,
}

impl PgBouncer {
    /// Returns whether it can be started. It says so if not, as a test that is skipped.
    pub fn is_installed() -> bool {
        let is_installed = find("pgbouncer", &[]).is_some();
        if !is_installed {
            skip("PgBouncer", "pgbouncer");
        }
        is_installed
    }

    /// Starts one before a server, with a number of connections to that. `None`: it was not found, and the test is
    /// skipped.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(server: SocketAddr, connections: usize) -> Option<Self> {
        let Some(program) = find("pgbouncer", &[]) else {
            skip("PgBouncer", "pgbouncer");
            return None;
        };
        let (folder, port) = (folder("pgbouncer"), free_port());
        let users = folder.join("users");
        let ini = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\n\
             default_pool_size = {connections}\nmin_pool_size = {connections}\nserver_round_robin = 1\n\
             max_client_conn = 200\nserver_login_retry = 1\n",
            server.ip(),
            server.port(),
            users.display(),
        );
        std::fs::write(&users, "\"postgres\" \"\"\n").expect("a file is written");
        std::fs::write(folder.join("ini"), ini).expect("a file is written");
        let spec = DaemonSpec::new(program, folder.join("log")).user(user()).remove(&folder).arg(folder.join("ini"));
        let daemon = Daemon::start(&spec);
        let end = Instant::now() + START;
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < end, "PgBouncer does not start\n{}", daemon.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { port, daemon })
    }

    /// Returns its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns the last lines of its log.
    pub fn log(&self) -> String {
        self.daemon.log()
    }
}

fn postgres() -> Option<PathBuf> {
    find("postgres", &bin())?.canonicalize().ok()
}

/// Returns the folders where distributions have the programs of the server, the newest version first.
fn bin() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions.map(|entry| entry.path()).collect();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    versions.into_iter().map(|version| version.join("bin")).collect()
}

/// Returns the user that the server runs as, which may not be root.
pub(crate) fn user() -> Option<&'static str> {
    let output = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let has_postgres = || output(Command::new("id").arg("postgres"));
    is_root.then(|| if has_postgres() { "postgres" } else { "nobody" })
}

/// Makes a folder for a server, which the user of the server owns.
fn folder(name: &str) -> PathBuf {
    let folder = new_folder(name);
    if let Some(user) = user() {
        run(Command::new("chown").arg(user).arg(&folder));
    }
    folder
}

fn run(command: &mut Command) {
    let output = command.current_dir("/").stdin(Stdio::null()).output().expect("a program is started");
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
}
