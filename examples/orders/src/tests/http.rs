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
    client.send(&address, method, path, body.to_owned()).await.expect("it answers")
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
    // As if this number of requests were in progress.
    let busy = places.acquire_many(8).await.unwrap();
    let (status, problem) = send(address, "PUT", "/orders/1", body).await;
    assert!(status == 503 && problem.contains("come again"), "{status} {problem}");
    for page in ["/livez", "/readyz", "/metrics", "/console"] {
        assert_eq!(send(address, "GET", page, "").await.0, 200, "{page}");
    }
    drop(busy);
    assert_eq!(send(address, "PUT", "/orders/1", body).await.0, 201);
    // An order can be sent again, and another order with its id is refused.
    assert_eq!(send(address, "PUT", "/orders/1", body).await.0, 200);
    assert_eq!(send(address, "PUT", "/orders/1", &body.replace("1200", "1300")).await.0, 409);
    assert_eq!(send(address, "PUT", "/orders/2", r#"{"tenant": "", "item": "a book", "cents": 1}"#).await.0, 422);
    assert_eq!(send(address, "GET", "/orders/3", "").await.0, 404);
    tree.shutdown().await
}

#[tokio::test]
async fn an_order_that_cannot_be_told_to_the_broker_is_refused_with_a_reason_as_json() -> Result<(), RuntimeError> {
    let world = World::new();
    let parts = world.parts().await;
    let address = parts.server.listener.local_addr().unwrap();
    let tree = tree(parts, world.pool());
    tree.start().await?;
    tree.wait_ready().await;
    let order = |tenant: &str, item: &str, cents: i64| {
        format!(r#"{{"tenant": "{tenant}", "item": "{item}", "cents": {cents}}}"#)
    };
    let good = order("acme", "a book", 1200);
    let long = "x".repeat(101);
    for (status, method, path, body) in [
        // The id would become another path at the broker.
        (422, "PUT", "/orders/a%2Fb".to_owned(), good.clone()),
        (422, "PUT", "/orders/a%3Fb".to_owned(), good.clone()),
        (422, "PUT", format!("/orders/{long}"), good.clone()),
        (422, "PUT", "/orders/1".to_owned(), order("", "a book", 1)),
        (422, "PUT", "/orders/1".to_owned(), order(&long, "a book", 1)),
        (422, "PUT", "/orders/1".to_owned(), order("acme", &"x".repeat(1001), 1)),
        (422, "PUT", "/orders/1".to_owned(), order("acme", "a book", -1)),
        (422, "PUT", "/orders/1".to_owned(), r#"{"tenant": "acme"}"#.to_owned()),
        (400, "PUT", "/orders/1".to_owned(), "{".to_owned()),
        (400, "PUT", "/orders/%ff".to_owned(), good.clone()),
        (413, "PUT", "/orders/1".to_owned(), order("acme", &"x".repeat(20_000), 1)),
        (404, "GET", "/orders/1".to_owned(), String::new()),
        (404, "GET", "/nowhere".to_owned(), String::new()),
        (405, "DELETE", "/orders/1".to_owned(), String::new()),
    ] {
        let (given, answer) = send(address, method, &path, &body).await;
        let problem: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
        let says = problem["detail"].as_str().is_some_and(|detail| !detail.is_empty());
        assert!(given == status && problem["status"] == status && says, "{method} {path}: {given} {answer}");
    }
    assert_eq!(world.store.state().outbox.len(), 0);
    tree.shutdown().await
}
