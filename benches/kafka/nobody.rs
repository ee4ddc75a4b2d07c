//! A broker with nothing behind its socket: it takes what is produced, keeps nothing of it, and says at once that it has
//! it; who fetches is given the same batches over and over, as if they were others. What a client gets done with that is
//! all that the client and the way there can do.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use bytes::{Bytes, BytesMut};
use esker::net::messages::create_topics::CreatableTopicResult;
use esker::net::messages::fetch::{FetchableTopicResponse, PartitionData};
use esker::net::messages::produce::{PartitionProduceResponse, TopicProduceResponse};
use esker::net::messages::{CreateTopicsResponse, FetchResponse, ProduceResponse, response_frame};
use esker::net::{ApiKey, RequestHeader};

use crate::{Batch, FETCH_BYTES};

/// Listens for as long as the process lives. Each connection may fetch such a batch `count` times.
pub fn listen(batch: &Batch, count: usize) -> SocketAddr {
    let end_offset = (batch.records * count) as i64;
    let fetched = Fetched { batch: batch.clone(), next_offset: 0, end_offset };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let fetched = fetched.clone();
            thread::spawn(move || serve(stream.unwrap(), fetched));
        }
    });
    address
}

/// What a connection fetches.
#[derive(Clone)]
struct Fetched {
    batch: Batch,
    next_offset: i64,
    end_offset: i64,
}

impl Fetched {
    /// Makes `batches` those that come next.
    fn go_on(&mut self, batches: &mut [u8]) {
        for batch in batches.chunks_exact_mut(self.batch.bytes.len()) {
            batch[..8].copy_from_slice(&self.next_offset.to_be_bytes());
            self.next_offset += self.batch.records as i64;
        }
    }
}

/// Answers until the client leaves.
fn serve(mut stream: TcpStream, mut fetched: Fetched) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut frame = Vec::new();
    let batches = &fetched.batch.bytes;
    let mut batches = Bytes::from(batches.repeat(FETCH_BYTES / batches.len()));
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        frame.resize(u32::from_be_bytes(size) as usize, 0);
        stream.read_exact(&mut frame)?;
        let header = RequestHeader::decode(&mut Bytes::copy_from_slice(&frame[..frame.len().min(256)])).unwrap();
        let response = match header.api_key {
            ApiKey::CreateTopics => {
                let topics = vec![CreatableTopicResult::default()];
                response_frame(&header, &CreateTopicsResponse { topics, ..Default::default() })
            }
            ApiKey::Produce => {
                let partition_responses = vec![PartitionProduceResponse::default()];
                let responses = vec![TopicProduceResponse { partition_responses, ..Default::default() }];
                response_frame(&header, &ProduceResponse { responses, ..Default::default() })
            }
            ApiKey::Fetch => {
                let mut next: BytesMut = batches.into();
                fetched.go_on(&mut next);
                batches = next.freeze();
                let high_watermark = fetched.end_offset;
                let records = Some(batches.clone().into());
                let partitions = vec![PartitionData { high_watermark, records, ..Default::default() }];
                let responses = vec![FetchableTopicResponse { partitions, ..Default::default() }];
                response_frame(&header, &FetchResponse { responses, ..Default::default() })
            }
            other => panic!("nobody asks for {other:?} here"),
        };
        for chunk in response.unwrap().chunks() {
            stream.write_all(chunk)?;
        }
    }
}
