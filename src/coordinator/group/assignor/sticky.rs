//! `sticky`: balanced, and everybody keeps what they can. What both sticky assignors have in common is here: where all
//! members subscribe to the same topics it is simple, and where they don't [`balance`](super::balance) has the work.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;

use super::balance::Balance;
use super::{Members, PartitionAssignor, Subscription};
use crate::coordinator::group::consumer_protocol::{NO_GENERATION, partitions, put_partitions};
use crate::store::record_fields::Fields;
use crate::types::TopicPartition;

/// Kafka's `StickyAssignor`: as balanced as can be, and of all such assignments one that moves few partitions. Members
/// give up everything before they join all the same, so they tell the leader what they had.
#[derive(Clone, Copy, Debug, Default)]
pub struct StickyAssignor;

impl PartitionAssignor for StickyAssignor {
    fn name(&self) -> &str {
        "sticky"
    }

    fn user_data(&self, last: Option<(&[TopicPartition], i32)>) -> Option<Bytes> {
        let (assigned, generation) = last?;
        let mut bytes = Vec::new();
        put_partitions(&mut bytes, assigned);
        bytes.extend(generation.to_be_bytes());
        Some(bytes.into())
    }

    fn assign(&self, counts: &BTreeMap<String, i32>, members: &Members) -> BTreeMap<String, Vec<TopicPartition>> {
        assign(counts, members, claim_of).0
    }
}

/// What a member had before, as it says.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim {
    pub(super) partitions: Vec<TopicPartition>,
    pub(super) generation: Option<i32>,
}

/// What members of `sticky` say in their user data. Older ones know no generation.
fn claim_of(subscription: &Subscription) -> Claim {
    let Some(user_data) = subscription.user_data.as_deref().filter(|user_data| !user_data.is_empty()) else {
        return Claim::default();
    };
    let mut fields = Fields::new(user_data);
    match partitions(&mut fields) {
        Ok(partitions) => Claim { partitions, generation: fields.i32().ok() },
        Err(_) => Claim { partitions: Vec::new(), generation: Some(NO_GENERATION) },
    }
}

/// Which partitions would move from one member to another; None if that is to be found out from the assignment.
pub(super) type Moving = Option<BTreeMap<TopicPartition, String>>;

/// Assigns, by what each member claims to have had.
pub(super) fn assign(
    counts: &BTreeMap<String, i32>,
    members: &Members,
    claim_of: impl Fn(&Subscription) -> Claim,
) -> (BTreeMap<String, Vec<TopicPartition>>, Moving) {
    let claims: BTreeMap<&str, Claim> = members.iter().map(|(id, member)| (id.as_str(), claim_of(member))).collect();
    let (owned, contested) = Owned::settle(counts, members, &claims);
    let mut topics = members.values().map(|member| member.topics.iter().collect::<BTreeSet<_>>());
    let first = topics.next().unwrap_or_default();
    if topics.all(|other| other == first) {
        let mut quota = Quota::new(counts, owned, contested);
        quota.keep_owned();
        quota.hand_out(counts);
        (quota.assigned, Some(quota.moving))
    } else {
        (Balance::new(counts, members, &claims, owned).build(), None)
    }
}

/// What each member has had, by the latest generation of those who claim the same.
pub(super) type Owners = BTreeMap<String, Vec<TopicPartition>>;

struct Owned;

impl Owned {
    /// Returns also the partitions that two members of the same generation claim, which neither keeps.
    fn settle(
        counts: &BTreeMap<String, i32>,
        members: &Members,
        claims: &BTreeMap<&str, Claim>,
    ) -> (Owners, BTreeSet<TopicPartition>) {
        let mut owned: Owners = members.keys().map(|member| (member.clone(), Vec::new())).collect();
        let mut contested = BTreeSet::new();
        let mut owners: HashMap<&TopicPartition, &str> = HashMap::new();
        let exists =
            |at: &&TopicPartition| counts.get(&*at.topic).is_some_and(|count| (0..*count).contains(&at.partition));
        for (member, claim) in claims {
            let generation = claim.generation.unwrap_or(NO_GENERATION);
            for partition in claim.partitions.iter().filter(exists) {
                let other = owners.get(partition).copied();
                // As in Kafka, the other's generation is the one in its subscription.
                let other_generation = other.map(|other| members[other].generation.unwrap_or(NO_GENERATION));
                if other_generation.is_some_and(|other_generation| other_generation > generation) {
                    continue;
                }
                if let Some(other) = other {
                    owned.entry(other.to_owned()).or_default().retain(|at| at != partition);
                }
                if other_generation == Some(generation) {
                    contested.insert(partition.clone());
                } else {
                    owned.entry((*member).to_owned()).or_default().push(partition.clone());
                }
                owners.insert(partition, member);
            }
        }
        (owned, contested)
    }
}

