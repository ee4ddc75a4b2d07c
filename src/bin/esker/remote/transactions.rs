//! Transactions of a cluster, as far as coordinators tell of them.

use std::collections::BTreeSet;
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
        let ids = self.retry(|cluster| {
            let requests = cluster.all()?.into_iter().map(|broker| (broker, request.clone())).collect();
            let mut ids = BTreeSet::new();
            for response in cluster.wire.ask_all(requests, LIST_TRANSACTIONS_VERSION, Duration::ZERO) {
                let response = response?;
                if response.error_code != ErrorCode::NONE {
                    return Err(Trouble::refused(response.error_code, None, "transactions"));
                }
                ids.extend(response.transaction_states.into_iter().map(|of| of.transactional_id));
            }
            Ok(ids)
        })?;
        // One that was listed may have expired since.
        ids.iter().filter_map(|id| self.known_transaction(id).transpose()).collect()
    }

    pub(super) fn described_transaction(&mut self, id: &str) -> Result<Transaction> {
        let not_found = || Error::TransactionalIdNotFound { transactional_id: id.to_owned() };
        Ok(self.known_transaction(id)?.ok_or_else(not_found)?)
    }

    /// What is known of a transactional id, if somebody knows it.
    fn known_transaction(&mut self, id: &str) -> Result<Option<Transaction>> {
        self.retry(|cluster| {
            let coordinator = cluster.coordinator(Coordinated::TransactionalId, id)?;
            let request = DescribeTransactionsRequest { transactional_ids: vec![id.to_owned()] };
            let response = cluster.wire.ask(&coordinator, &request, DESCRIBE_TRANSACTIONS_VERSION)?;
            response.transaction_states.into_iter().next().map_or(Ok(None), known)
        })
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
