//! The client that the library has for such listeners, over TCP and over pipes.

use esker::net::messages::MetadataRequest;
use esker::net::{ClientConfig, Connection, ConnectionError, Connector};
use esker::server::{ScramCredential, ScramMechanism, Server};
use esker::{Error, Store};

use super::secured::{Authority, config, serve};

const MECHANISM: ScramMechanism = ScramMechanism::Sha256;

/// A server that knows alice, whose password is "secret", with a certificate from `authority`.
async fn serve_alice(authority: &Authority, more: &[(&str, &str)]) -> (Store, Server) {
    let identity = authority.issue("server");
    let mut pairs = vec![
        ("listeners", "SASL_SSL://127.0.0.1:0,PLAINTEXT://127.0.0.1:0"),
        ("ssl.keystore.key", &*identity.key),
        ("ssl.keystore.certificate.chain", &identity.certificate),
        ("sasl.enabled.mechanisms", MECHANISM.name()),
        // Nothing here is about how long it takes.
        ("connection.failed.authentication.delay.ms", "0"),
    ];
    pairs.extend(more);
    let (store, server) = serve(config(&pairs)).await;
    store.put_scram_credential("alice", MECHANISM, ScramCredential::new(MECHANISM, "secret", 4096).unwrap()).unwrap();
    (store, server)
}

fn connector(authority: &Authority, password: &str) -> Connector {
    let mut config = ClientConfig::default();
    let (jaas, pem) = (format!("ScramLoginModule required username=alice password={password};"), authority.pem());
    for (key, value) in [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", MECHANISM.name()),
        ("sasl.jaas.config", &jaas),
        ("ssl.truststore.certificates", &pem),
    ] {
        config.set(key, value).unwrap();
    }
    Connector::new(&config).unwrap()
}

async fn over_pipe(server: &Server, connector: &Connector) -> Result<Connection, ConnectionError> {
    let (client, served) = tokio::io::duplex(1 << 16);
    server.serve_as("sasl_ssl", served).unwrap();
    connector.connect_over(client, "localhost").await
}

#[tokio::test]
async fn a_pipe_asks_for_what_a_listener_asks() {
    let authority = Authority::new();
    let (_store, server) = serve_alice(&authority, &[]).await;
    let connection = over_pipe(&server, &connector(&authority, "secret")).await.unwrap();
    assert_eq!(connection.send(&MetadataRequest::default(), 12).await.unwrap().topics.len(), 1);
    assert!(!connection.is_expiring());
    let refused = over_pipe(&server, &connector(&authority, "wrong")).await;
    assert!(matches!(refused, Err(ConnectionError::Authentication(_))), "{refused:?}");
    let refused = over_pipe(&server, &connector(&Authority::new(), "secret")).await;
    assert!(matches!(refused, Err(ConnectionError::Tls(_))), "{refused:?}");
    let (_, served) = tokio::io::duplex(1);
    let unknown = server.serve_as("SSL", served);
    assert!(matches!(&unknown, Err(Error::InvalidConfig { key, .. }) if key == "listeners"), "{unknown:?}");
    let (client, served) = tokio::io::duplex(1 << 16);
    server.serve_as("PLAINTEXT", served).unwrap();
    let asked_for_nothing = Connector::new(&ClientConfig::default()).unwrap().connect_over(client, "").await.unwrap();
    let told = asked_for_nothing.send(&MetadataRequest::default(), 12).await.unwrap();
    // Where that listener is, and not another that asks for more.
    assert_eq!(told.brokers[0].port, i32::from(server.local_addrs()[1].port()));
    server.shutdown().await;
}

#[tokio::test]
async fn a_connection_tells_when_another_is_to_take_its_place() {
    let authority = Authority::new();
    for (reauth_ms, expires) in [("3600000", false), ("1", true)] {
        let (_store, server) = serve_alice(&authority, &[("connections.max.reauth.ms", reauth_ms)]).await;
        let address = format!("localhost:{}", server.local_addr().unwrap().port());
        let connection = connector(&authority, "secret").connect(&address).await.unwrap();
        while expires && !connection.is_expiring() {
            tokio::task::yield_now().await;
        }
        assert_eq!(connection.is_expiring(), expires);
    }
}
