//! Who of a group of consumers gets which partitions. The member that leads decides, by an assignor that all members
//! know.
//!
//! ```text
//!   range               topic by topic, a run of partitions each
//!   roundrobin          all partitions in a row, one each in turn
//!   sticky              as balanced as can be, and everybody keeps what they can
//!   cooperative-sticky  the same in two steps: what moves is given up first, and given out in the next generation, so
//!                       that nobody stops reading what stays
//! ```
//!
//! They assign as those of Kafka's Java client do, so that members here and members elsewhere agree; racks aside, of
//! which there is one.

mod balance;
mod cooperative_sticky;
mod movements;
mod range;
mod round_robin;
mod sticky;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

pub use super::consumer_protocol::{Assignment, Subscription};
pub use cooperative_sticky::CooperativeStickyAssignor;
pub use range::RangeAssignor;
pub use round_robin::RoundRobinAssignor;
pub use sticky::StickyAssignor;

use crate::types::TopicPartition;

/// How members go from one assignment to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RebalanceProtocol {
    /// Everybody gives up everything before the next generation is assigned.
    Eager,
    /// Everybody keeps what they have, and gives up what the assignment takes from them (KIP-429). What is given to
    /// another must be left out of the assignment once, until its owner has given it up.
    Cooperative,
}

/// The members of a group by member id, with what each subscribes to.
pub type Members = BTreeMap<String, Subscription>;

/// A way to assign partitions (`partition.assignment.strategy`). All members of a group must have one of the same name.
pub trait PartitionAssignor: Send + Sync + fmt::Debug {
    /// What members call it.
    fn name(&self) -> &str;

    /// How members go from one assignment of it to the next.
    fn protocol(&self) -> RebalanceProtocol {
        RebalanceProtocol::Eager
    }

    /// What a member is to tell the leader besides its subscription. `last` is what it was assigned last, and in which
    /// generation.
    fn user_data(&self, last: Option<(&[TopicPartition], i32)>) -> Option<Bytes> {
        let _ = last;
        None
    }

    /// Assigns partitions to members. `partitions` has the number of partitions of each topic that anybody subscribes
    /// to and that exists. A member that is left out gets none.
    fn assign(&self, partitions: &BTreeMap<String, i32>, members: &Members) -> BTreeMap<String, Vec<TopicPartition>>;
}

/// The members in the order that Kafka puts them in: static ones by their names, then the others by their ids.
fn in_order(members: &Members) -> Vec<(&str, &Subscription)> {
    let mut ordered: Vec<_> = members.iter().map(|(id, subscription)| (id.as_str(), subscription)).collect();
    ordered.sort_by(|(id, a), (other_id, b)| match (&a.group_instance_id, &b.group_instance_id) {
        (Some(name), Some(other)) => name.cmp(other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => id.cmp(other_id),
    });
    ordered
}

fn subscribes(subscription: &Subscription, topic: &str) -> bool {
    subscription.topics.iter().any(|subscribed| subscribed == topic)
}
