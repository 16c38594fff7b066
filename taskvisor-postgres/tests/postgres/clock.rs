//! A server whose clock is set while sessions live.

use std::path::Path;

use fleet_tests::{Postgres, faketime, skip};
use taskvisor::fleet::{LeaseError, LeaseStore as _};

use crate::support::{TTL, acquire, client, key, open, store};

/// A clock that goes back keeps a session for longer, and one that goes forward ends it early. In both cases tokens grow,
/// a key has one owner at the server, and what has expired stays so.
#[tokio::test]
async fn tokens_grow_while_the_clock_is_set() {
    let Some(library) = faketime() else { return skip("a server whose clock is set", "faketime") };
    let offset = std::env::temp_dir().join(format!("faketime-{}", std::process::id()));
    let set = |to: &str| std::fs::write(&offset, to).unwrap();
    set("+0");
    let file = |path: &Path| path.to_str().unwrap().to_owned();
    let envs = [
        ("LD_PRELOAD", &*file(&library)),
        ("FAKETIME_TIMESTAMP_FILE", &*file(&offset)),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let Some(server) = Postgres::start_in(&[], &envs) else { return };
    let (store, control) = (store(&server.url(), "clock").await, client(&server.url()).await);
    let now = async || -> f64 {
        let asked = "SELECT extract(epoch FROM clock_timestamp())::float8";
        control.query_one(asked, &[]).await.unwrap().get(0)
    };
    let (a, b) = (open(&store, "a", TTL).await, open(&store, "b", TTL).await);
    let first = acquire(&store, a, "x").await.unwrap();

    let before = now().await;
    set("-2h");
    assert!(now().await < before - 3600.0, "the clock is set");
    store.renew(a).await.unwrap();
    assert_eq!(acquire(&store, a, "x").await, Some(first));
    assert_eq!(acquire(&store, b, "x").await, None);
    store.release(a, &[(key("x"), first)]).await.unwrap();
    let second = acquire(&store, b, "x").await.unwrap();
    assert!(second > first);

    set("+2h");
    assert!(matches!(store.renew(b).await, Err(LeaseError::Expired)));
    let c = open(&store, "c", TTL).await;
    let third = acquire(&store, c, "x").await.unwrap();
    assert!(third > second);

    set("-2h");
    // It was ended for good, though its time would not be over now.
    for over in [b, a] {
        let owner = acquire(&store, c, "x").await;
        assert_eq!(owner, Some(third));
        let renewed = store.renew(over).await;
        assert_eq!(renewed.is_ok(), over == a, "{renewed:?}");
    }
    let _ = std::fs::remove_file(&offset);
}
