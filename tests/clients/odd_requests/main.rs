//! Requests that no client has a reason to send, put to a server of esker and to Apache Kafka: both answer with the
//! same error codes, or both close the connection. Prints each area and what came of it, as the other programs do.
//!
//! Left out is what Kafka calls an unknown error of the server, or does not answer at all.

mod configs;
mod groups;
mod records;
mod topics;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use esker::net::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use esker::net::messages::{ListOffsetsRequest, Request};
use esker::net::{Connection, ConnectionError};
use tokio::time::{sleep, timeout};

type Anything = Box<dyn std::error::Error + Send + Sync>;

/// What a broker answers while its coordinators are about to begin.
const NOT_YET: [&str; 4] =
    ["COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR", "LEADER_NOT_AVAILABLE"];
/// How often it is asked again, five times a second.
const TRIES: usize = 300;

#[tokio::main]
async fn main() -> Result<(), Anything> {
    let addresses: Vec<SocketAddr> =
        std::env::args().skip(1).map(|address| address.parse()).collect::<Result<_, _>>()?;
    let [esker, kafka] = addresses[..] else { return Err("the addresses of esker and of Kafka are wanted".into()) };
    let mut brokers = Brokers { esker, kafka, differences: Vec::new() };
    topics::compare(&mut brokers).await?;
    brokers.tell("topics");
    configs::compare(&mut brokers).await?;
    brokers.tell("configs");
    records::compare(&mut brokers).await?;
    brokers.tell("records");
    groups::compare(&mut brokers).await?;
    brokers.tell("groups");
    Ok(())
}

/// Both, and how they have differed.
struct Brokers {
    esker: SocketAddr,
    kafka: SocketAddr,
    differences: Vec<String>,
}

impl Brokers {
    /// Sends both the same request, in each of these versions.
    async fn ask<R: Request>(&mut self, what: &str, request: &R, versions: &[i16]) -> Result<(), Anything> {
        for version in versions {
            let kafka = answer(self.kafka, request, *version).await?;
            let esker = answer(self.esker, request, *version).await?;
            if esker != kafka {
                let api = R::API_KEY;
                self.differences.push(format!("{api} {version}, {what}: {esker:?} and not {kafka:?}"));
            }
        }
        Ok(())
    }

    /// Waits until Kafka leads the two partitions of a topic that was just created.
    async fn wait_for_topic(&self, topic: &str) -> Result<(), Anything> {
        let latest = |partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() };
        let topics = vec![ListOffsetsTopic { name: topic.to_owned(), partitions: vec![latest(0), latest(1)] }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
        for _ in 0..TRIES {
            if answer(self.kafka, &request, 7).await? == ["NONE"; 2] {
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        Err(format!("nobody leads {topic}").into())
    }

    fn tell(&mut self, area: &str) {
        let differences = std::mem::take(&mut self.differences);
        println!("{area}\t{}", if differences.is_empty() { "ok".to_owned() } else { differences.join("; ") });
    }
}

/// The error codes of an answer, in no order.
async fn answer<R: Request>(address: SocketAddr, request: &R, version: i16) -> Result<Vec<String>, Anything> {
    for _ in 0..TRIES {
        // Some are answered by the end of the connection.
        let connection = Connection::connect(address).await?;
        let codes = match timeout(Duration::from_secs(60), connection.send(request, version)).await? {
            Ok(response) => error_codes(&response),
            Err(ConnectionError::Closed | ConnectionError::Io(_)) => vec!["closed".to_owned()],
            Err(error) => return Err(error.into()),
        };
        if !codes.iter().any(|code| NOT_YET.contains(&&**code)) {
            return Ok(codes);
        }
        sleep(Duration::from_millis(200)).await;
    }
    Err(format!("{address} has no coordinator yet").into())
}

/// What a response says, whatever it is of: each code is printed behind its name.
fn error_codes(response: &impl Debug) -> Vec<String> {
    let printed = format!("{response:?}");
    let behind = printed.split("error_code: ").skip(1);
    let mut codes: Vec<_> = behind.filter_map(|rest| rest.split([',', ' ']).next()).map(str::to_owned).collect();
    codes.sort_unstable();
    codes
}
