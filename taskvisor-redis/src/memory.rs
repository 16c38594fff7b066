//! Checks that the server does not evict the keys of the store.

use taskvisor::fleet::LeaseError;

/// The error of a server that may evict the keys of the store.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server evicts keys when its memory is full (`maxmemory-policy {policy}`), and so would lose who owns what: \
     set `maxmemory-policy noeviction` or a `volatile-` policy, or use another server"
)]
struct Evicts {
    policy: String,
}

/// Checks the answer to `INFO memory`. The keys of the store never expire, so only the policies for all keys evict
/// them.
pub(crate) fn check(info: &str) -> Result<(), LeaseError> {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    match field("maxmemory_policy") {
        Some(policy) if policy.starts_with("allkeys") && field("maxmemory") != Some("0") => {
            Err(LeaseError::misconfigured(Evicts { policy: policy.to_owned() }))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::check;

    #[test]
    fn a_server_that_evicts_all_keys_is_refused() {
        let info = |max: &str, policy: &str| format!("# Memory\r\nmaxmemory:{max}\r\nmaxmemory_policy:{policy}\r\n");
        for (max, policy) in [("0", "allkeys-lru"), ("100", "noeviction"), ("100", "volatile-lru")] {
            assert!(check(&info(max, policy)).is_ok(), "{max} {policy}");
        }
        assert!(check("").is_ok());
        let error = check(&info("100", "allkeys-lfu")).unwrap_err();
        assert!(error.source().unwrap().to_string().contains("`maxmemory-policy allkeys-lfu`"));
    }
}