/// All members subscribe to the same topics: each gets as many partitions as another, or one more.
struct Quota {
    owned: Owners,
    contested: BTreeSet<TopicPartition>,
    assigned: BTreeMap<String, Vec<TopicPartition>>,
    taken: BTreeSet<TopicPartition>,
    /// What its owner may have to give up.
    given_up: BTreeMap<TopicPartition, String>,
    moving: BTreeMap<TopicPartition, String>,
    min: usize,
    max: usize,
    /// How many members may get one more than `min`, and how many have.
    over_min: usize,
    over_min_max: usize,
    /// Those who have less than `min`, and those who have just that and may get one more.
    under_min: Vec<String>,
    at_min: VecDeque<String>,
}

impl Quota {
    fn new(counts: &BTreeMap<String, i32>, owned: Owners, contested: BTreeSet<TopicPartition>) -> Self {
        let total: usize = counts.values().map(|count| usize::try_from(*count).unwrap_or(0)).sum();
        let among = owned.len().max(1);
        Self {
            assigned: owned.keys().map(|member| (member.clone(), Vec::new())).collect(),
            owned,
            contested,
            taken: BTreeSet::new(),
            given_up: BTreeMap::new(),
            moving: BTreeMap::new(),
            min: total / among,
            max: total.div_ceil(among),
            over_min: 0,
            over_min_max: total % among,
            under_min: Vec::new(),
            at_min: VecDeque::new(),
        }
    }

    /// Everybody keeps what they had, up to what everybody gets.
    fn keep_owned(&mut self) {
        for (member, mut owned) in std::mem::take(&mut self.owned) {
            owned.retain(|partition| !self.contested.contains(partition));
            owned.sort_by(|a, b| (a.partition, &a.topic).cmp(&(b.partition, &b.topic)));
            let may_exceed = self.over_min < self.over_min_max;
            let kept = if owned.len() < self.min {
                self.under_min.push(member.clone());
                owned.len()
            } else if owned.len() >= self.max && may_exceed {
                self.over_min += 1;
                if self.over_min == self.over_min_max {
                    self.at_min.clear();
                }
                self.max
            } else {
                if may_exceed {
                    self.at_min.push_back(member.clone());
                }
                self.min
            };
            let given_up = owned.split_off(kept);
            self.given_up.extend(given_up.into_iter().map(|partition| (partition, member.clone())));
            self.taken.extend(owned.iter().cloned());
            self.assigned.entry(member).or_default().extend(owned);
        }
        self.under_min.sort_unstable();
        self.at_min.make_contiguous().sort_unstable();
    }

    /// What is left goes round those who have too little.
    fn hand_out(&mut self, counts: &BTreeMap<String, i32>) {
        let mut next = 0;
        for partition in all_partitions(counts.iter()) {
            if self.taken.contains(&partition) {
                continue;
            }
            if next == self.under_min.len() {
                next = 0;
            }
            let is_under_min = next < self.under_min.len();
            let member = match self.under_min.get(next) {
                Some(member) => Some(member.clone()),
                None => self.at_min.pop_front(),
            };
            // There are exactly as many partitions as all may have.
            let Some(member) = member else { return };
            if self.give(partition, &member) == self.min && is_under_min {
                self.under_min.remove(next);
                self.at_min.push_back(member);
            } else {
                next += usize::from(is_under_min);
            }
        }
    }

    /// Returns how many the member has then.
    fn give(&mut self, partition: TopicPartition, member: &str) -> usize {
        let is_others = self.given_up.get(&partition).is_some_and(|owner| owner != member);
        if is_others || self.contested.contains(&partition) {
            self.moving.insert(partition.clone(), member.to_owned());
        }
        let assigned = self.assigned.entry(member.to_owned()).or_default();
        assigned.push(partition);
        assigned.len()
    }
}

/// All partitions of these topics, in their order.
pub(super) fn all_partitions<'a>(
    counts: impl Iterator<Item = (&'a String, &'a i32)>,
) -> impl Iterator<Item = TopicPartition> {
    counts.flat_map(|(topic, count)| {
        let topic: std::sync::Arc<str> = topic.as_str().into();
        (0..*count).map(move |partition| TopicPartition::new(topic.clone(), partition))
    })
}
