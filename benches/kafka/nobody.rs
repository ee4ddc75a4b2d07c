//! A broker with nothing behind its socket: it takes what is produced, keeps nothing of it, and says at once that it has
//! it. What a client gets done with that is all that the client and the way there can do.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use bytes::Bytes;
use esker::net::messages::create_topics::CreatableTopicResult;
use esker::net::messages::produce::{PartitionProduceResponse, TopicProduceResponse};
use esker::net::messages::{CreateTopicsResponse, ProduceResponse, response_frame};
use esker::net::{ApiKey, RequestHeader};

/// Listens for as long as the process lives.
pub fn listen() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    address
}

/// Answers until the client leaves.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut frame = Vec::new();
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
            other => panic!("nobody asks for {other:?} here"),
        };
        for chunk in response.unwrap().chunks() {
            stream.write_all(chunk)?;
        }
    }
}
