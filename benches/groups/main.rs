//! What groups cost: to rebalance 3, 100 and 1,000 members by either protocol, to commit, and to send heartbeats.
//!
//! ```sh
//! cargo bench --bench groups --features net                      # in process, and a server in this process
//! cargo bench --bench groups --features net -- 127.0.0.1:9092    # whatever broker is there, over the wire alone
//! ```
//!
//! `benches/kafka/run --groups` has it measure the example server and Apache Kafka. The members are only what the
//! protocol asks for: they join, assign and send heartbeats as fast as they are answered, so that what is measured is
//! the broker's part, without the intervals at which clients send heartbeats in earnest. What Kafka waits for it waits
//! for here too: since 4.3 it assigns partitions by the newer protocol once a second at most
//! (`group.consumer.assignment.interval.ms`). Our server answers a commit when it is on the device, and Kafka when it
//! is in the page cache.

#![expect(clippy::unwrap_used, reason = "a bench that can't run ends with a panic")]

mod classic;
mod commits;
mod consumer;
mod in_process;
mod wire;

use std::net::SocketAddr;

use esker::Store;
use esker::server::Server;
use wire::Broker;

const SIZES: [usize; 3] = [3, 100, 1000];

#[tokio::main]
async fn main() {
    let address = std::env::args().skip(1).find_map(|argument| argument.parse::<SocketAddr>().ok());
    if let Some(address) = address {
        return over_the_wire(&Broker(address)).await;
    }
    tokio::task::spawn_blocking(in_process::run).await.unwrap();
    let server = Server::builder(Store::temporary().unwrap()).bind("127.0.0.1:0").await.unwrap();
    over_the_wire(&Broker(server.local_addr().unwrap())).await;
    server.shutdown().await;
}

async fn over_the_wire(broker: &Broker) {
    broker.become_ready().await;
    for size in SIZES {
        classic::run(broker, size).await;
    }
    for size in SIZES {
        consumer::run(broker, size).await;
    }
    commits::run(broker).await;
}

/// A line that `benches/kafka/compare.py` reads too.
fn line(figure: &str, value: f64, unit: &str) {
    println!("{figure:<60} {value:>14.2} {unit}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
