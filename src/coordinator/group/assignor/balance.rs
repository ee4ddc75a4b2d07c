//! The sticky assignment where members subscribe to different topics: what is owned stays, what is not goes to whoever
//! has least, and then partitions move as long as that makes it more balanced.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::movements::Movements;
use super::sticky::{Claim, Owners, all_partitions};
use super::{Members, subscribes};
use crate::coordinator::group::consumer_protocol::NO_GENERATION;
use crate::types::TopicPartition;

/// The work on one assignment. Members go by their number, in the order of their ids.
pub(super) struct Balance<'a> {
    counts: &'a BTreeMap<String, i32>,
    ids: Vec<&'a str>,
    /// Who could have the partitions of each topic.
    takers: BTreeMap<&'a str, Vec<usize>>,
    /// The topics that each member could have partitions of.
    topics: Vec<Vec<&'a str>>,
    assigned: Vec<Vec<TopicPartition>>,
    owner: HashMap<TopicPartition, usize>,
    /// Who takes part in moving partitions, those with the fewest first.
    by_size: BTreeSet<(usize, usize)>,
    /// Who had a partition in an earlier generation than its last owner, and in which.
    previous: HashMap<TopicPartition, (usize, i32)>,
    movements: Movements,
    must_revoke: bool,
}

impl<'a> Balance<'a> {
    pub(super) fn new(
        counts: &'a BTreeMap<String, i32>,
        members: &'a Members,
        claims: &BTreeMap<&str, Claim>,
        mut owned: Owners,
    ) -> Self {
        let mut takers: BTreeMap<&str, Vec<usize>> = counts.keys().map(|topic| (topic.as_str(), Vec::new())).collect();
        let mut balance = Self {
            counts,
            ids: members.keys().map(String::as_str).collect(),
            takers: BTreeMap::new(),
            topics: Vec::new(),
            assigned: Vec::new(),
            owner: HashMap::new(),
            by_size: BTreeSet::new(),
            previous: previous_owners(claims),
            movements: Movements::default(),
            must_revoke: false,
        };
        for (number, (id, subscription)) in members.iter().enumerate() {
            let topics: BTreeSet<&str> = subscription.topics.iter().map(String::as_str).collect();
            let topics: Vec<&str> = topics.into_iter().filter(|topic| counts.contains_key(*topic)).collect();
            topics.iter().for_each(|topic| takers.entry(topic).or_default().push(number));
            let mut kept = owned.remove(id).unwrap_or_default();
            let had = kept.len();
            kept.retain(|partition| subscribes(subscription, &partition.topic));
            balance.must_revoke |= kept.len() < had;
            balance.owner.extend(kept.iter().map(|partition| (partition.clone(), number)));
            balance.topics.push(topics);
            balance.assigned.push(kept);
        }
        balance.takers = takers;
        balance
    }

    pub(super) fn build(mut self) -> BTreeMap<String, Vec<TopicPartition>> {
        self.by_size = self.assigned.iter().enumerate().map(|(number, assigned)| (assigned.len(), number)).collect();
        let begins = self.assigned.iter().all(Vec::is_empty);
        // Those that fewest could have come first.
        let mut topics: Vec<(&String, &i32)> = self.counts.iter().collect();
        topics.sort_by_key(|(topic, _)| (self.takers[topic.as_str()].len(), *topic));
        let mut all: Vec<TopicPartition> = all_partitions(topics.into_iter()).collect();
        let mut unassigned: Vec<_> =
            all.iter().filter(|partition| !self.owner.contains_key(partition)).cloned().collect();
        for partition in &unassigned {
            if let Some(least) = self.least_of(&partition.topic) {
                self.set_owner(partition, least);
            }
        }
        // What only one can have stays, and so does whoever has nothing else.
        all.retain(|partition| self.can_move(partition));
        unassigned.retain(|partition| self.can_move(partition));
        let takes_part = |number: &usize| {
            let assigned = &self.assigned[*number];
            assigned.len() < self.most_of(*number) || assigned.iter().any(|partition| self.can_move(partition))
        };
        let part: HashSet<usize> = (0..self.ids.len()).filter(takes_part).collect();
        self.by_size.retain(|(_, number)| part.contains(number));
        let before = (self.assigned.clone(), self.score());
        if !self.must_revoke {
            self.improve(&unassigned);
        }
        if self.improve(&all) && !begins && self.score() >= before.1 {
            self.assigned = before.0;
        }
        self.ids.iter().map(|id| (*id).to_owned()).zip(self.assigned).collect()
    }

    fn can_move(&self, partition: &TopicPartition) -> bool {
        self.takers[&*partition.topic].len() >= 2
    }

