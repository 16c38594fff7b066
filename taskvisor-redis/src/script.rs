//! The scripts. Each call of the store runs one or several of them, and each is atomic.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};

use crate::names::Names;

/// A script that Redis runs. All of them begin with `lua/shared.lua`.
#[derive(Debug)]
pub(crate) struct Script {
    text: &'static str,
    hash: String,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("lua/shared.lua"), "\n", include_str!(concat!("lua/", $file))))
    };
}

/// All scripts.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) open: Script,
    pub(crate) renew: Script,
    pub(crate) acquire: Script,
    pub(crate) release: Script,
    pub(crate) mark: Script,
    pub(crate) close: Script,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            open: script!("open.lua"),
            renew: script!("renew.lua"),
            acquire: script!("acquire.lua"),
            release: script!("release.lua"),
            mark: script!("mark.lua"),
            close: script!("close.lua"),
        }
    }
}

impl Script {
    fn new(text: &'static str) -> Self {
        let hash = redis::Script::new(text).get_hash().to_owned();
        Self { text, hash }
    }

    /// Runs the script by its hash, or by its text if the server does not have it (any more).
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
        names: &Names,
        args: &[String],
    ) -> Result<T, RedisError> {
        let by_hash: Result<T, _> = command("EVALSHA", &self.hash, names, args).query_async(connection).await;
        match by_hash {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                command("EVAL", self.text, names, args).query_async(connection).await
            }
            result => result,
        }
    }
}

/// Every key that a script reads or writes is passed to it, as a cluster requires.
fn command(name: &str, script: &str, names: &Names, args: &[String]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(2).arg(&names.sessions).arg(&names.leases).arg(args);
    command
}
