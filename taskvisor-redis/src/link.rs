//! The connection for the calls of a fleet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};
use tokio::sync::Notify;

use crate::attempts::Attempts;
use crate::names::Names;
use crate::nodes::{Node, Nodes, Turn, moved_to};
use crate::script::Script;

/// The largest number of redirects of a call to other nodes of a cluster.
const REDIRECTS: usize = 3;

/// A message to the server.
#[derive(Clone, Copy)]
pub(crate) enum Request<'a> {
    Command(&'a Cmd),
    Script(&'a Script, &'a Names, &'a [String]),
}

impl Request<'_> {
    async fn send<T: FromRedisValue>(self, connection: &mut MultiplexedConnection) -> Result<T, RedisError> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Script(script, names, args) => script.run(connection, names, args).await,
        }
    }
}

/// One connection, opened when a call needs it. A connection with an error, or on which a call was dropped, is never
/// used again: the next call opens another. One that is being opened is used by the next call if its own was dropped.
#[derive(Debug)]
pub(crate) struct Link {
    nodes: Nodes,
    turn: Turn,
    /// Notified when a connection has replaced another that had failed: others may be lost unnoticed as well. One that
    /// was closed while idle is no sign of that.
    replaced: Arc<Notify>,
    /// Held while a call waits for a connection, so that calls at the same time share it.
    attempts: tokio::sync::Mutex<Attempts>,
    /// The lock is a leaf, and is not held across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<(u64, MultiplexedConnection)>,
    last_id: u64,
    /// The node of the connection, until a call on it fails, or the one that the cluster has named. Otherwise it is the
    /// one in turn.
    node: Option<Client>,
    /// `true` if a connection has failed since the last one was made.
    has_failed: bool,
}

impl Link {
    pub(crate) fn new(nodes: Nodes, replaced: Arc<Notify>) -> Self {
        let (turn, attempts, state) = Default::default();
        Self { nodes, turn, replaced, attempts, state }
    }

    /// Sends a request, and once more if its connection was open before and turns out to be closed, as a server or a
    /// proxy closes idle ones.
    ///
    /// The first may have been carried out. So the call fails if the answer to the second is not `certain`: it may be
    /// due to the first.
    pub(crate) async fn call<T: FromRedisValue>(
        &self,
        request: Request<'_>,
        certain: fn(&T) -> bool,
    ) -> Result<T, RedisError> {
        let (mut closed, mut reopens, mut redirects) = (None, false, 0);
        loop {
            let mut in_use = match self.take().await {
                Ok(in_use) => in_use,
                // Not only the connection is gone, but the node. The next one may answer.
                Err(_) if reopens => self.take().await?,
                Err(error) => return Err(error),
            };
            let error = match request.send(&mut in_use.connection).await {
                Ok(reply) => {
                    if let Request::Script(..) = request {
                        // The node is a primary, so no other connection is needed.
                        self.clear_attempts();
                    }
                    in_use.keep();
                    return closed.filter(|_| !certain(&reply)).map_or(Ok(reply), Err);
                }
                Err(error) => error,
            };
            reopens = in_use.was_idle && closed.is_none() && error.is_connection_dropped();
            if reopens {
                in_use.reopen();
                closed = Some(error);
                continue;
            }
            let client = in_use.client.clone();
            drop(in_use);
            match moved(&error).filter(|_| redirects < REDIRECTS) {
                Some((address, _)) => {
                    // They are to other nodes.
                    self.clear_attempts();
                    self.state().node = Some(moved_to(address, &client)?);
                }
                None => return Err(error),
            }
            redirects += 1;
        }
    }

    async fn take(&self) -> Result<InUse<'_>, RedisError> {
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let mut attempts = self.attempts.lock().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let node = Node { client: self.client(), turn: self.turn.number() };
        // If this future is dropped, the next call uses another node as well.
        let connecting = Connecting { link: self, is_done: false };
        let (Node { client, turn }, connection, was_idle) = attempts.connect(&node, self.nodes.count()).await?;
        connecting.done();
        // It can be the connection of an earlier call, to another node.
        self.turn.set(turn);
        let mut state = self.state();
        state.node = Some(client.clone());
        state.last_id += 1;
        let id = state.last_id;
        if std::mem::take(&mut state.has_failed) && id > 1 {
            self.replaced.notify_one();
        }
        state.current = Some((id, connection.clone()));
        Ok(InUse { link: self, id, client, connection, was_idle, is_kept: false })
    }

    /// Returns the connection, if there is one.
    fn current(&self) -> Option<InUse<'_>> {
        let (id, connection) = self.state().current.clone()?;
        Some(InUse { link: self, id, client: self.client(), connection, was_idle: true, is_kept: false })
    }

    /// Returns the client of the node to use.
    fn client(&self) -> Client {
        self.state().node.clone().unwrap_or_else(|| self.nodes.get(&self.turn).clone())
    }

    /// Gives up the attempts to connect, unless a call waits for one.
    fn clear_attempts(&self) {
        if let Ok(mut attempts) = self.attempts.try_lock() {
            attempts.clear();
        }
    }

    /// Continues with the next node.
    fn failed(&self) {
        let mut state = self.state();
        (state.node, state.has_failed) = (None, true);
        drop(state);
        self.turn.next();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn moved(error: &RedisError) -> Option<(&str, u16)> {
    let is_moved = error.kind() == ErrorKind::Server(ServerErrorKind::Moved);
    error.redirect_node().filter(|_| is_moved)
}

/// A connection that is being made.
struct Connecting<'a> {
    link: &'a Link,
    is_done: bool,
}

impl Connecting<'_> {
    fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.link.failed();
        }
    }
}

/// A connection with a call in flight. It is closed after the call unless it is kept.
struct InUse<'a> {
    link: &'a Link,
    id: u64,
    client: Client,
    connection: MultiplexedConnection,
    /// `true` if the connection can have been open before the call.
    was_idle: bool,
    is_kept: bool,
}

impl InUse<'_> {
    fn keep(mut self) {
        self.is_kept = true;
    }

    /// Forgets the connection, and not the node: the next call connects to it.
    fn reopen(mut self) {
        self.is_kept = true;
        self.link.state().current.take_if(|(id, _)| *id == self.id);
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let dropped = self.link.state().current.take_if(|(id, _)| *id == self.id);
        if dropped.is_some() {
            self.link.failed();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use redis::cmd;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Answers as a server that is content with everything.
    async fn serve(mut stream: TcpStream) {
        let mut read = [0; 1024];
        while let Ok(length @ 1..) = stream.read(&mut read).await {
            let requests = String::from_utf8_lossy(&read[..length]).matches('*').count();
            stream.write_all(&b"+OK\r\n".repeat(requests)).await.unwrap();
        }
    }

    /// It was made when nobody waited for it any more, and was closed before the next call.
    #[tokio::test]
    async fn a_connection_that_is_closed_while_it_waits_costs_no_call() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let link = Link::new(Nodes::new(Client::open(url).unwrap()), Arc::default());
        let ping = cmd("PING");
        let call = || link.call::<String>(Request::Command(&ping), |_| true);
        let (first, _) = tokio::select! {
            answer = pin!(call()) => panic!("{answer:?}"),
            first = listener.accept() => first.unwrap(),
        };
        let served = tokio::spawn(serve(first));
        link.attempts.lock().await.have_ended().await;
        served.abort();
        assert!(served.await.is_err(), "it is closed");
        tokio::spawn(async move {
            while let Ok((next, _)) = listener.accept().await {
                tokio::spawn(serve(next));
            }
        });
        assert_eq!(call().await.unwrap(), "OK");
    }
}
