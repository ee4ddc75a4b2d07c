//! Kafka's wire protocol: frames, headers, and the requests and responses of every API that is spoken here.
//!
//! ```text
//! request frame    size i32 | key i16  version i16  correlation id i32  client id | body
//! response frame   size i32 | correlation id i32                                  | body
//! ```
//!
//! What is sent over which connection is for others to say: there is no broker here, and no log. A [`Connection`] sends
//! requests and hands out their responses, and a [`Connector`] makes it, with TLS and a login where brokers ask for
//! them; the rest is bytes alone. [`messages`] declares each message once, field by field with the versions that have
//! it, and [`codec`] turns that into both directions. The declarations are those of Kafka 4.3, names included. Record
//! batches inside are raw [`Bytes`](bytes::Bytes), which neither direction copies once they are large;
//! [`record`](crate::record) reads them.
//!
//! Bytes from a peer are not trusted. Whatever they say, reading them never panics, and takes memory in proportion to
//! how many they really are: no length or count on the wire makes room for anything. What is wrong is a
//! [`ProtocolError`].
//!
//! ```
//! use esker::net::messages::{MetadataRequest, metadata::MetadataRequestTopic, request_frame};
//! use esker::net::{ApiKey, FrameBuffer, RequestHeader, messages::Body};
//!
//! # fn main() -> Result<(), esker::net::ProtocolError> {
//! let topic = MetadataRequestTopic { name: Some("payments".into()), ..Default::default() };
//! let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
//! let header = RequestHeader { api_key: ApiKey::Metadata, api_version: 12, correlation_id: 7, client_id: None };
//! let sent = request_frame(&header, &request)?;
//!
//! let mut buffer = FrameBuffer::new(1024 * 1024);
//! sent.chunks().iter().for_each(|chunk| buffer.extend(chunk));
//! let mut frame = buffer.next_frame()?.expect("all of it is there");
//! assert_eq!(RequestHeader::decode(&mut frame)?, header);
//! assert_eq!(MetadataRequest::from_bytes(frame, header.api_version)?, request);
//! # Ok(())
//! # }
//! ```
//!
//! This module follows Kafka's protocol, which grows with each release: new versions bring new fields, so construct
//! messages with `..Default::default()`.

pub mod api;
pub mod client;
#[macro_use]
pub mod codec;
pub mod error_code;
pub mod frame;
pub mod header;
pub mod messages;
pub mod protocol_error;
pub(crate) mod security;
pub(crate) mod transport;

pub use crate::config::{
    ClientConfig, ConfigResourceType, EndpointIdentification, Password, SaslMechanism, SecurityProtocol, StoreType,
    TlsVersion,
};
pub use api::ApiKey;
pub use client::Connection;
pub use error_code::ErrorCode;
pub use frame::FrameBuffer;
pub use header::{RequestHeader, ResponseHeader};
pub use protocol_error::ProtocolError;
pub use security::Connector;
pub use transport::ConnectionError;
