//! Converts errors of Redis to errors of a lease.

use redis::{ErrorKind, RedisError};
use taskvisor::fleet::LeaseError;

/// The codes of errors that pass by themselves, or on another server.
const PASSING: [&str; 11] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "FAILOVER",
    "LOADING",
    "MASTERDOWN",
    "MOVED",
    "NOREPLICAS",
    "READONLY",
    "TRYAGAIN",
    "UNBLOCKED",
];

/// The codes of errors that last until an administrator acts, with a remedy.
const LASTING: [(&str, &str); 8] = [
    ("DENIED", "the server is in protected mode: set a password, or what it listens on"),
    (
        "NOPERM",
        "the user may not do that: permit the keys `<prefix>:*`, the channels `<prefix>:*` and the commands EVALSHA, \
         EVAL, TIME, HGET, HSET, HDEL, HKEYS, PUBLISH and SUBSCRIBE",
    ),
    ("NOAUTH", "the server asks for a password: put it into the URL, `redis://user:password@host`"),
    ("WRONGPASS", "the server does not accept the user and the password of the URL"),
    ("OOM", "the memory of the server is full: raise `maxmemory`, or use another server"),
    ("MISCONF", "the server cannot write to its disk, and so takes no writes: see its log"),
    ("WRONGTYPE", "something else uses the keys of the store: choose another prefix"),
    ("CROSSSLOT", "the server does not put keys with one hash tag into one slot"),
];

/// The texts of Redis 7 and Redis 6 for a script whose user lacks a permission.
const DENIED: [&str; 2] = ["ACL failure in script", "The user executing the script"];

/// The text of the client for a `SELECT` that failed. The code of the server is not in the error.
const NO_DATABASE: &str = "refused to switch database";

/// An error of Redis that lasts, with a remedy.
#[derive(Debug, thiserror::Error)]
#[error("{advice}")]
struct Refused {
    advice: &'static str,
    source: RedisError,
}

pub(crate) fn lease_error(error: RedisError) -> LeaseError {
    match advice(&error) {
        None => LeaseError::unreachable(error),
        Some(advice) => LeaseError::misconfigured(Refused { advice, source: error }),
    }
}

/// Returns `true` if the user has no permission.
pub(crate) fn is_denied(error: &RedisError) -> bool {
    error.code() == Some("NOPERM")
}

/// Returns the remedy. `None` if the error passes.
fn advice(error: &RedisError) -> Option<&'static str> {
    let text = error.to_string();
    if text.contains("max number of clients") {
        return None;
    }
    if text.contains(NO_DATABASE) {
        return Some(
            "the server refuses the database of the URL: permit the user SELECT, or leave the database out, as a cluster has \
             no other than 0",
        );
    }
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed => {}
        ErrorKind::InvalidClientConfig => return Some("the URL cannot be used"),
        ErrorKind::UnexpectedReturnType => return Some("the server does not answer as Redis does"),
        _ => return None,
    }
    // An error in a script may have the code `ERR`. Redis 6 puts its own code into the text, and a missing permission
    // shows only in the text.
    let is_other = error.code() == Some("ERR");
    if is_other && DENIED.iter().any(|denied| text.contains(denied)) {
        return LASTING.iter().find(|(code, _)| *code == "NOPERM").map(|(_, advice)| *advice);
    }
    let is = |code: &str| error.code() == Some(code) || is_other && text.contains(&format!("-{code} "));
    if PASSING.into_iter().any(is) {
        return None;
    }
    let known = LASTING.into_iter().find(|(code, _)| is(code)).map(|(_, advice)| advice);
    let other = match error.kind() {
        ErrorKind::AuthenticationFailed => "the server does not accept the user and the password of the URL",
        _ => {
            "the server does not run the scripts of the store: it has to be Redis 6 or newer, or Valkey, and nothing \
              else may write to the keys of the store"
        }
    };
    Some(known.unwrap_or(other))
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use redis::{ErrorKind, RedisError, ServerErrorKind};
    use taskvisor::fleet::LeaseError;

    use super::lease_error;

    /// Reads an error as a server sends it.
    fn sent(line: &str) -> LeaseError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        lease_error(value.extract_error().unwrap_err())
    }

    fn is_unreachable(error: &LeaseError) -> bool {
        matches!(error, LeaseError::Unreachable(_))
    }

    #[test]
    fn what_goes_away_is_out_of_reach() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "CLUSTERDOWN The cluster is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "MOVED 3999 127.0.0.1:6381",
            "ASK 3999 127.0.0.1:6381",
            "NOREPLICAS Not enough good replicas to write.",
            "BUSY Redis is busy running a script.",
            "ERR max number of clients reached",
            // The form of Redis 6.
            "ERR Error running script (call to f_0): @user_script:8: -READONLY You can't write.",
        ] {
            assert!(is_unreachable(&sent(line)), "{line}");
        }
        let io = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(is_unreachable(&lease_error(io.into())));
    }

    #[test]
    fn what_lasts_says_what_to_do() {
        for (line, advice) in [
            ("NOPERM this user has no permissions to run the 'evalsha' command", "permit"),
            ("NOAUTH Authentication required.", "password"),
            ("WRONGPASS invalid username-password pair or user is disabled.", "password"),
            ("OOM command not allowed when used memory > 'maxmemory'.", "maxmemory"),
            ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist", "disk"),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", "prefix"),
            ("ERR Error running script: -OOM command not allowed when used memory > 'maxmemory'.", "maxmemory"),
            ("ERR The user executing the script can't run this command or subcommand script: f_0", "permit"),
            ("ERR unknown command 'EVALSHA'", "Redis 6"),
        ] {
            let error = sent(line);
            assert!(matches!(error, LeaseError::Misconfigured(_)), "{line}: {error:?}");
            let text = error.source().unwrap().to_string();
            assert!(text.contains(advice), "{line}: {text}");
        }
    }

    #[test]
    fn a_refused_connection_is_no_wrong_password() {
        let text = "ERR max number of clients reached".to_owned();
        let error = RedisError::from((ErrorKind::AuthenticationFailed, "Password authentication failed", text));
        assert!(is_unreachable(&lease_error(error)));
        let text = "WRONGPASS invalid username-password pair".to_owned();
        let error = RedisError::from((ErrorKind::AuthenticationFailed, "Password authentication failed", text));
        assert!(!is_unreachable(&lease_error(error)));
        assert!(is_unreachable(&lease_error((ErrorKind::Server(ServerErrorKind::BusyLoading), "x").into())));
    }
}
