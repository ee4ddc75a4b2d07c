//! Clients that send what is no request: they lose their own connection, and nothing else happens.

use esker::Store;
use esker::net::ErrorCode;
use esker::net::messages::{ApiVersionsRequest, InitProducerIdRequest, MetadataRequest};
use esker::server::{Server, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{batch, produce, produce_request, serve};

/// Sends bytes and returns what comes back until the server closes the connection.
async fn exchange(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    // It may be closed while this is written.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn garbage_ends_one_connection() {
    let (_store, server) = serve().await;
    let good = server.connect();
    let frames: [&[u8]; 9] = [
        b"",
        b"\0\0",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\0\0\0\0",
        b"\0\0\0\x01\0",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        // Metadata 12 that claims two billion topics.
        b"\0\0\0\x12\0\x03\0\x0c\0\0\0\x01\xff\xff\0\xff\xff\xff\xff\x07\0\0",
        // A whole frame, and half of the next.
        b"\0\0\0\x0a\x7f\x00\0\x00\0\0\0\x01\xff\xff\0\0\0\x10\0",
    ];
    for (offset, frame) in frames.iter().enumerate() {
        assert_eq!(exchange(&server, frame).await, b"", "{frame:?}");
        let appended = produce(&good, 1, 0, batch(&["a"])).await.unwrap();
        assert_eq!(appended.base_offset, offset as i64, "others are served");
    }
    // The same while it stays connected: it is the server that ends it.
    let mut stream = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    stream.write_all(b"\xff\xff\xff\xff").await.unwrap();
    assert_eq!(stream.read(&mut [0; 10]).await.unwrap_or(0), 0);
}

/// A client from the future is told in version 0 which versions there are (KIP-511).
#[tokio::test]
async fn a_version_from_the_future_is_answered_in_version_0() {
    let (_store, server) = serve().await;
    let answer = exchange(&server, b"\0\0\0\x0d\0\x12\0\x63\0\0\0\x07\0\x01c\0\xff").await;
    // Number 7, UNSUPPORTED_VERSION, one API: ApiVersions 0 to 4.
    assert_eq!(answer, b"\0\0\0\x10\0\0\0\x07\0\x23\0\0\0\x01\0\x12\0\0\0\x04");
}

#[tokio::test]
async fn clients_say_what_they_are_in_names_that_can_be_told() {
    let (_store, server) = serve().await;
    let cases = [("librdkafka", "2.0.2", true), ("a", "1", true), ("", "1", false), ("a", "", false)];
    let odd =
        [("-a", "1", false), ("a", "1.", false), ("a b", "1", false), ("ä", "1", false), ("a-b.c", "1-rc.1", true)];
    for (name, software_version, is_fine) in cases.into_iter().chain(odd) {
        let request =
            ApiVersionsRequest { client_software_name: name.into(), client_software_version: software_version.into() };
        for version in 0..=4 {
            let answer = server.connect().send(&request, version).await.unwrap();
            let is_told = is_fine || version < 3;
            assert_eq!(answer.error_code == ErrorCode::NONE, is_told, "{name} {software_version} in version {version}");
            assert_eq!(answer.api_keys.is_empty(), !is_told);
            assert!(is_told || answer.error_code == ErrorCode::INVALID_REQUEST);
        }
    }
}

#[tokio::test]
async fn what_is_not_served_ends_the_connection() {
    let (_store, server) = serve().await;
    assert!(server.connect().send(&InitProducerIdRequest::default(), 6).await.is_err());
    // With acks=0 a closed connection is all that tells the client.
    let connection = server.connect();
    connection.send_without_response(&produce_request(0, 9, batch(&["a"])), 9).await.unwrap();
    assert!(connection.send(&MetadataRequest::default(), 12).await.is_err());
}

#[tokio::test]
async fn a_request_above_the_limit_is_not_read() {
    let store = Store::temporary().unwrap();
    let config = ServerConfig { socket_request_max_bytes: 1000, ..ServerConfig::default() };
    let server = Server::builder(store).config(config).in_memory().unwrap();
    let connection = server.connect();
    connection.send(&MetadataRequest::default(), 12).await.unwrap();
    assert!(produce(&connection, 1, 0, batch(&[&"x".repeat(1000)])).await.is_err());
}

#[tokio::test]
async fn who_reads_no_responses_stops_nobody() {
    let (_store, server) = serve().await;
    let mut deaf = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    let metadata = b"\0\0\0\x0f\0\x03\0\x01\0\0\0\x01\0\x01c\xff\xff\xff\xff";
    // Until neither side takes more.
    let flood = async { while deaf.write_all(&metadata.repeat(100)).await.is_ok() {} };
    let good = server.connect();
    let work = async {
        for offset in 0..100 {
            assert_eq!(produce(&good, 1, 0, batch(&["a"])).await.unwrap().base_offset, offset);
        }
    };
    tokio::select! {
        () = flood => panic!("the connection was closed"),
        () = work => {}
    }
    // Nor does it keep the server from stopping.
    server.shutdown().await;
}
