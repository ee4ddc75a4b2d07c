//! Who is let in: any bytes before, between and behind the messages of a login.
//!
//! The first byte says who it is that sends them: a client that is no client, a server that is no server, or somebody
//! between the two, who changes what they say to each other. Nobody gets in who doesn't know the password, nobody is
//! taken for a server who doesn't know it, and client and server never come to an end with another understanding of
//! what was said. Nothing panics, and the next client is let in.
#![no_main]

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use esker::io::MemoryStorage;
use esker::net::messages::{Body, MetadataRequest, SaslAuthenticateRequest, SaslAuthenticateResponse};
use esker::net::{ApiKey, ClientConfig, ConnectionError, Connector, FrameBuffer, RequestHeader, ResponseHeader};
use esker::server::{ScramCredential, ScramMechanism, Server, ServerConfig};
use esker::{Maintenance, Store, Uuid};
use esker_fuzz::edit::Edit;
use esker_fuzz::session::{Step, exchange};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};

const FRAME_BYTES_MAX: usize = 1 << 20;
const LISTENER: &str = "SASL_PLAINTEXT";
const PASSWORD: &str = "pencil";
const MECHANISMS: [&str; 3] = ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"];

thread_local! {
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_all().start_paused(true).max_blocking_threads(4).build().expect("threads");
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    let mechanism = MECHANISMS[usize::from(kind / 3) % 3];
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            match kind % 3 {
                0 => false_client(data).await,
                1 => false_server(mechanism, data).await,
                _ => between(mechanism, data).await,
            }
        });
    });
});

/// Steps of a client, to a server that lets in alice alone.
async fn false_client(mut data: &[u8]) {
    let (store, server) = serve();
    let (mut sent, mut correlation_id) = (Vec::new(), 0);
    let mut knows = false;
    loop {
        let step = Step::take(&mut data);
        if matches!(step, None | Some(Step::Reconnect)) {
            knows |= sent.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
            exchange(listen(&server), &std::mem::take(&mut sent)).await;
        }
        let Some(step) = step else { break };
        correlation_id += 1;
        sent.extend(step.to_bytes(correlation_id, Uuid::ZERO));
    }
    assert!(knows || store.topics().is_empty(), "somebody has made a topic who doesn't know the password");
    finish(store, server).await;
}

/// What a server answers to a client's requests one after the other. None of it is made of the password.
async fn false_server(mechanism: &str, data: &[u8]) {
    let (client, mut served) = duplex(1 << 16);
    let connector = connector(mechanism);
    let answer = async {
        let mut frames = FrameBuffer::new(FRAME_BYTES_MAX);
        let mut edits = Edit::all(data);
        let mut nonce = Vec::new();
        while let Some(mut frame) = next_frame(&mut served, &mut frames).await {
            let header = RequestHeader::decode(&mut frame).expect("a client's request");
            let body = match header.api_key {
                ApiKey::SaslHandshake => Bytes::from_static(b"\0\0\0\0\0\0"),
                _ => {
                    let token =
                        SaslAuthenticateRequest::from_bytes(frame, header.api_version).expect("a token").auth_bytes;
                    if let Some(at) = token.windows(2).position(|window| window == b"r=") {
                        nonce = token[at..].to_vec();
                    }
                    let auth_bytes = [&*nonce, b"more,s=c2FsdA==,i=4096"].concat().into();
                    let response = SaslAuthenticateResponse { auth_bytes, ..Default::default() };
                    response.to_bytes(header.api_version).expect("it can be written").to_bytes()
                }
            };
            let mut answer = [&header.correlation_id.to_be_bytes(), &*body].concat();
            if let Some(edit) = edits.next() {
                edit.apply(&mut answer);
            }
            let size = (answer.len() as u32).to_be_bytes();
            if served.write_all(&[&size, &*answer].concat()).await.is_err() {
                break;
            }
        }
    };
    let (connected, ()) = tokio::join!(connected(&connector, client), answer);
    assert!(connected.is_err() || mechanism == "PLAIN", "it was taken for a server that knows the password");
}

