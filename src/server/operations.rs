//! What a client may do, as bits: all that there is to do, for nobody is refused anything here.

use crate::net::ErrorCode;

/// The bits of Kafka's `AclOperation`s.
const fn bits(operations: &[i8]) -> i32 {
    let (mut bits, mut at) = (0, 0);
    while at < operations.len() {
        bits |= 1 << operations[at];
        at += 1;
    }
    bits
}

const READ: i8 = 3;
const WRITE: i8 = 4;
const CREATE: i8 = 5;
const DELETE: i8 = 6;
const ALTER: i8 = 7;
const DESCRIBE: i8 = 8;
const CLUSTER_ACTION: i8 = 9;
const DESCRIBE_CONFIGS: i8 = 10;
const ALTER_CONFIGS: i8 = 11;
const IDEMPOTENT_WRITE: i8 = 12;

/// What can be done with a topic.
pub(super) const OF_TOPIC: i32 = bits(&[READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS]);

/// What can be done with a group.
const OF_GROUP: i32 = bits(&[READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS]);

/// What can be done with the cluster.
const OF_CLUSTER: i32 =
    bits(&[CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE]);

/// What can be done with the cluster, for those who want to know.
pub(super) fn told_of_cluster(is_asked_for: bool) -> i32 {
    told(OF_CLUSTER, is_asked_for)
}

/// What can be done with a group that was described, or wasn't, for those who want to know.
pub(super) fn told_of_group(is_asked_for: bool, error_code: ErrorCode) -> i32 {
    told(OF_GROUP, is_asked_for && error_code == ErrorCode::NONE)
}

fn told(operations: i32, is_asked_for: bool) -> i32 {
    if is_asked_for { operations } else { i32::MIN }
}
