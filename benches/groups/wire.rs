//! A broker on the other side of connections.

use std::net::SocketAddr;
use std::time::Duration;

use esker::net::messages::create_topics::CreatableTopic;
use esker::net::messages::{CreateTopicsRequest, FindCoordinatorRequest};
use esker::net::{Connection, ErrorCode};

#[derive(Clone, Copy)]
pub struct Broker(pub SocketAddr);

impl Broker {
    pub async fn connect(self) -> Connection {
        Connection::connect(self.0).await.unwrap().client_id("bench")
    }

    /// Returns whether it was not there yet.
    pub async fn create_topic(self, name: &str, partitions: usize) -> bool {
        let name = name.to_owned();
        let num_partitions = partitions as i32;
        let topic = CreatableTopic { name, num_partitions, replication_factor: 1, ..Default::default() };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..Default::default() };
        let created = self.connect().await.send(&request, 5).await.unwrap();
        let error_code = created.topics[0].error_code;
        assert!([ErrorCode::NONE, ErrorCode::TOPIC_ALREADY_EXISTS].contains(&error_code), "{error_code:?}");
        error_code == ErrorCode::NONE
    }

    /// Waits until it coordinates groups.
    pub async fn become_ready(self) {
        let connection = self.connect().await;
        let request = FindCoordinatorRequest { coordinator_keys: vec!["any".into()], ..Default::default() };
        while connection.send(&request, 4).await.unwrap().coordinators[0].error_code != ErrorCode::NONE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Whether it is to be asked again in a moment: it has only begun to look after the group.
pub fn is_not_ready(error: ErrorCode) -> bool {
    [ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::COORDINATOR_NOT_AVAILABLE, ErrorCode::NOT_COORDINATOR]
        .contains(&error)
}
