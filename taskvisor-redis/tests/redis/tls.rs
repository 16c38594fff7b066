//! The store over TLS, with an authority of its own.

use crate::support::{LONG, Server};
use fleet_tests::{Certificate, free_port};
use redis::{Client, TlsCertificates};
use taskvisor::fleet::{LeaseError, LeaseStore as _, SessionSpec};
use taskvisor::test::lease_laws;
use taskvisor_redis::RedisStore;

#[tokio::test]
async fn laws_hold_over_tls() {
    // A test before may have done that.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(certificate) = Certificate::make() else { return };
    let [file, key] = [certificate.certificate(), certificate.key()].map(|file| file.display().to_string());
    let port = free_port().to_string();
    let tls = ["--tls-port", &port, "--tls-cert-file", &file, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let args = [&tls[..], &["--tls-ca-cert-file", &file]].concat();
    let Some(server) = Server::start(&args).await else { return };
    let url = format!("rediss://127.0.0.1:{port}");
    let (authority, _) = certificate.authority();
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(authority) };
    let client = Client::build_with_tls(&*url, certificates).unwrap();
    let store = RedisStore::new(client.get_connection_info().clone()).unwrap();
    lease_laws(store.clone()).await;

    // Calls and hints alike: the only other connection is the one that asks.
    store.open(&SessionSpec::new("billing", "a", LONG)).await.unwrap();
    let clients: String = server.say("CLIENT LIST").await;
    let is_clear = |line: &&str| line.contains(&format!(" laddr={} ", server.address()));
    let (clear, over_tls): (Vec<_>, Vec<_>) = clients.lines().partition(is_clear);
    assert_eq!(clear.len(), 1, "{clients}");
    assert!(over_tls.len() >= 2, "{clients}");

    // Whoever has another authority connects to nobody.
    let stranger = RedisStore::new(url).unwrap();
    let opened = stranger.open(&SessionSpec::new("billing", "b", LONG)).await;
    assert!(matches!(opened, Err(LeaseError::Unreachable(_) | LeaseError::Misconfigured(_))), "{opened:?}");
}
