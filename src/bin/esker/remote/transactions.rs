//! Transactions of a cluster, as far as coordinators tell of them.

use std::collections::BTreeMap;
use std::time::Duration;

use esker::net::ErrorCode;
use esker::net::messages::describe_transactions::TransactionState;
use esker::net::messages::{DescribeTransactionsRequest, ListTransactionsRequest};
use esker::{Error, TopicPartition};

use super::cluster::{Cluster, Coordinated};
use super::trouble::Trouble;
use crate::failure::Result;
use crate::source::{Filter, Transaction};

const LIST_TRANSACTIONS_VERSION: i16 = 1;
const DESCRIBE_TRANSACTIONS_VERSION: i16 = 0;

impl Cluster {
    pub(super) fn list_transactions(&mut self, filter: &Filter<'_>) -> Result<Vec<Transaction>> {
        let duration_ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let request = ListTransactionsRequest {
            state_filters: filter.states.iter().map(|state| state.name().to_owned()).collect(),
            producer_id_filters: filter.producer_ids.to_vec(),
            duration_filter: filter.longer_than.map_or(-1, duration_ms),
            ..Default::default()
        };
        let found = self.retry(|cluster| {
            let brokers = cluster.all()?;
            let requests = brokers.iter().map(|broker| (broker.clone(), request.clone())).collect();
            let listed = cluster.wire.ask_all(requests, LIST_TRANSACTIONS_VERSION, Duration::ZERO);
            let mut requests = Vec::new();
            for (broker, response) in brokers.into_iter().zip(listed) {
                let response = response?;
                if response.error_code != ErrorCode::NONE {
                    return Err(Trouble::refused(response.error_code, None, "transactions"));
                }
                let transactional_ids: Vec<_> =
                    response.transaction_states.into_iter().map(|of| of.transactional_id).collect();
                // It is the coordinator of those that it lists.
                if !transactional_ids.is_empty() {
                    requests.push((broker, DescribeTransactionsRequest { transactional_ids }));
                }
            }
            let mut found = BTreeMap::new();
            for response in cluster.wire.ask_all(requests, DESCRIBE_TRANSACTIONS_VERSION, Duration::ZERO) {
                for state in response?.transaction_states {
                    // One that was listed may have expired since.
                    if let Some(transaction) = known(state)? {
                        found.insert(transaction.transactional_id.clone(), transaction);
                    }
                }
            }
            Ok(found)
        })?;
        Ok(found.into_values().collect())
    }

    pub(super) fn described_transaction(&mut self, id: &str) -> Result<Transaction> {
        let found = self.retry(|cluster| {
            let coordinator = cluster.coordinator(Coordinated::TransactionalId, id)?;
            let request = DescribeTransactionsRequest { transactional_ids: vec![id.to_owned()] };
            let response = cluster.wire.ask(&coordinator, &request, DESCRIBE_TRANSACTIONS_VERSION)?;
            response.transaction_states.into_iter().next().map_or(Ok(None), known)
        })?;
        Ok(found.ok_or_else(|| Error::TransactionalIdNotFound { transactional_id: id.to_owned() })?)
    }
}

/// A transaction, unless nobody knows its id.
fn known(state: TransactionState) -> Result<Option<Transaction>, Trouble> {
    match state.error_code {
        ErrorCode::NONE => Ok(Some(transaction(state))),
        ErrorCode::TRANSACTIONAL_ID_NOT_FOUND => Ok(None),
        code => Err(Trouble::refused(code, None, &state.transactional_id)),
    }
}

fn transaction(of: TransactionState) -> Transaction {
    let partitions = of
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|index| TopicPartition::new(&*topic.topic, *index)));
    let mut partitions: Vec<_> = partitions.collect();
    partitions.sort();
    Transaction {
        transactional_id: of.transactional_id,
        producer_id: of.producer_id,
        producer_epoch: of.producer_epoch,
        state: of.transaction_state,
        timeout_ms: u64::try_from(of.transaction_timeout_ms).unwrap_or(0),
        start_timestamp: Some(of.transaction_start_time_ms).filter(|time| *time >= 0),
        last_update_timestamp: None,
        partitions,
    }
}
