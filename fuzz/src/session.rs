//! What a client does, as bytes: the seeds are written so, and the target reads it.

use esker::Uuid;
use esker::net::messages::produce::{PartitionProduceData, TopicProduceData};
use esker::net::messages::{Body, ProduceRequest, request_frame};
use esker::net::{ApiKey, RequestHeader};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::produced_batch;

/// The transactional id whose producer the batches are of, and the first id that a store gives to a producer.
pub const TRANSACTIONAL_ID: &str = "transactional";
pub const PRODUCER_ID: i64 = 1 << 32;

/// The bit of a batch's attributes that says that it is of a transaction; and one without a meaning there, by which
/// it is of no producer.
pub const TRANSACTIONAL: u8 = 1 << 4;
pub const ALONE: u8 = 1 << 7;

/// One thing that a client sends, or does.
#[derive(Debug)]
pub enum Step<'a> {
    /// Bytes as they are.
    Bytes(&'a [u8]),
    /// A frame of the right size, with anything in it.
    Frame(&'a [u8]),
    /// A frame whose header is right.
    Request(ApiKey, i16, &'a [u8]),
    /// A batch whose header is right, for a partition that exists; it may be of a transaction.
    Produce { version: i16, acks: i16, is_transactional: bool, batch: bytes::Bytes },
    /// It goes on over another connection.
    Reconnect,
}

impl<'a> Step<'a> {
    /// Takes the next one off `data`.
    pub fn take(data: &mut &'a [u8]) -> Option<Self> {
        let kind = byte(data)?;
        Some(match kind % 8 {
            0 => Self::Bytes(sized(data)?),
            1 => Self::Frame(sized(data)?),
            2 => Self::Reconnect,
            3 => {
                let [version, acks, attributes, count] = [byte(data)?, byte(data)?, byte(data)?, byte(data)?];
                let (attributes, producer_id) =
                    (attributes & !ALONE, if attributes & ALONE == 0 { PRODUCER_ID } else { -1 });
                let batch = produced_batch(attributes, count, producer_id, sized(data)?);
                let (version, acks) = (3 + i16::from(version % 11), i16::from(acks % 3) - 1);
                Self::Produce { version, acks, is_transactional: attributes & TRANSACTIONAL != 0, batch }
            }
            _ => {
                let key = byte(data)?;
                let any = || ApiKey::ALL[usize::from(key) % ApiKey::ALL.len()];
                let api = ApiKey::from_key(key.into()).unwrap_or_else(any);
                let (first, last) = api.versions().into_inner();
                let version = first + i16::from(byte(data)?) % (last - first + 1);
                Self::Request(api, version, sized(data)?)
            }
        })
    }

    /// A request as [`take`](Self::take) reads it.
    pub fn request(api: ApiKey, version: i16, body: &[u8]) -> Vec<u8> {
        let size = (body.len() as u16).to_be_bytes();
        [&[4, api.key() as u8, (version - api.versions().start()) as u8], &size[..], body].concat()
    }

    /// A request of this body.
    pub fn of(body: &impl Body, version: i16) -> Vec<u8> {
        let bytes = body.to_bytes(version).expect("it can be written").to_bytes();
        Self::request(key_of(body), version, &bytes)
    }

    /// What goes over the connection, where the partition that exists is of the topic with `topic_id`.
    pub fn to_bytes(&self, correlation_id: i32, topic_id: Uuid) -> Vec<u8> {
        let sized = |parts: &[&[u8]]| {
            let frame = parts.concat();
            [&(frame.len() as u32).to_be_bytes(), &*frame].concat()
        };
        match self {
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Frame(bytes) => sized(&[bytes]),
            Self::Request(api, version, body) => {
                let header = [api.key().to_be_bytes(), version.to_be_bytes()].concat();
                let no_client_id = [0xff, 0xff];
                let no_tags: &[u8] = if api.request_header_version(*version) >= 2 { &[0] } else { &[] };
                sized(&[&header, &correlation_id.to_be_bytes(), &no_client_id, no_tags, body])
            }
            Self::Produce { version, acks, is_transactional, batch } => {
                let partition_data = vec![PartitionProduceData { index: 0, records: Some(batch.clone()) }];
                // Before version 13 the name counts, and from then on the id.
                let topic_data = vec![TopicProduceData { name: "t".into(), topic_id, partition_data }];
                let transactional_id = is_transactional.then(|| TRANSACTIONAL_ID.to_owned());
                let request = ProduceRequest { transactional_id, acks: *acks, topic_data, ..Default::default() };
                let (api_key, api_version) = (ApiKey::Produce, *version);
                let header = RequestHeader { api_key, api_version, correlation_id, client_id: None };
                request_frame(&header, &request).expect("it can be written").to_bytes().to_vec()
            }
            Self::Reconnect => Vec::new(),
        }
    }
}

/// Sends all of it over one connection, and reads what is answered until the server closes.
pub async fn exchange(stream: DuplexStream, sent: &[u8]) -> Vec<u8> {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let write = async {
        // It may be closed meanwhile.
        let _ = writing.write_all(sent).await;
        let _ = writing.shutdown().await;
    };
    let mut answers = Vec::new();
    let (_, read) = tokio::join!(write, reading.read_to_end(&mut answers));
    read.expect("a pipe does not fail");
    answers
}

fn key_of<B: Body>(_: &B) -> ApiKey {
    B::API_KEY
}

pub(crate) fn byte(data: &mut &[u8]) -> Option<u8> {
    let (first, rest) = data.split_first()?;
    *data = rest;
    Some(*first)
}

/// Two bytes of a size, and as many bytes, or what there is.
pub(crate) fn sized<'a>(data: &mut &'a [u8]) -> Option<&'a [u8]> {
    let size = u16::from_be_bytes([byte(data)?, byte(data)?]);
    let (taken, rest) = data.split_at(data.len().min(size.into()));
    *data = rest;
    Some(taken)
}
