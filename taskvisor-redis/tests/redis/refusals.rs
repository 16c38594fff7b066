//! Servers that refuse, and what the error says then.

use std::error::Error as _;

use crate::support::{Server, key, open, spec, take};
use redis::Commands as _;
use taskvisor::fleet::{LeaseError, LeaseStore as _};
use taskvisor_redis::RedisStore;

fn says(result: Result<impl std::fmt::Debug, LeaseError>, advice: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, LeaseError::Misconfigured(_)), "{error:?}");
    let text = error.source().unwrap().to_string();
    assert!(text.contains(advice), "{text}");
}

fn at(server: &Server, user: &str) -> RedisStore {
    RedisStore::new(format!("redis://{user}{}", server.address())).unwrap()
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_at_once() {
    says(RedisStore::new("postgres://localhost"), "URL");
}

#[tokio::test]
async fn a_user_without_permission_hears_what_to_permit() {
    let Some(server) = Server::start(&[]).await else { return };
    let _: () = server.say("ACL SETUSER none on >secret ~taskvisor:* +info").await;
    says(at(&server, "none:secret@").open(&spec("a")).await, "EVALSHA");
    // What a script does counts as well.
    let _: () = server.say("ACL SETUSER reader on >secret ~taskvisor:* +evalsha +eval +time +hget").await;
    says(at(&server, "reader:secret@").open(&spec("a")).await, "permit");
    let _: () = server.say("ACL SETUSER other on >secret ~other:* +@all").await;
    says(at(&server, "other:secret@").open(&spec("a")).await, "permit");
}

/// A key is freed though nobody may be told.
#[tokio::test]
async fn a_user_without_the_channel_releases_all_the_same() {
    let Some(server) = Server::start(&[]).await else { return };
    let _: () = server.say("ACL SETUSER mute on >secret ~taskvisor:* resetchannels +@all").await;
    let store = at(&server, "mute:secret@");
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let token = take(&store, a, "x").await;
    crate::support::is_refused(&store, b, "x").await;
    store.release(a, &[(key("x"), token)]).await.unwrap();
    take(&store, b, "x").await;
    crate::support::is_refused(&store, a, "x").await;
    store.close(b).await.unwrap();
    take(&store, a, "x").await;
}

#[tokio::test]
async fn a_wrong_password_is_named() {
    let Some(server) = Server::start(&[]).await else { return };
    let _: () = server.say("CONFIG SET requirepass secret").await;
    says(at(&server, "").open(&spec("a")).await, "password");
    says(at(&server, ":wrong@").open(&spec("a")).await, "password");
    says(at(&server, "nobody:wrong@").open(&spec("a")).await, "password");
    open(&at(&server, ":secret@"), "a").await;
}

/// A new password cuts no open connection. A store that has the old one gets no other, until it is the password again.
#[tokio::test]
async fn a_connection_outlives_its_password() {
    let Some(server) = Server::start(&[]).await else { return };
    let commands = "~taskvisor:* &taskvisor:* +evalsha +eval +time +hget +hset +hdel +hkeys +publish +subscribe";
    let _: () = server.say(&format!("ACL SETUSER billing on >old {commands}")).await;
    let store = RedisStore::new(format!("redis://billing:old@{}", server.address())).unwrap();
    let a = open(&store, "a").await;
    let _: () = server.say("ACL SETUSER billing resetpass >new").await;
    store.renew(a).await.unwrap();
    let _: i64 = server.say("CLIENT KILL USER billing").await;
    for _ in 0..2 {
        says(store.renew(a).await, "password");
    }
    let _: () = server.say("ACL SETUSER billing >old").await;
    store.renew(a).await.unwrap();
}

#[tokio::test]
async fn a_database_that_the_server_refuses_is_named() {
    let Some(server) = Server::start(&[]).await else { return };
    let commands = "+evalsha +eval +time +hget +hset +hdel +hkeys +publish +subscribe +info";
    let _: () = server.say(&format!("ACL SETUSER few on >secret ~taskvisor:* {commands}")).await;
    let database =
        |user: &str, number: u32| RedisStore::new(format!("redis://{user}{}/{number}", server.address())).unwrap();
    says(database("few:secret@", 3).open(&spec("a")).await, "SELECT");
    says(database("", 99).open(&spec("a")).await, "database");
    let _: () = server.say("ACL SETUSER few +select").await;
    open(&database("few:secret@", 3), "a").await;
}

#[tokio::test]
async fn a_key_of_another_program_is_named() {
    let Some(server) = Server::start(&[]).await else { return };
    let _: () = server.say("SET taskvisor:{billing}:sessions 1").await;
    says(server.store().open(&spec("a")).await, "prefix");
    open(&server.store().with_prefix("ours"), "a").await;
}

#[tokio::test]
async fn a_server_with_all_connections_in_use_is_out_of_reach() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let mut all = server.connection().await;
    let _: () = redis::cmd("CONFIG").arg(("SET", "maxclients", 1)).query_async(&mut all).await.unwrap();
    let opened = store.open(&spec("a")).await;
    assert!(matches!(opened, Err(LeaseError::Unreachable(_))), "{opened:?}");
    drop(all);
    while store.open(&spec("a")).await.is_err() {}
}

#[tokio::test]
async fn a_server_that_evicts_leases_is_refused() {
    let Some(server) = Server::start(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]).await else {
        return;
    };
    says(server.store().open(&spec("a")).await, "maxmemory-policy noeviction");
    let _: () = server.say("CONFIG SET maxmemory-policy volatile-lru").await;
    let store = server.store();
    let a = open(&store, "a").await;
    take(&store, a, "x").await;
    let names: Vec<String> = server.say("KEYS *").await;
    assert_eq!(names.len(), 2);
    for name in names {
        assert_eq!(server.say::<i64>(&format!("TTL {name}")).await, -1, "{name} could be evicted");
    }
}

/// Memory that others fill ends no session.
#[tokio::test]
async fn a_full_server_goes_on_with_leases() {
    let Some(server) = Server::start(&["--maxmemory", "4mb"]).await else { return };
    let store = server.store();
    let a = open(&store, "a").await;
    let filler = server.url();
    let full = tokio::task::spawn_blocking(move || {
        let mut client = redis::Client::open(filler).unwrap();
        let full = (0..1_000).find_map(|n| client.set::<_, _, ()>(n, "x".repeat(16 * 1024)).err());
        full.expect("the server is full").to_string()
    });
    let full = full.await.unwrap();
    assert!(full.contains("OOM"), "{full}");
    store.renew(a).await.unwrap();
    let token = take(&store, a, "x").await;
    assert!(store.mark(a, &key("x"), token, 1).await.unwrap());
    store.close(a).await.unwrap();
}
