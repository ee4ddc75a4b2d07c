//! ListPartitionReassignments: with one node, nothing ever moves.

use crate::net::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(
    _: &Broker,
    _: ListPartitionReassignmentsRequest,
    _: i16,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default()
}
