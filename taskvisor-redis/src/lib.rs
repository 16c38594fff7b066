//! Leases in Redis for [taskvisor](taskvisor::fleet): one owner of a task across machines.
//!
//! [`RedisStore`] is a [`LeaseStore`](taskvisor::fleet::LeaseStore) on Redis 6 or newer, or Valkey: one server, a
//! primary with replicas, or a cluster. It is tested with Redis 7.0.
//!
//! ```no_run
//! use taskvisor::fleet::Fleet;
//! use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
//! use taskvisor_redis::RedisStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::new("redis://redis.example")?;
//! let ledger = TaskFn::arc("ledger", |ctx: TaskContext| async move {
//!     println!("this replica keeps the ledger, with the token {:?}", ctx.fencing_token());
//!     ctx.cancelled().await;
//!     Ok(())
//! });
//! let supervisor = Tree::builder(SupervisorConfig::default())
//!     .with_fleet(Fleet::new(store).name("billing"))
//!     .task(TaskSpec::inherit(ledger).with_singleton())
//!     .build();
//! supervisor.run().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//! On one server, a key always has one owner: each call is a script, which Redis runs atomically, and all times are
//! those of its clock. The limits are data that a server has *lost*:
//!
//! - **Failover may give two owners.** Replication is asynchronous. A replica that becomes the primary may lack the
//!   last changes, and give keys to others whose owners still work. Such an owner notices it at its next renewal: the
//!   store counts how often a session has taken or freed keys, and a server with a smaller count ends the session. So
//!   there are two owners for one time to live at most. The same applies to a server that crashes and has not written
//!   its last second (`appendfsync everysec`).
//! - **Fencing closes that gap.** Send the token with each write, and let the resource refuse a token that is smaller
//!   than the greatest that it has seen. Without a resource that can do so, choose `taskvisor-postgres`, whose leases
//!   and data are in one transaction.
//! - **Tokens grow even if all data is lost.** A token is the time of the server in microseconds, or the last token
//!   plus one if that is greater. It does not grow if the data is lost *and* the clock is set back behind the last
//!   token.
//! - **Ticks** that were marked and are lost in a failover run once more.
//! - **A step of the server's clock** ahead expires sessions early, while their owners still work: use a clock that is
//!   slewed. A step back makes sessions live longer, but revives no expired session.
//!
//! With `min-replicas-to-write 1` and `min-replicas-max-lag`, a primary that is cut off from its replicas refuses
//! further keys. Several independent servers (Redlock) are not supported: they are not safer than one with tokens.
//!
//! # Settings of the server
//! - **`maxmemory-policy`**: `noeviction`, or one of the `volatile-` policies, because no key of the store expires. A
//!   server with a memory limit and an `allkeys-` policy is refused when a session is opened, if the user may ask
//!   (`INFO`). Leases still work when the memory is full.
//! - **Persistence** is up to you. A server that starts without its data has ended all sessions, and tokens still grow,
//!   because they contain the time. A server with old data ends sessions that have expired, or whose changes it has
//!   lost.
//! - **Permissions**: the keys `taskvisor:*`, the channels `taskvisor:*`, and the commands `EVALSHA`, `EVAL`, `TIME`,
//!   `HGET`, `HSET`, `HDEL`, `HKEYS`, `PUBLISH` and `SUBSCRIBE`; `SELECT` too if the URL has a database other than 0. Without
//!   the channels, waiting replicas poll.
//!   ```text
//!   ACL SETUSER leases on >password ~taskvisor:* resetchannels &taskvisor:*
//!     +evalsha +eval +time +hget +hset +hdel +hkeys +publish +subscribe +info
//!   ```
//!
//! # What is stored
//! A fleet has two hashes, whatever the number of its replicas and keys. A script uses only these two, which are passed
//! as its keys. The name of the fleet is the hash tag, so both are in one slot of a cluster.
//!
//! | key | field | value |
//! |---|---|---|
//! | `taskvisor:{billing}:sessions` | id | expiry and time to live in microseconds, changes, refused keys, label |
//! | `taskvisor:{billing}:leases` | key | token, last tick or `-`, `1` if a session was refused, session or `-` |
//!
//! An expired session is removed when a call finds it, and when another session is opened. The row of a key, about 130
//! bytes, stays forever, because its token must grow forever. Do not derive keys from unbounded data. Delete no field of
//! the leases while replicas run: the owner of its key does not notice, and another takes the key beside it.
//!
//! # Load
//! A renewal is one script on one hash, whatever the number of keys. A refused replica only reads. A waiting replica
//! has a second connection, subscribed to `taskvisor:{billing}:freed`. A message is sent when an owner releases a key
//! that another session was refused, and never for renewals.
//!
//! # Clusters and failover
//! The store follows the redirects of a cluster, one address is enough to begin with, and database 0 is the only one.
//! While the slot of a fleet migrates, the fleet is unreachable. A replica of Redis never answers a call, so a store
//! that is connected to the old primary is unreachable until its address leads to the new one. Give an address that
//! does, or all addresses by [`with_node`](RedisStore::with_node). Sentinels are not used.
//!
//! A call is given up after a fifth of the time to live. If the set-up of its connection takes longer, as by TLS on a busy
//! machine, the set-up goes on for up to 10 s, and the next call uses it, or one more that it begins, at the next address.
//! A new password cuts no open connection, and a store keeps the one of its URL: deploy the new one to all replicas before
//! an open connection is lost.
//!
//! # Features
//! `rustls`, for `rediss://`, with the certificates of the system. The program has to choose a crypto provider of
//! rustls, by a feature of that crate or by `CryptoProvider::install_default`; without one, the first call panics with
//! a message about it. For another TLS library, enable the feature of the crate `redis`, version 1. Default: none.
//!
//! To use a certificate authority of your own, build a client of `redis` with its certificates, and pass the connection
//! info:
#![cfg_attr(feature = "rustls", doc = "```no_run")]
#![cfg_attr(not(feature = "rustls"), doc = "```ignore")]
//! use redis::{Client, TlsCertificates};
//! use taskvisor_redis::RedisStore;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let root_cert = Some(std::fs::read("authority.pem")?);
//! let certificates = TlsCertificates { client_tls: None, root_cert };
//! let client = Client::build_with_tls("rediss://redis.example:6379", certificates)?;
//! let store = RedisStore::new(client.get_connection_info().clone())?;
//! # Ok(())
//! # }
//! ```

mod attempts;
mod error;
mod hints;
mod link;
mod memory;
mod names;
mod nodes;
mod script;
mod store;

pub use store::RedisStore;