/// A client and a server, and what passes between them, changed.
async fn between(mechanism: &str, data: &[u8]) {
    let (store, server) = serve();
    let (client, at_client) = duplex(1 << 16);
    let connector = connector(mechanism);
    let mut edits = Edit::all(data);
    let (mut said, mut heard) = (Vec::new(), Vec::new());
    let pass = async {
        let (mut at_client, mut at_server) = (at_client, listen(&server));
        let (mut from_client, mut from_server) = (FrameBuffer::new(FRAME_BYTES_MAX), FrameBuffer::new(FRAME_BYTES_MAX));
        // A request and its response, over and over: neither says anything without the other.
        while let Some(request) = next_frame(&mut at_client, &mut from_client).await {
            let changed = edits.next().map_or_else(|| request.clone(), |edit| edit.applied(&request));
            // Which response a body is only the request says: to the server it may be another one.
            let [asked, understood] =
                [request.clone(), changed.clone()].map(|mut frame| RequestHeader::decode(&mut frame));
            said.extend(token(request));
            heard.extend(token(changed.clone()));
            if write_frame(&mut at_server, &changed).await.is_err() {
                break;
            }
            let Some(response) = next_frame(&mut at_server, &mut from_server).await else { break };
            let changed = edits.next().map_or_else(|| response.clone(), |edit| edit.applied(&response));
            said.extend(understood.ok().and_then(|header| challenge(&header, response)));
            heard.extend(asked.ok().and_then(|header| challenge(&header, changed.clone())));
            if write_frame(&mut at_client, &changed).await.is_err() {
                break;
            }
        }
    };
    let (connected, ()) = tokio::join!(connected(&connector, client), pass);
    if connected.is_ok() && mechanism != "PLAIN" {
        // What the server says last may have more behind it, of which nothing is made.
        assert_eq!((said.len(), heard.len()), (4, 4), "two messages of each");
        assert_eq!(said[..3], heard[..3], "they agree on something else than what was said");
    }
    finish(store, server).await;
}

/// What a request says of a login.
fn token(mut request: Bytes) -> Option<Bytes> {
    let header = RequestHeader::decode(&mut request).ok()?;
    let is_one = header.api_key == ApiKey::SaslAuthenticate;
    is_one.then(|| SaslAuthenticateRequest::from_bytes(request, header.api_version).ok())?.map(|token| token.auth_bytes)
}

/// What is said back.
fn challenge(of: &RequestHeader, mut response: Bytes) -> Option<Bytes> {
    ResponseHeader::decode(&mut response, of.api_key, of.api_version).ok()?;
    let is_one = of.api_key == ApiKey::SaslAuthenticate;
    is_one.then(|| SaslAuthenticateResponse::from_bytes(response, of.api_version).ok())?.map(|token| token.auth_bytes)
}

fn serve() -> (Store, Server) {
    static CREDENTIALS: LazyLock<Vec<(ScramMechanism, ScramCredential)>> = LazyLock::new(|| {
        let made = |mechanism: &_| (*mechanism, ScramCredential::new(*mechanism, PASSWORD, 4096).expect("valid"));
        ScramMechanism::ALL.iter().map(made).collect()
    });
    let options = Store::options().storage(Arc::new(MemoryStorage::new())).maintenance(Maintenance::Manual);
    let store = options.open("data").expect("nothing is there");
    for (mechanism, credential) in &*CREDENTIALS {
        store.put_scram_credential("alice", *mechanism, credential.clone()).expect("valid");
    }
    let mut config = ServerConfig {
        socket_request_max_bytes: FRAME_BYTES_MAX,
        queued_max_request_bytes: FRAME_BYTES_MAX,
        connections_max_idle_ms: 10_000,
        ..ServerConfig::default()
    };
    config.set("listeners", "SASL_PLAINTEXT://127.0.0.1:0").expect("valid");
    config.set("sasl.enabled.mechanisms", &MECHANISMS.join(",")).expect("valid");
    let server = Server::builder(store.clone()).config(config).in_memory().expect("valid");
    (store, server)
}

/// A connection to the listener that asks for a login.
fn listen(server: &Server) -> DuplexStream {
    let (client, served) = duplex(1 << 16);
    server.serve_as(LISTENER, served).expect("there is such a listener");
    client
}

fn connector(mechanism: &str) -> Connector {
    let mut config = ClientConfig::default();
    let jaas = format!("ScramLoginModule required username=alice password={PASSWORD};");
    for (key, value) in [("security.protocol", LISTENER), ("sasl.mechanism", mechanism), ("sasl.jaas.config", &jaas)] {
        config.set(key, value).expect("valid");
    }
    Connector::new(&config).expect("valid")
}

/// Whether it can log in. It goes then.
async fn connected(connector: &Connector, stream: DuplexStream) -> Result<(), ConnectionError> {
    connector.connect_over(stream, "localhost").await.map(drop)
}

/// Lets the next client in, as if nothing had been.
async fn finish(store: Store, server: Server) {
    let connection =
        connector(MECHANISMS[0]).connect_over(listen(&server), "localhost").await.expect("the next is let in");
    connection.send(&MetadataRequest::default(), 12).await.expect("and served");
    drop(connection);
    server.shutdown().await;
    store.close().expect("nothing is in its way");
}

async fn next_frame(stream: &mut (impl AsyncRead + Unpin), frames: &mut FrameBuffer) -> Option<Bytes> {
    loop {
        if let Some(frame) = frames.next_frame().ok()? {
            return Some(frame);
        }
        let mut read = [0; 4096];
        match stream.read(&mut read).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => frames.extend(&read[..count]),
        }
    }
}

async fn write_frame(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> std::io::Result<()> {
    stream.write_all(&[&(frame.len() as u32).to_be_bytes(), frame].concat()).await
}
