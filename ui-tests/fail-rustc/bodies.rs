//! A body that is being typed: the errors are the user's own.

use taskvisor::prelude::*;

#[derive(Clone)]
struct Client;

#[task]
async fn half_typed(client: Client) -> Result<(), String> {
    client. ;
    Ok(())
}

#[task]
async fn wrong(client: Client) -> Result<(), String> {
    client.ping().await
}

#[task(restart = "allways")]
async fn wrong_and_refused(client: Client) -> Result<(), String> {
    client.ping().await
}

fn main() {
    let _ = supervise!(tasks = [half_typed { client: Client }, wrong { client: Client }]);
}
