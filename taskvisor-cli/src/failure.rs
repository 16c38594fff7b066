//! The failures of a command, with their messages, which suggest a remedy, and their exit status.

use std::time::Duration;
use std::{fmt, io};

use taskvisor_parse::duration;

use crate::text::{plain, shortened};

/// The reason why a command was not carried out. `at` is the address of the console.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments are wrong.
    Usage(String),
    /// There is no path of this name. `said` is the answer of the console.
    NoSuchPath { said: String },
    /// The connection was refused.
    NotThere { at: String, error: io::Error },
    /// The TLS handshake failed.
    #[cfg(feature = "rustls")]
    Tls { at: String, error: String },
    /// There was no answer in time.
    Late { at: String, timeout: Duration, changes: bool },
    /// The connection broke.
    Broken { at: String, error: String },
    /// Something other than a console answers.
    NotAConsole { at: String, found: String },
    /// The console, or a proxy before it, denies access.
    Denied { at: String, said: String },
    /// The console does not serve this host.
    Host { at: String, said: String },
    /// The console refuses the request, or cannot answer it.
    Refused { at: String, status: u16, said: String },
    /// The output could not be written.
    Output(io::Error),
    /// The runtime could not be created.
    Runtime(io::Error),
}

impl Failure {
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::NoSuchPath { .. } => 4,
            _ => 1,
        }
    }

    /// Returns `true` if another attempt can succeed when the program of the console has started again.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::NotThere { .. } | Self::Late { .. } | Self::Broken { .. } => true,
            // A proxy in front of the console answers while the program does not run.
            Self::Refused { status, .. } => matches!(status, 502..=504),
            _ => false,
        }
    }
}

/// Returns a text of the server, in one line.
fn quoted(said: &str) -> String {
    shortened(&plain(said.trim()), 300)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(wrong) => f.write_str(wrong),
            Self::NoSuchPath { said } => f.write_str(&quoted(said)),
            Self::NotThere { at, error } => {
                let hint = match error.kind() {
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                        "; does the program run, and is this where it serves its console?"
                    }
                    _ => "",
                };
                write!(f, "nothing answers at {at}: {}{hint}", quoted(&error.to_string()))
            }
            #[cfg(feature = "rustls")]
            Self::Tls { at, error } => write!(f, "no TLS with {at}: {}", quoted(error)),
            Self::Late { at, timeout, changes } => {
                write!(f, "no answer from {at} within {}", duration::display(*timeout))?;
                if *changes { f.write_str("; what was asked for may still happen") } else { Ok(()) }
            }
            Self::Broken { at, error } => write!(f, "the connection to {at} broke: {}", quoted(error)),
            Self::NotAConsole { at, found } => write!(
                f,
                "{at} is not a console of taskvisor: {}; expected the URL at which the program mounts its console, such \
                 as http://127.0.0.1:9000/console",
                quoted(found)
            ),
            Self::Denied { at, said } => {
                let hint = "if it asks for a token, give it in TASKVISOR_TOKEN";
                write!(f, "{at} denies access: {}; {hint}", quoted(said))
            }
            Self::Host { at, said } => {
                write!(f, "{at} does not serve this host: {}; ask for it by a name that it serves", quoted(said))
            }
            Self::Refused { at, status, said } => write!(f, "{at} refuses: {} (status {status})", quoted(said)),
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
            Self::Runtime(error) => write!(f, "cannot start: {error}"),
        }
    }
}
