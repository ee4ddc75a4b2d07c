//! `cooperative-sticky`: the sticky assignment, in two steps.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::sticky::{Claim, assign};
use super::{Members, PartitionAssignor, RebalanceProtocol, Subscription};
use crate::coordinator::group::consumer_protocol::NO_GENERATION;
use crate::store::record_fields::Fields;
use crate::types::TopicPartition;

/// Kafka's `CooperativeStickyAssignor`: assigns as [`StickyAssignor`](super::StickyAssignor) does, and leaves out what
/// moves from one member to another. Its owner gives it up and joins again, and then the other gets it; meanwhile
/// everybody goes on reading what they keep (KIP-429).
#[derive(Clone, Copy, Debug, Default)]
pub struct CooperativeStickyAssignor;

impl PartitionAssignor for CooperativeStickyAssignor {
    fn name(&self) -> &str {
        "cooperative-sticky"
    }

    fn protocol(&self) -> RebalanceProtocol {
        RebalanceProtocol::Cooperative
    }

    fn user_data(&self, last: Option<(&[TopicPartition], i32)>) -> Option<Bytes> {
        let generation = last.map_or(NO_GENERATION, |(_, generation)| generation);
        Some(Bytes::copy_from_slice(&generation.to_be_bytes()))
    }

    fn assign(&self, counts: &BTreeMap<String, i32>, members: &Members) -> BTreeMap<String, Vec<TopicPartition>> {
        let (mut assigned, moving) = assign(counts, members, claim_of);
        let moving = moving.unwrap_or_else(|| moving_between(members, &assigned));
        for (partition, member) in moving {
            assigned.entry(member).or_default().retain(|at| *at != partition);
        }
        assigned
    }
}

/// What a member has. In older versions of the protocol the generation is in the user data.
fn claim_of(subscription: &Subscription) -> Claim {
    let in_user_data = || {
        let user_data = subscription.user_data.as_deref()?;
        Some(Fields::new(user_data).i32().unwrap_or(NO_GENERATION))
    };
    let generation = subscription.generation.or_else(in_user_data);
    Claim { partitions: subscription.owned_partitions.clone(), generation }
}

/// What one member is given and another has.
fn moving_between(
    members: &Members,
    assigned: &BTreeMap<String, Vec<TopicPartition>>,
) -> BTreeMap<TopicPartition, String> {
    let (mut added, mut revoked) = (BTreeMap::new(), BTreeSet::new());
    for (member, partitions) in assigned {
        let Some(subscription) = members.get(member) else { continue };
        let owned: BTreeSet<_> = subscription.owned_partitions.iter().collect();
        let gets: BTreeSet<_> = partitions.iter().collect();
        added.extend(gets.difference(&owned).map(|partition| ((*partition).clone(), member.clone())));
        revoked.extend(owned.difference(&gets).copied().cloned());
    }
    added.retain(|partition, _| revoked.contains(partition));
    added
}
