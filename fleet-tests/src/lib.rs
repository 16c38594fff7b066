//! What the tests of the lease stores share: servers that they start, and a network that fails.
//!
//! - [`Daemon`]: a real server, which ends with the process that has started it.
//! - [`Proxy`]: a TCP proxy that stalls, cuts, and drops one way.
//! - [`Postgres`], [`PgBouncer`], [`Redis`]: three of them.
//! - [`Certificate`]: for a server that speaks TLS.
//! - [`faketime`]: a library that fakes the clock of a process.
//! - [`find`], [`skip`]: programs of the distribution's packages, and tests that do without.

mod certificate;
mod daemon;
mod postgres;
mod proxy;
mod redis;

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

pub use certificate::Certificate;
pub use daemon::{Daemon, DaemonSpec};
pub use postgres::{PgBouncer, Postgres};
pub use proxy::{Link, Proxy};
pub use redis::Redis;

/// Set to any value, a test without its server fails, and is not skipped.
pub const REQUIRED: &str = "TASKVISOR_TEST_SERVERS";

/// Finds a program in `PATH`, in the folders for daemons, and in those given.
pub fn find(program: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.iter().cloned().chain(path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Finds the library that fakes the wall clock of a process, which is loaded before others (`LD_PRELOAD`).
pub fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|file| file.exists())
}

/// Says that a test is skipped for want of a server. It says so past the capture of output, so that it is read.
///
/// # Panics
/// If [`REQUIRED`] is set.
pub fn skip(what: &str, packages: &str) {
    let text = format!("SKIPPED, and so not tested: {what}. To run it: apt-get install {packages}");
    assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set. {text}");
    let _ = writeln!(std::io::stderr(), "\n{text}");
}

/// Makes a folder below that of the system for temporary files, another one with each call.
///
/// What an earlier process with the same number has left there, because it was killed, is passed over.
///
/// # Panics
/// If it cannot be made.
pub fn new_folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("{name}-{}-{number}", std::process::id()));
        match std::fs::create_dir(&folder) {
            Ok(()) => return folder,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => panic!("{} is not made: {error}", folder.display()),
        }
    }
}

/// Returns a port of the loopback interface at which nobody listens, another one with each call, also of other test
/// programs that run.
///
/// It is below those that the system gives to connections. So none of these takes it while its server starts, or is down.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // The same number for UDP, which no server here uses, is the claim to a port. It ends with the process.
    static CLAIMED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    // A socket that listened here would also be held by a process that another thread starts, until that is a program.
    let is_free = |port: &u16| {
        let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, *port));
        let is_free = claim.is_ok() && TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_err();
        if is_free {
            CLAIMED.lock().expect("no panic").extend(claim);
        }
        is_free
    };
    let first = std::process::id().wrapping_mul(31);
    let ports = (0..10_000).map(|_| {
        let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        10_000 + u16::try_from(number % 10_000).expect("it is below 10,000")
    });
    { ports }.find(is_free).expect("a free port")
}
