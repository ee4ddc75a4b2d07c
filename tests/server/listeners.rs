//! Where a server listens, and where it tells clients to connect to.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use esker::net::messages::MetadataRequest;
use esker::net::{Connection, ConnectionError};
use esker::server::{Server, ServerConfig, ServerProperties};
use esker::{Error, Store};

fn config(pairs: &[(&str, &str)]) -> ServerConfig {
    let mut config = ServerConfig::default();
    pairs.iter().for_each(|(key, value)| config.set(key, value).unwrap());
    config
}

async fn serve(config: ServerConfig) -> Server {
    Server::builder(Store::temporary().unwrap()).config(config).start().await.unwrap()
}

/// Where a client is told to connect to.
async fn told(connection: &Connection) -> (String, i32) {
    let broker = connection.send(&MetadataRequest::default(), 12).await.unwrap().brokers.remove(0);
    (broker.host, broker.port)
}

#[tokio::test]
async fn clients_are_told_the_address_that_is_configured() {
    let listening = ("listeners", "PLAINTEXT://127.0.0.1:0");
    for (advertised, host) in [("PLAINTEXT://example.org:29194", "example.org"), ("PLAINTEXT://:29194", "127.0.0.1")] {
        let server = serve(config(&[listening, ("advertised.listeners", advertised)])).await;
        let connection = Connection::connect(server.local_addr().unwrap()).await.unwrap();
        assert_eq!(told(&connection).await, (host.to_owned(), 29194));
        assert_eq!(told(&server.connect()).await, (host.to_owned(), 29194));
        assert_eq!(server.bootstrap_servers(), format!("{host}:29194"));
    }
    let server = serve(config(&[listening, ("advertised.listeners", "PLAINTEXT://example.org:0")])).await;
    let bound = i32::from(server.local_addr().unwrap().port());
    assert_eq!(told(&server.connect()).await, ("example.org".to_owned(), bound));
}

#[tokio::test]
async fn clients_are_not_told_what_they_cannot_connect_to() {
    for advertised in ["PLAINTEXT://0.0.0.0:1", "PLAINTEXT://[::]:1", "OTHER://example.org:1"] {
        let config = config(&[("listeners", "PLAINTEXT://127.0.0.1:0"), ("advertised.listeners", advertised)]);
        let refused = Server::builder(Store::temporary().unwrap()).config(config).start().await.err();
        let is_named =
            |error: &Error| matches!(error, Error::InvalidConfig { key, .. } if key == "advertised.listeners");
        assert!(refused.as_ref().is_some_and(is_named), "{advertised}: {refused:?}");
    }
}

#[tokio::test]
async fn a_server_listens_somewhere_or_does_not_start() {
    for pairs in [
        &[("listeners", "")][..],
        &[("listeners", "CONTROLLER://127.0.0.1:0"), ("controller.listener.names", "CONTROLLER")],
    ] {
        let mut properties = ServerProperties::new();
        pairs.iter().for_each(|(key, value)| properties.set(key, value).unwrap());
        let builder = || Server::builder(Store::temporary().unwrap()).config(properties.server.clone());
        let refused = builder().start().await.err();
        let is_named = |error: &Error| matches!(error, Error::InvalidConfig { key, .. } if key == "listeners");
        assert!(refused.as_ref().is_some_and(is_named), "{refused:?}");
        let nowhere = builder().in_memory().unwrap();
        assert_eq!((nowhere.local_addr(), nowhere.bootstrap_servers()), (None, ""), "if that is what somebody wants");
    }
}

/// It would let everybody in.
#[tokio::test]
async fn an_address_alone_comes_in_the_place_of_no_listener_that_asks_who_comes() {
    let bind = async |listeners, protocols| {
        let config = config(&[("listeners", listeners), ("listener.security.protocol.map", protocols)]);
        Server::builder(Store::temporary().unwrap()).config(config).bind("127.0.0.1:0").await
    };
    for (listeners, protocols, named) in [
        ("SASL_PLAINTEXT://127.0.0.1:1", "SASL_PLAINTEXT:SASL_PLAINTEXT,PLAINTEXT:PLAINTEXT", "SASL_PLAINTEXT"),
        ("PLAINTEXT://127.0.0.1:1,SSL://127.0.0.1:2", "SSL:SSL,PLAINTEXT:PLAINTEXT", "SSL"),
        ("OUTSIDE://127.0.0.1:1", "OUTSIDE:SASL_SSL,PLAINTEXT:PLAINTEXT", "OUTSIDE"),
    ] {
        let refused = bind(listeners, protocols).await.err();
        let is_named = |error: &Error| {
            matches!(error, Error::InvalidConfig { value, expected, .. }
            if value.starts_with(&format!("{named}://")) && expected.contains("`start`"))
        };
        assert!(refused.as_ref().is_some_and(is_named), "{listeners}: {refused:?}");
    }
    let server = bind("OUTSIDE://127.0.0.1:1", "OUTSIDE:PLAINTEXT,PLAINTEXT:PLAINTEXT").await.unwrap();
    told(&Connection::connect(server.local_addr().unwrap()).await.unwrap()).await;
}

#[tokio::test]
async fn a_listener_without_a_host_takes_clients_of_both_kinds() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        // This machine has one kind.
        return;
    }
    let server = serve(config(&[("listeners", "PLAINTEXT://:0"), ("max.connections.per.ip", "1")])).await;
    let port = server.local_addr().unwrap().port();
    let over_ipv4 = Connection::connect((Ipv4Addr::LOCALHOST, port).into()).await.unwrap();
    let over_ipv6 = Connection::connect((Ipv6Addr::LOCALHOST, port).into()).await.unwrap();
    assert_eq!(told(&over_ipv4).await, ("127.0.0.1".to_owned(), port.into()), "as its clients write it");
    assert_eq!(told(&over_ipv6).await, ("::1".to_owned(), port.into()));
    assert_eq!(told(&server.connect()).await, ("localhost".to_owned(), port.into()), "who has come to none");
    assert_eq!(server.bootstrap_servers(), format!("localhost:{port}"));
    let second = Connection::connect((Ipv4Addr::LOCALHOST, port).into()).await.unwrap();
    let refused = second.send(&MetadataRequest::default(), 12).await;
    assert!(matches!(refused, Err(ConnectionError::Closed | ConnectionError::Io(_))), "{refused:?}");
}
