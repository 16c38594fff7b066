//! A server that a test starts.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Runs "$@" until its own standard input ends, and removes the folder then. It keeps it if it reads "keep".
///
/// The kernel closes the other end of that pipe when the test process ends, however it ends. So no server outlives it.
const GUARD: &str = r#"
trap '' HUP INT TERM
signal=$1; log=$2; remove=$3; shift 3
"$@" </dev/null >>"$log" 2>&1 &
server=$!
echo "$server"
read -r word
kill -CONT "$server" 2>/dev/null
kill -s "$signal" "$server" 2>/dev/null
{ wait "$server"; } 2>/dev/null
[ -z "$remove" ] || [ "$word" = keep ] || rm -rf "$remove"
"#;

/// How to start a [`Daemon`].
#[derive(Debug, Clone, Default)]
pub struct DaemonSpec {
    program: PathBuf,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    user: Option<String>,
    log: PathBuf,
    signal: &'static str,
    remove: Option<PathBuf>,
}

impl DaemonSpec {
    /// Creates a spec. Output of the server is appended to `log`.
    pub fn new(program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), log: log.into(), signal: "KILL", ..Self::default() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environment of the server.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs the server as another user, with `setpriv`; the test itself has to run as root.
    #[must_use]
    pub fn user(mut self, user: Option<&str>) -> Self {
        self.user = user.map(str::to_owned);
        self
    }

    /// Sets the signal that ends the server. Default: `KILL`.
    #[must_use]
    pub fn signal(mut self, signal: &'static str) -> Self {
        self.signal = signal;
        self
    }

    /// Removes the folder when the server has ended. Default: nothing is removed.
    #[must_use]
    pub fn remove(mut self, folder: impl Into<PathBuf>) -> Self {
        self.remove = Some(folder.into());
        self
    }
}

/// A running server. It ends when this is dropped, and when the test process ends in any way.
#[derive(Debug)]
pub struct Daemon {
    guard: Child,
    server: u32,
    log: PathBuf,
}

impl Daemon {
    /// Starts a server. It does not wait until the server answers.
    ///
    /// # Panics
    /// If no process can be started.
    pub fn start(spec: &DaemonSpec) -> Self {
        let mut command = as_user(spec.user.as_deref(), Path::new("/bin/sh"));
        command.args(["-c", GUARD, "guard", spec.signal]).arg(&spec.log);
        command.arg(spec.remove.as_deref().unwrap_or(Path::new(""))).arg("/usr/bin/env");
        for (name, value) in &spec.envs {
            let mut pair = name.clone();
            pair.push("=");
            pair.push(value);
            command.arg(pair);
        }
        command.arg(&spec.program).args(&spec.args);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut guard = command.spawn().expect("the guard of a server starts");
        let stdout = guard.stdout.take().expect("the guard has an output");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the guard says the process id");
        let server = line.trim().parse().unwrap_or_else(|_| panic!("a process id, and not {line:?}"));
        Self { guard, server, log: spec.log.clone() }
    }

    /// Sends a signal to the server, such as `STOP` and `CONT`.
    ///
    /// # Panics
    /// If the server has ended.
    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("/bin/sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &self.server.to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{name} was sent to the server\n{}", self.log());
    }

    /// Ends the server, and keeps its folder.
    ///
    /// # Panics
    /// If the guard has ended.
    pub fn end_and_keep(mut self) {
        let guard = self.guard.stdin.as_mut().expect("the guard has an input");
        guard.write_all(b"keep\n").expect("the guard reads");
    }

    /// Returns the id of its process.
    pub fn id(&self) -> u32 {
        self.server
    }

    /// Returns the last lines of its log, for the message of a failed test.
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Returns a command that runs as another user, if one is given.
pub(crate) fn as_user(user: Option<&str>, program: &Path) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    let group = Command::new("id").args(["-g", user]).output().map(|output| output.stdout).unwrap_or_default();
    let group = String::from_utf8_lossy(&group);
    command.args(["--reuid", user, "--regid", group.trim(), "--clear-groups", "--"]).arg(program);
    command
}
