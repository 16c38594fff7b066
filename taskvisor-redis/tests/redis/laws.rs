//! The store keeps the laws, on each kind of server.

use crate::support::Server;
use taskvisor::test::lease_laws;
use taskvisor_redis::RedisStore;

#[tokio::test]
async fn laws_hold_on_one_server() {
    let Some(server) = Server::start(&[]).await else { return };
    lease_laws(server.store()).await;
}

#[tokio::test]
async fn laws_hold_on_a_given_server() {
    let Ok(url) = std::env::var("TASKVISOR_REDIS_URL") else { return };
    lease_laws(RedisStore::new(url).unwrap()).await;
}

/// A user with no more than what the docs and the errors name.
#[tokio::test]
async fn laws_hold_for_a_user_with_few_permissions() {
    let Some(server) = Server::start(&[]).await else { return };
    let commands = "+evalsha +eval +time +hget +hset +hdel +hkeys +publish +subscribe";
    let _: () = server.say(&format!("ACL SETUSER few on >secret resetchannels &app:* ~app:* {commands}")).await;
    let url = format!("redis://few:secret@{}", server.address());
    lease_laws(RedisStore::new(url).unwrap().with_prefix("app")).await;
    let keys: Vec<String> = server.say("KEYS *").await;
    assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with("app:{laws-")), "{keys:?}");
}

/// A node of a cluster that finds its state soon.
async fn node() -> Option<Server> {
    Server::start(&["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"]).await
}

/// The server refuses a script whose keys are in several slots, or that uses a key of another slot.
#[tokio::test]
async fn laws_hold_on_a_cluster_of_one_node() {
    let Some(server) = node().await else { return };
    let _: () = server.say("CLUSTER ADDSLOTSRANGE 0 16383").await;
    server.until("CLUSTER INFO", "cluster_state:ok").await;
    lease_laws(server.store()).await;
}

/// Each fleet is on one of two nodes, and the store knows the address of one only.
#[tokio::test]
async fn laws_hold_on_a_cluster_of_two_nodes() {
    let Some(first) = node().await else { return };
    let Some(second) = node().await else { return };
    let _: () = first.say("CLUSTER ADDSLOTSRANGE 0 8191").await;
    let _: () = second.say("CLUSTER ADDSLOTSRANGE 8192 16383").await;
    let _: () = second.say("CONFIG SET cluster-announce-ip 127.0.0.1").await;
    let _: () = first.say(&format!("CLUSTER MEET 127.0.0.1 {}", second.address().port())).await;
    for node in [&first, &second] {
        node.until("CLUSTER INFO", "cluster_state:ok").await;
        node.until("CLUSTER INFO", "cluster_known_nodes:2").await;
    }
    lease_laws(first.store()).await;
    for node in [&first, &second] {
        let keys: Vec<String> = node.say("KEYS *").await;
        assert!(!keys.is_empty(), "some fleets are on each node");
    }
}
