//! TLS: who trusts whom, and what comes of those that don't speak it.

use esker::net::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::version;

use super::secured::{Authority, BOTH_VERSIONS, Client, Files, config, refused, serve, text, tls_client, tls_connect};
use super::{batch, fetch_request, fetched, produce_request, produced, values};

const ANYWHERE: (&str, &str) = ("listeners", "SSL://127.0.0.1:0");

/// A server whose certificate is from `authority`.
async fn serve_tls(authority: &Authority, more: &[(&str, &str)]) -> (esker::Store, esker::server::Server, Files) {
    let files = Files::new();
    let keystore = files.write("server.pem", &authority.issue("server").pem());
    let mut pairs = vec![ANYWHERE, ("ssl.keystore.location", text(&keystore))];
    pairs.extend(more);
    let (store, server) = serve(config(&pairs)).await;
    (store, server, files)
}

#[tokio::test]
async fn records_go_there_and_back_over_each_version() {
    let authority = Authority::new();
    let (_store, server, _files) = serve_tls(&authority, &[]).await;
    let large = "x".repeat(300_000);
    for (offset, version) in BOTH_VERSIONS.into_iter().enumerate() {
        let stream = tls_connect(&server, tls_client(&authority, None, &[version])).await.unwrap();
        let mut client = Client::over(stream);
        let appended = produced(client.call(&produce_request(-1, 0, batch(&[&large])), 9).await.unwrap());
        assert_eq!(appended.base_offset, offset as i64);
        let read = fetched(client.call(&fetch_request(0, offset as i64), 11).await.unwrap());
        assert_eq!(values(&read), [(offset as i64, large.clone())]);
    }
    server.shutdown().await;
}

#[tokio::test]
async fn only_the_versions_that_are_enabled_are_spoken() {
    let authority = Authority::new();
    let (_store, server, _files) = serve_tls(&authority, &[("ssl.enabled.protocols", "TLSv1.3")]).await;
    assert!(tls_connect(&server, tls_client(&authority, None, &[&version::TLS12])).await.is_err());
    assert!(tls_connect(&server, tls_client(&authority, None, &[&version::TLS13])).await.is_ok());
}

#[tokio::test]
async fn whoever_does_not_trust_the_server_or_speaks_no_tls_stops_nobody() {
    let authority = Authority::new();
    let (_store, server, _files) = serve_tls(&authority, &[]).await;
    let stream = tls_connect(&server, tls_client(&authority, None, &BOTH_VERSIONS)).await.unwrap();
    let mut good = Client::over(stream);
    assert!(tls_connect(&server, tls_client(&Authority::new(), None, &BOTH_VERSIONS)).await.is_err());
    assert!(!Client::connect(&server).await.is_served().await, "a request that is no TLS");
    let mut garbage = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    garbage.write_all(&[22; 100]).await.unwrap();
    let _ = garbage.read_to_end(&mut Vec::new()).await;
    // These begin and go no further: nothing, and the half of a hello.
    let mut silent = Vec::new();
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut stream = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
        stream.write_all(begun).await.unwrap();
        silent.push(stream);
    }
    assert!(good.is_served().await);
    // Nor do they keep the server from stopping.
    server.shutdown().await;
    for mut stream in silent {
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    }
}

/// As programs do that just end, and so those on the command line.
#[cfg(feature = "prometheus")]
#[tokio::test]
async fn a_connection_has_not_failed_that_takes_no_leave_of_tls() {
    use super::metrics::{scrape, until, value};
    let (authority, files) = (Authority::new(), Files::new());
    let keystore = files.write("server.pem", &authority.issue("server").pem());
    let config = config(&[ANYWHERE, ("ssl.keystore.location", text(&keystore))]);
    let builder = esker::server::Server::builder(esker::Store::temporary().unwrap()).config(config);
    let server = builder.metrics_listener("0").start().await.unwrap();
    let mut client = Client::over(tls_connect(&server, tls_client(&authority, None, &BOTH_VERSIONS)).await.unwrap());
    assert!(client.is_served().await);
    drop(client);
    until(&server, "esker_connections", 0.0).await;
    let scraped = scrape(&server).await;
    assert_eq!(value(&scraped, "esker_connections_opened_total", &[]), 1.0, "{scraped}");
    assert_eq!(value(&scraped, "esker_connections_failed_total", &[]), 0.0);
}

#[tokio::test]
async fn who_begins_a_handshake_and_does_nothing_more_is_let_go() {
    let (_store, server, _files) = serve_tls(&Authority::new(), &[("connections.max.idle.ms", "1")]).await;
    let mut stream = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00").await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "the server ends it");
}

#[tokio::test]
async fn clients_show_certificates_where_they_have_to() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (alice, stranger) = (clients.issue("alice"), strangers.issue("alice"));
    for (auth, without, with_a_strangers) in
        [("required", false, false), ("requested", true, false), ("none", true, true)]
    {
        let trusted = clients.pem();
        let more = [("ssl.client.auth", auth), ("ssl.truststore.certificates", &*trusted)];
        let (_store, server, _files) = serve_tls(&servers, &more).await;
        for (identity, is_let_in) in [(Some(&alice), true), (None, without), (Some(&stranger), with_a_strangers)] {
            for version in BOTH_VERSIONS {
                // In TLS 1.3 the client is done before the server has looked at its certificate.
                let served = match tls_connect(&server, tls_client(&servers, identity, &[version])).await {
                    Ok(stream) => Client::over(stream).is_served().await,
                    Err(_) => false,
                };
                assert_eq!(served, is_let_in, "{auth} {version:?}");
            }
        }
    }
}

