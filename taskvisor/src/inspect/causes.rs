//! Formats an error and its causes.
//!
//! `Display` and `source` of a user error are user code. Both are called inside `panics::catch`, and a panic is
//! replaced by a fixed text. Call these functions with no lock held.

use std::error::Error;
use std::iter::successors;
use std::sync::Arc;

use crate::panics::{catch, drop_caught};
use crate::supervisor::RuntimeError;
use crate::task::TaskError;
use crate::tree::FailureChain;

/// The largest length of a chain. A longer chain is taken for a cycle.
const MOST: usize = 32;

/// Returns the messages of an error and its causes, starting with the error. A [`TaskError`] that only wraps an error
/// has none.
pub(crate) fn messages(error: &(dyn Error + 'static)) -> Vec<String> {
    chain(error).map(message).collect()
}

/// Formats an error and its causes in one line, each once: `sync failed: connection refused`.
pub(crate) fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for error in chain(error) {
        // The errors of this crate about trees contain the cause already.
        let whole = error.is::<FailureChain>() || error.is::<RuntimeError>();
        let message = if whole { format!("{error:#}") } else { message(error) };
        // Many errors contain the message of their cause.
        let named = line.strip_suffix(&*message).is_some_and(|rest| rest.is_empty() || rest.ends_with(": "));
        if line.is_empty() {
            line = message;
        } else if !message.is_empty() && !named {
            line.push_str(": ");
            line.push_str(&message);
        }
        if whole {
            break;
        }
    }
    line
}

/// Returns the text that [`one_line`] would copy, if the error is only a text.
#[cfg(feature = "tracing")]
pub(crate) fn text_of(error: &TaskError) -> Option<&str> {
    match error {
        TaskError::Fail { reason } | TaskError::Fatal { reason } => Some(reason),
        TaskError::RetryAfter(told) => text_of(told.error()),
        _ => None,
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(unwrapped(error)), |&error| catch(|| error.source()).ok().flatten().map(unwrapped)).take(MOST)
}

/// Like [`one_line`], and drops the error, which may be its last reference.
pub(crate) fn into_line(error: Arc<TaskError>) -> String {
    let line = one_line(&*error);
    let _ = drop_caught(error);
    line
}

/// Returns the text with control characters, line breaks and invisible characters escaped, for a line on standard error:
/// names and errors of users can have them.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // `escape_debug` also escapes quotes and backslashes, which are harmless and stay.
    for piece in text.split_inclusive(['"', '\'', '\\']) {
        let body = piece.trim_end_matches(['"', '\'', '\\']);
        out.extend(body.escape_debug());
        out.push_str(piece.strip_prefix(body).unwrap_or_default());
    }
    out
}

fn message(error: &(dyn Error + 'static)) -> String {
    catch(|| error.to_string()).unwrap_or_else(|panic| format!("an error that panicked when it was formatted: {panic}"))
}

fn unwrapped<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    match error.downcast_ref::<TaskError>() {
        Some(wrapper) => wrapper.unwrapped(),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            assert_ne!(self.0, "bomb", "poked");
            f.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_ref().map(|below| &**below as &(dyn Error + 'static))
        }
    }

    fn chain(links: &[&'static str]) -> Link {
        let (first, rest) = links.split_first().unwrap();
        Link(first, (!rest.is_empty()).then(|| Box::new(chain(rest))))
    }

    #[test]
    fn k5l_each_cause_is_there_once() {
        for (links, expected) in [
            (&["sync failed", "connection refused"][..], "sync failed: connection refused"),
            (&["sync failed: connection refused", "connection refused"], "sync failed: connection refused"),
            (&["refused", "refused", "refused"], "refused"),
            (&["code 11", "1"], "code 11: 1"),
            (&["", "refused"], "refused"),
            (&["refused", ""], "refused"),
        ] {
            assert_eq!(one_line(&chain(links)), expected);
            assert_eq!(one_line(&TaskError::error(chain(links))), expected);
        }
        assert_eq!(messages(&TaskError::permanent(chain(&["a", "b"]))), ["a", "b"]);
        assert_eq!(one_line(&TaskError::Fail { reason: "down".into() }), "down");
    }

    #[test]
    fn what_could_break_a_line_is_escaped() {
        let text = "`a\nb\u{1b}[2J` failed (\u{202e}\"it's\" C:\\n\t)";
        assert_eq!(escaped(text), "`a\\nb\\u{1b}[2J` failed (\\u{202e}\"it's\" C:\\n\\t)");
        assert_eq!(escaped("`größe/日本` 🙂"), "`größe/日本` 🙂");
    }

    #[test]
    fn k4c_what_panics_is_replaced() {
        let line = one_line(&TaskError::error(chain(&["sync failed", "bomb", "connection refused"])));
        assert!(line.starts_with("sync failed: an error that panicked when it was formatted: "), "{line}");
        assert!(line.ends_with(": connection refused"), "{line}");
    }

    #[test]
    fn a_chain_without_end_is_cut() {
        #[derive(Debug)]
        struct Circle;
        impl fmt::Display for Circle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("again")
            }
        }
        impl Error for Circle {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }
        assert_eq!(messages(&Circle).len(), MOST);
        assert_eq!(one_line(&Circle), "again");
    }
}
