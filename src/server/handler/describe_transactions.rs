//! DescribeTransactions: what is known of transactional ids.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::net::ErrorCode;
use crate::net::messages::describe_transactions::{TopicData, TransactionState};
use crate::net::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};
use crate::server::broker::Broker;
use crate::server::coordinator_error;
use crate::store::TransactionDescription;

/// How many partitions are told again of transactions that are named again. An honest client has no reason to, and a
/// short request could otherwise ask for a long answer as often as it has bytes.
const REPEATED_PARTITIONS_MAX: usize = 2000;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: DescribeTransactionsRequest,
    _: i16,
) -> DescribeTransactionsResponse {
    let (mut named, mut repeated) = (HashSet::new(), 0);
    let ids = request.transactional_ids.iter().map(String::as_str).collect();
    let known = broker.store.describe_known_transactions(&ids);
    let known = known.as_ref().map_err(coordinator_error::of).map(|known| {
        known.iter().map(|transaction| (&*transaction.transactional_id, transaction)).collect::<HashMap<_, _>>()
    });
    let states = request.transactional_ids.iter().map(|id| {
        let found = match &known {
            _ if id.is_empty() => Err(ErrorCode::INVALID_REQUEST),
            Ok(known) => known.get(&**id).ok_or(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND),
            Err(error_code) => Err(*error_code),
        };
        let found = found.and_then(|transaction| {
            if named.insert(&**id) {
                return Ok(transaction);
            }
            repeated += transaction.partitions.len().max(1);
            (repeated <= REPEATED_PARTITIONS_MAX).then_some(transaction).ok_or(ErrorCode::INVALID_REQUEST)
        });
        match found {
            Ok(transaction) => describe(transaction),
            Err(error_code) => TransactionState { error_code, transactional_id: id.clone(), ..Default::default() },
        }
    });
    DescribeTransactionsResponse { transaction_states: states.collect(), ..Default::default() }
}

fn describe(transaction: &TransactionDescription) -> TransactionState {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in &transaction.partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    let topic = |(topic, partitions): (&str, Vec<i32>)| TopicData { topic: topic.to_owned(), partitions };
    TransactionState {
        error_code: ErrorCode::NONE,
        transactional_id: transaction.transactional_id.clone(),
        transaction_state: transaction.state.name().to_owned(),
        transaction_timeout_ms: i32::try_from(transaction.timeout.as_millis()).unwrap_or(i32::MAX),
        transaction_start_time_ms: transaction.start_timestamp.unwrap_or(-1),
        producer_id: transaction.producer.producer_id,
        producer_epoch: transaction.producer.producer_epoch,
        topics: topics.into_iter().map(topic).collect(),
    }
}
