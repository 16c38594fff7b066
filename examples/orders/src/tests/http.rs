//! The server, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;

use super::World;
use crate::http::Client;
use crate::tree::tree;

async fn send(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let client = Client::without_keep_alive(Duration::from_secs(20));
    client.send(address, method, path, body.to_owned()).await.expect("it answers")
}

#[tokio::test]
async fn what_is_too_much_is_refused_at_once_and_the_pages_of_operators_answer() -> Result<(), RuntimeError> {
    let world = World::new();
    let parts = world.parts().await;
    let (address, places) = (parts.server.listener.local_addr().unwrap(), Arc::clone(&parts.server.places));
    let tree = tree(parts, world.pool());
    tree.start().await?;
    tree.wait_ready().await;
    let body = r#"{"tenant": "acme", "item": "a book", "cents": 1200}"#;
    // As if so many requests were being answered.
    let busy = places.acquire_many(8).await.unwrap();
    assert_eq!(send(address, "PUT", "/orders/1", body).await, (503, "come again\n".into()));
    for page in ["/livez", "/readyz", "/metrics", "/console"] {
        assert_eq!(send(address, "GET", page, "").await.0, 200, "{page}");
    }
    drop(busy);
    assert_eq!(send(address, "PUT", "/orders/1", body).await.0, 201);
    assert_eq!(send(address, "PUT", "/orders/2", r#"{"tenant": "", "item": "a book", "cents": 1}"#).await.0, 422);
    assert_eq!(send(address, "GET", "/orders/3", "").await.0, 404);
    tree.shutdown().await
}
