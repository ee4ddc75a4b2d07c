//! ListTransactions: the transactional ids that are known.

use std::time::Duration;

use crate::coordinator::pattern::Pattern;
use crate::net::messages::list_transactions::TransactionState;
use crate::net::messages::{ListTransactionsRequest, ListTransactionsResponse};
use crate::server::broker::Broker;
use crate::server::coordinator_error;
use crate::store::{TransactionDescription, TransactionFilter};
use crate::types;

pub(in crate::server) fn answer(broker: &Broker, request: ListTransactionsRequest, _: i16) -> ListTransactionsResponse {
    let named = |name: &String| types::TransactionState::ALL.iter().copied().find(|state| state.name() == name);
    let states: Vec<_> = request.state_filters.iter().filter_map(named).collect();
    let unknown_state_filters = request.state_filters.iter().filter(|name| named(name).is_none()).cloned().collect();
    // An empty filter lets all through; one of states that there are none of lets through nothing.
    let is_satisfiable = request.state_filters.is_empty() || !states.is_empty();
    let mut filter = TransactionFilter::new().states(states).producer_ids(request.producer_id_filters);
    if let Ok(duration_ms) = u64::try_from(request.duration_filter) {
        filter = filter.longer_than(Duration::from_millis(duration_ms));
    }
    let response = ListTransactionsResponse { unknown_state_filters, ..Default::default() };
    let pattern = request.transactional_id_pattern.filter(|pattern| !pattern.is_empty());
    let pattern = match pattern.as_deref().map(Pattern::new).transpose() {
        Ok(pattern) => pattern,
        Err(error) => return ListTransactionsResponse { error_code: error.into(), ..Default::default() },
    };
    let is_meant = |found: &TransactionDescription| {
        is_satisfiable && pattern.as_ref().is_none_or(|pattern| pattern.matches(&found.transactional_id))
    };
    match broker.store.transactions(&filter) {
        Ok(found) => {
            let transaction_states = found.into_iter().filter(is_meant).map(describe).collect();
            ListTransactionsResponse { transaction_states, ..response }
        }
        Err(error) => ListTransactionsResponse { error_code: coordinator_error::of(&error), ..response },
    }
}

fn describe(transaction: TransactionDescription) -> TransactionState {
    TransactionState {
        transactional_id: transaction.transactional_id,
        producer_id: transaction.producer.producer_id,
        transaction_state: transaction.state.name().to_owned(),
    }
}
