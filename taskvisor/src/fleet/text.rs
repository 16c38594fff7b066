//! The text of [`Leases`]: a line for each session and each key, with parts between tabs.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::leases::{Lease, Leases, Session};
use super::store::{LeaseKey, SessionId, SessionSpec};

impl fmt::Display for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, Session { spec, until }) in &self.sessions {
            let (until, ttl) = (until.as_nanos(), spec.ttl.as_nanos());
            writeln!(f, "session\t{id}\t{until}\t{ttl}\t{}\t{}", spec.fleet, spec.label)?;
        }
        for ((fleet, key), Lease { owner, token, tick, is_wanted }) in &self.keys {
            let owner = owner.map_or_else(|| "-".to_owned(), |owner| owner.to_string());
            let tick = tick.map_or_else(|| "-".to_owned(), |tick| tick.to_string());
            let is_wanted = u8::from(*is_wanted);
            writeln!(f, "lease\t{owner}\t{token}\t{tick}\t{is_wanted}\t{fleet}\t{key}")?;
        }
        Ok(())
    }
}

/// The error of a text that is not one of [`Leases`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no session and no lease: {text:?}")]
pub struct InvalidLeases {
    /// The number of the line, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

impl FromStr for Leases {
    type Err = InvalidLeases;

    fn from_str(text: &str) -> Result<Self, InvalidLeases> {
        let mut leases = Self::default();
        for (number, line) in text.lines().enumerate() {
            let read = leases.read(line);
            read.ok_or_else(|| InvalidLeases { line: number + 1, text: line.to_owned() })?;
        }
        Ok(leases)
    }
}

impl Leases {
    fn read(&mut self, line: &str) -> Option<()> {
        let parts: Vec<_> = line.split('\t').collect();
        match *parts.as_slice() {
            ["session", id, until, ttl, fleet, label] => {
                let spec = SessionSpec::new(fleet, label, Duration::from_nanos(ttl.parse().ok()?));
                let until = Duration::from_nanos(until.parse().ok()?);
                self.sessions.insert(session(id)?, Session { spec, until });
            }
            ["lease", owner, token, tick, is_wanted, fleet, key] => {
                let lease = Lease {
                    owner: if owner == "-" { None } else { Some(session(owner)?) },
                    token: token.parse().ok()?,
                    tick: if tick == "-" { None } else { Some(tick.parse().ok()?) },
                    is_wanted: is_wanted == "1",
                };
                self.keys.insert((fleet.into(), LeaseKey::new(key).ok()?), lease);
            }
            _ => return None,
        }
        Some(())
    }
}

fn session(id: &str) -> Option<SessionId> {
    u128::from_str_radix(id, 16).ok().map(SessionId::from_bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::store::{FencingToken, StoreTime};
    use crate::fleet::{Claim, LeaseError};

    #[test]
    fn leases_are_read_as_they_were_written() {
        let (mut leases, now) =
            (Leases::default(), StoreTime::from_unix(Duration::from_nanos(1_700_000_000_000_001_001)));
        let spec = |label: &str| SessionSpec::new("billing", label, Duration::from_millis(1_500));
        let [a, b] = ["a of 1", "b"].map(|label| leases.open(&spec(label), now).unwrap());
        let keys = ["x y", "free"].map(|key| LeaseKey::new(key).unwrap());
        let Ok([Claim::Held { token, .. }, Claim::Held { token: free, .. }]) =
            leases.acquire(a, &keys, now).map(|claims| <[Claim; 2]>::try_from(claims).unwrap())
        else {
            panic!("both were free")
        };
        assert!(leases.mark(a, &keys[0], token, 7, now).unwrap());
        assert!(matches!(leases.acquire(b, &keys[..1], now).unwrap()[..], [Claim::Busy { .. }]));
        leases.release(a, &[(keys[1].clone(), free)], now).unwrap();

        let mut read: Leases = leases.to_string().parse().unwrap();
        assert_eq!(read, leases);
        assert!(read.release(a, &[(keys[0].clone(), token)], now).unwrap(), "it is wanted");
        assert!(!read.mark(a, &keys[0], token, 8, now).unwrap(), "it is free");
        assert!(!read.release(b, &[(keys[0].clone(), FencingToken::from_number(1))], now).unwrap());
        let later = StoreTime::from_unix(now.since_unix() + Duration::from_millis(1_500));
        assert!(matches!(read.renew(b, later), Err(LeaseError::Expired)));
    }

    #[test]
    fn what_is_no_text_of_leases_is_refused() {
        let good = "lease\t-\t5\t-\t0\tbilling\tx\n";
        assert!(good.parse::<Leases>().is_ok());
        for bad in ["lease\tx\t5\t-\t0\tbilling\tx", "lease\t-\t5\t-\t0\tbilling\t", "session\t1\t2", "<html>"] {
            let error = format!("{good}{bad}").parse::<Leases>().unwrap_err();
            assert_eq!((error.line, &*error.text), (2, bad));
        }
    }
}
