//! DescribeTransactions: what is known of transactional ids.

use std::collections::{BTreeMap, HashMap};

use crate::net::ErrorCode;
use crate::net::messages::describe_transactions::{TopicData, TransactionState};
use crate::net::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};
use crate::server::broker::Broker;
use crate::server::duplicates::duplicates;
use crate::store::{TransactionDescription, TransactionFilter};

pub(in crate::server) fn answer(
    broker: &Broker,
    request: DescribeTransactionsRequest,
    _: i16,
) -> DescribeTransactionsResponse {
    let twice = duplicates(request.transactional_ids.iter().map(|id| &**id));
    let known = broker.store.transactions(&TransactionFilter::new());
    let known = known.as_ref().map_err(ErrorCode::from).map(|known| {
        known.iter().map(|transaction| (&*transaction.transactional_id, transaction)).collect::<HashMap<_, _>>()
    });
    let states = request.transactional_ids.iter().map(|id| {
        let found = match &known {
            _ if id.is_empty() || twice.contains(&**id) => Err(ErrorCode::INVALID_REQUEST),
            Ok(known) => known.get(&**id).ok_or(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND),
            Err(error_code) => Err(*error_code),
        };
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
