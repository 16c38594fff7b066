//! Targets, and the list of them: one `host:port` on each line.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::{self, FromStr};
use std::sync::Arc;

/// A TCP endpoint, written `host:port`. Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target(Arc<str>);

impl Target {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Parses the list from `file`. It ignores blank lines and everything after a `#`.
///
/// The error has a line `file:line: problem` for every wrong line.
pub(crate) fn parse(file: &str, list: &[u8]) -> Result<Vec<Target>, String> {
    let mut targets = Vec::new();
    let mut seen = HashMap::new();
    let mut wrong = Vec::new();
    for (number, line) in (1_usize..).zip(list.split(|&byte| byte == b'\n')) {
        match parse_line(line) {
            Ok(None) => {}
            Ok(Some(target)) => match seen.entry(target.clone()) {
                Entry::Vacant(free) => {
                    free.insert(number);
                    targets.push(target);
                }
                Entry::Occupied(first) => {
                    wrong.push(format!("{file}:{number}: `{target}` is on line {} already", first.get()));
                }
            },
            Err(what) => wrong.push(format!("{file}:{number}: {what}")),
        }
    }
    if targets.is_empty() && wrong.is_empty() {
        wrong.push(format!("{file}: no targets in it, expected one `host:port` a line"));
    }
    if wrong.is_empty() { Ok(targets) } else { Err(wrong.join("\n")) }
}

fn parse_line(line: &[u8]) -> Result<Option<Target>, String> {
    let line = str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
    let text = line.split('#').next().unwrap_or_default().trim();
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shown = text.escape_debug();
        if text.contains(char::is_whitespace) || text.contains('/') {
            return Err(format!("`{shown}` is no target, expected one `host:port`"));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some(parts) if !text.ends_with(']') => parts,
            _ => return Err(format!("`{shown}` has no port, expected `host:port`")),
        };
        check_host(host).map_err(|what| format!("`{shown}`: {what}"))?;
        let port = parse_port(port).ok_or_else(|| {
            format!("`{shown}`: `{}` is no port, expected a number from 1 to 65535", port.escape_debug())
        })?;
        Ok(Self(format!("{}:{port}", host.to_ascii_lowercase()).into()))
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let inside = |host: &str| host.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    if host.is_empty() {
        Err("the host is missing")
    } else if host.starts_with('[') {
        inside(host).map(drop).ok_or("expected an IPv6 address in the brackets, as in `[::1]:80`")
    } else if host.contains(':') {
        Err("an IPv6 address stands in brackets, as in `[::1]:80`")
    } else if !host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')) {
        Err("a host name is made of letters, digits, `-`, `.` and `_`")
    } else if host.chars().all(|c| c.is_ascii_digit() || c == '.') && host.parse::<Ipv4Addr>().is_err() {
        Err("an IPv4 address is four numbers from 0 to 255, as in `127.0.0.1:80`")
    } else {
        Ok(())
    }
}

/// Accepts only digits; `u16` would accept a `+` as well.
fn parse_port(port: &str) -> Option<u16> {
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|&port| digits && port > 0)
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self(address.to_string().into())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<String> {
        parse("list", list.as_bytes()).expect("a good list").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn comments_blank_lines_and_spaces_say_nothing() {
        let list = "# ours\n\n  web:80  \r\n\t\ndb.example.com:5432 # main\n#off:1\n[::1]:9000";
        assert_eq!(names(list), ["web:80", "db.example.com:5432", "[::1]:9000"]);
    }

    #[test]
    fn one_endpoint_has_one_name() {
        assert_eq!(names("Example.COM:0080\n127.0.0.1:65535"), ["example.com:80", "127.0.0.1:65535"]);
    }

    #[test]
    fn every_wrong_line_is_named_with_what_is_wrong() {
        let list = b"ok:1\nweb\n:80\nweb:\nweb:http\nweb:0\nweb:65536\nweb:+80\n\n::1:80\n[::1]\n[::g]:80\n\
                     we*b:80\n1.2.3:80\nhttp://web:80\na:1 b:2\n\xff:80\nOK:1";
        let errors = parse("list", list).expect_err("a bad list");
        assert_eq!(
            errors.lines().collect::<Vec<_>>(),
            [
                "list:2: `web` has no port, expected `host:port`",
                "list:3: `:80`: the host is missing",
                "list:4: `web:`: `` is no port, expected a number from 1 to 65535",
                "list:5: `web:http`: `http` is no port, expected a number from 1 to 65535",
                "list:6: `web:0`: `0` is no port, expected a number from 1 to 65535",
                "list:7: `web:65536`: `65536` is no port, expected a number from 1 to 65535",
                "list:8: `web:+80`: `+80` is no port, expected a number from 1 to 65535",
                "list:10: `::1:80`: an IPv6 address stands in brackets, as in `[::1]:80`",
                "list:11: `[::1]` has no port, expected `host:port`",
                "list:12: `[::g]:80`: expected an IPv6 address in the brackets, as in `[::1]:80`",
                "list:13: `we*b:80`: a host name is made of letters, digits, `-`, `.` and `_`",
                "list:14: `1.2.3:80`: an IPv4 address is four numbers from 0 to 255, as in `127.0.0.1:80`",
                "list:15: `http://web:80` is no target, expected one `host:port`",
                "list:16: `a:1 b:2` is no target, expected one `host:port`",
                "list:17: not UTF-8",
                "list:18: `ok:1` is on line 1 already",
            ]
        );
    }

    #[test]
    fn a_list_without_targets_is_wrong() {
        for list in ["", "\n", "# none\n"] {
            let error = parse("list", list.as_bytes()).expect_err("nothing to watch");
            assert_eq!(error, "list: no targets in it, expected one `host:port` a line");
        }
    }

    #[test]
    fn control_characters_are_shown_escaped() {
        let error = parse("list", b"\x1b[31mweb:80").expect_err("a bad list");
        assert!(error.starts_with("list:1: `\\u{1b}[31mweb:80`"), "{error}");
    }
}