    /// How many partitions a member could have.
    fn most_of(&self, number: usize) -> usize {
        self.topics[number].iter().map(|topic| usize::try_from(self.counts[*topic]).unwrap_or(0)).sum()
    }

    /// Whoever has least of those who could have partitions of a topic.
    fn least_of(&self, topic: &str) -> Option<usize> {
        let could = |number: &usize| self.topics[*number].contains(&topic);
        self.by_size.iter().map(|(_, number)| *number).find(could)
    }

    fn set_owner(&mut self, partition: &TopicPartition, to: usize) {
        if let Some(from) = self.owner.insert(partition.clone(), to) {
            self.change(from, |assigned| assigned.retain(|at| at != partition));
        }
        self.change(to, |assigned| assigned.push(partition.clone()));
    }

    fn change(&mut self, number: usize, change: impl FnOnce(&mut Vec<TopicPartition>)) {
        self.by_size.remove(&(self.assigned[number].len(), number));
        change(&mut self.assigned[number]);
        self.by_size.insert((self.assigned[number].len(), number));
    }

    /// How far it is from being balanced: the differences between all who take part.
    fn score(&self) -> usize {
        let sizes: Vec<usize> = self.by_size.iter().map(|(_, number)| self.assigned[*number].len()).collect();
        let pairs =
            sizes.iter().enumerate().flat_map(|(at, size)| sizes[at + 1..].iter().map(|other| size.abs_diff(*other)));
        pairs.sum()
    }

    fn is_balanced(&self) -> bool {
        let (Some((min, _)), Some((max, _))) = (self.by_size.first(), self.by_size.last()) else { return true };
        if min + 1 >= *max {
            return true;
        }
        // How much those have at most who have partitions of a topic.
        let mut most = HashMap::<&str, usize>::new();
        for (size, number) in &self.by_size {
            // From the least to the most.
            most.extend(self.assigned[*number].iter().map(|partition| (&*partition.topic, *size)));
        }
        // Nobody may be able to have one that somebody has who would still have more.
        self.by_size.iter().all(|(size, number)| {
            let mut theirs = self.topics[*number].iter().filter_map(|topic| most.get(topic));
            *size == self.most_of(*number) || theirs.all(|most| size + 1 >= *most)
        })
    }

    /// Moves partitions as long as that makes it more balanced. Returns whether any moved.
    fn improve(&mut self, partitions: &[TopicPartition]) -> bool {
        let mut improved = false;
        loop {
            let mut moved = false;
            for partition in partitions {
                if self.is_balanced() {
                    break;
                }
                if let Some(to) = self.better_owner(partition) {
                    self.move_to(partition, to);
                    moved = true;
                }
            }
            improved |= moved;
            if !moved {
                return improved;
            }
        }
    }

    /// Who should have a partition in the place of its owner: the one before, or whoever has least.
    fn better_owner(&self, partition: &TopicPartition) -> Option<usize> {
        let owner = *self.owner.get(partition)?;
        let has_too_many_for = |other: &usize| self.assigned[owner].len() > self.assigned[*other].len() + 1;
        let takers = &self.takers[&*partition.topic];
        let previous = self.previous.get(partition).map(|(previous, _)| *previous);
        previous
            .filter(|previous| takers.contains(previous) && has_too_many_for(previous))
            .or_else(|| takers.iter().any(has_too_many_for).then(|| self.least_of(&partition.topic)).flatten())
    }

    fn move_to(&mut self, partition: &TopicPartition, to: usize) {
        let Some(from) = self.owner.get(partition).copied() else { return };
        let moved = self.movements.in_place_of(partition, from, to);
        let from = self.owner.get(&moved).copied().unwrap_or(from);
        self.movements.note(&moved, from, to);
        self.set_owner(&moved, to);
    }
}

/// Who claims a partition of an earlier generation than the latest that anybody claims one of.
fn previous_owners(claims: &BTreeMap<&str, Claim>) -> HashMap<TopicPartition, (usize, i32)> {
    let generation_of = |claim: &Claim| claim.generation.unwrap_or(NO_GENERATION);
    let latest = claims.values().map(generation_of).max().unwrap_or(NO_GENERATION);
    let mut previous: HashMap<TopicPartition, (usize, i32)> = HashMap::new();
    for (number, claim) in claims.values().enumerate() {
        let generation = generation_of(claim);
        if generation < latest {
            for partition in &claim.partitions {
                let known = previous.entry(partition.clone()).or_insert((number, generation));
                if generation > known.1 {
                    *known = (number, generation);
                }
            }
        }
    }
    previous
}
