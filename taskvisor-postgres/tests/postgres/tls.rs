//! The store over TLS, with an authority of its own.

use std::sync::Arc;

use fleet_tests::{Certificate, Postgres};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use taskvisor::fleet::{LeaseError, LeaseStore as _, SessionSpec};
use taskvisor::test::lease_laws;
use taskvisor_postgres::PostgresStore;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::support::{TTL, client, open};

/// Returns what makes connections to servers that this authority vouches for.
fn connector(authority: Option<Vec<u8>>) -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    if let Some(certificate) = authority {
        roots.add(CertificateDer::from(certificate)).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth())
}

#[tokio::test]
async fn laws_hold_over_tls() {
    let Some(certificate) = Certificate::make() else { return };
    let [file, key] = [certificate.certificate(), certificate.key()].map(|file| file.display().to_string());
    let settings = ["ssl=on", &format!("ssl_cert_file={file}"), &format!("ssl_key_file={key}")];
    let Some(server) = Postgres::start(&settings) else { return };
    let (_, authority) = certificate.authority();
    let config = || format!("{} sslmode=require", server.url()).parse().unwrap();
    let store = PostgresStore::new(config()).tls(connector(Some(authority)));
    store.migrate().await.unwrap();
    lease_laws(store.clone()).await;

    // Calls, renewals and hints alike.
    open(&store, "a", TTL).await;
    let control = client(&server.url()).await;
    let asked = "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'taskvisor'";
    let row = control.query_one(asked, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (3, 3));

    // Whoever has another authority connects to nobody, and a server without TLS gets no words in clear.
    for store in [PostgresStore::new(config()).tls(connector(None)), PostgresStore::new(config())] {
        let opened = store.open(&SessionSpec::new("fleet", "b", TTL)).await;
        assert!(matches!(opened, Err(LeaseError::Unreachable(_) | LeaseError::Misconfigured(_))), "{opened:?}");
    }
}