#[tokio::test]
async fn certificates_that_are_replaced_are_those_that_count() {
    let (old, new, clients) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::new();
    let truststore = files.write("clients.pem", &old.pem());
    let more = [("ssl.client.auth", "required"), ("ssl.truststore.location", text(&truststore))];
    let (_store, server, keystores) = serve_tls(&old, &more).await;
    let (before, after) = (old.issue("alice"), clients.issue("alice"));
    let is_served = async |trusts: &Authority, identity| match tls_connect(
        &server,
        tls_client(trusts, Some(identity), &BOTH_VERSIONS),
    )
    .await
    {
        Ok(stream) => Client::over(stream).is_served().await,
        Err(_) => false,
    };
    assert!(is_served(&old, &before).await);
    let mut connected =
        Client::over(tls_connect(&server, tls_client(&old, Some(&before), &BOTH_VERSIONS)).await.unwrap());
    // Of a half, and of none, nothing can be made.
    keystores.write("server.pem", "-----BEGIN CERT");
    assert!(is_served(&old, &before).await);
    keystores.write("server.pem", &new.issue("server").pem());
    assert!(is_served(&new, &before).await);
    assert!(!is_served(&old, &before).await);
    files.write("clients.pem", &clients.pem());
    assert!(is_served(&new, &after).await);
    assert!(!is_served(&new, &before).await);
    assert!(connected.is_served().await, "who is in stays");
}

#[cfg(unix)]
#[tokio::test]
async fn who_looks_at_slow_files_keeps_no_others_waiting() {
    let authority = Authority::new();
    let (_store, server, files) = serve_tls(&authority, &[]).await;
    let good = files.write("good.pem", &authority.issue("server").pem());
    let [keystore, slow] = ["server.pem", "slow.pem"].map(|name| good.with_file_name(name));
    assert!(std::process::Command::new("mkfifo").arg(&slow).status().unwrap().success());
    std::fs::remove_file(&keystore).unwrap();
    std::fs::hard_link(&slow, &keystore).unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let disk = tokio::task::spawn_blocking(move || {
        // Who reads the file waits for as long as this is open, which can't be before.
        let _writing = std::fs::OpenOptions::new().write(true).open(slow).unwrap();
        let _ = released.recv();
        std::fs::rename(good, keystore).unwrap();
    });
    let connect = || Box::pin(tls_connect(&server, tls_client(&authority, None, &BOTH_VERSIONS)));
    let (mut first, mut second) = (connect(), connect());
    let (served, other) = tokio::select! {
        served = &mut first => (served, second),
        served = &mut second => (served, first),
    };
    assert!(Client::over(served.unwrap()).is_served().await);
    release.send(()).unwrap();
    disk.await.unwrap();
    assert!(Client::over(other.await.unwrap()).is_served().await);
}

#[tokio::test]
async fn each_listener_has_its_own_security() {
    let authority = Authority::new();
    let server_identity = authority.issue("server");
    // On one line, as Kafka's configs may have it.
    let [key, chain] = [&server_identity.key, &server_identity.certificate].map(|pem| pem.replace('\n', " "));
    let config = config(&[
        ("listeners", "OUTSIDE://127.0.0.1:0,INSIDE://127.0.0.1:0"),
        ("listener.security.protocol.map", "OUTSIDE:SSL,INSIDE:PLAINTEXT"),
        ("listener.name.outside.ssl.keystore.key", &key),
        ("listener.name.outside.ssl.keystore.certificate.chain", &chain),
    ]);
    assert!(!format!("{config:?}").contains("PRIVATE"), "nobody is told the key");
    let (_store, server) = serve(config).await;
    let stream = tls_connect(&server, tls_client(&authority, None, &BOTH_VERSIONS)).await.unwrap();
    assert!(Client::over(stream).is_served().await);
    let inside = Connection::connect(server.local_addrs()[1]).await.unwrap();
    assert!(inside.send(&esker::net::messages::MetadataRequest::default(), 12).await.is_ok());
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_named() {
    let (authority, files) = (Authority::new(), Files::new());
    let (one, other) = (authority.issue("one"), authority.issue("other"));
    let good = files.write("good.pem", &one.pem());
    let mixed = files.write("mixed.pem", &format!("{}{}", one.key, other.certificate));
    let no_key = files.write("no-key.pem", &one.certificate);
    let java = files.write("server.jks", "\u{fe}\u{ed}");
    let (good, mixed, no_key, java) = (text(&good), text(&mixed), text(&no_key), text(&java));
    let location = "ssl.keystore.location";
    for (pairs, says) in [
        (vec![ANYWHERE], location),
        (vec![ANYWHERE, (location, "/nowhere.pem")], "/nowhere.pem"),
        (vec![ANYWHERE, (location, java)], "PEM"),
        (vec![ANYWHERE, (location, no_key)], "private key"),
        (vec![ANYWHERE, (location, mixed)], location),
        (vec![ANYWHERE, (location, good), ("ssl.client.auth", "required")], "ssl.truststore.location"),
        (vec![("listeners", "ELSEWHERE://127.0.0.1:0"), (location, good)], "listener.security.protocol.map"),
    ] {
        let error = refused(config(&pairs)).await;
        assert!(error.contains(says), "{error}");
    }
}
