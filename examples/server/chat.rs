//! A WebSocket that sends each text back.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use taskvisor::prelude::*;
use tokio::time::timeout;

/// Echoes until the client disconnects or the server stops. In a stop, it sends a close frame and waits for that of the
/// client.
pub(crate) async fn chat(mut socket: WebSocket, ctx: TaskContext, finish: Duration) {
    // A stop also interrupts a send to a client that does not read.
    ctx.run_until_cancelled(echo(&mut socket)).await;
    let _ = timeout(finish, close(socket)).await;
}

async fn echo(socket: &mut WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(_) = &message {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
}

async fn close(mut socket: WebSocket) {
    let frame = CloseFrame { code: close_code::AWAY, reason: "the server stops".into() };
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}
