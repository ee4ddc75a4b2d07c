//! Who is to have what: the assignors that a coordinator knows, as pure functions of the members, what they are
//! subscribed to and what they were to have before.

mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};

use super::record::Partitions;
use crate::config::ConsumerGroupAssignor as Assignor;
use crate::uuid::Uuid;

/// The assignors that a coordinator offers (`group.consumer.assignors`).
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Assignors {
    default: Assignor,
    other: Option<Assignor>,
}

impl Assignors {
    pub(in super::super) fn new(offered: &[Assignor]) -> Self {
        let default = offered.first().copied().unwrap_or(Assignor::Uniform);
        Self { default, other: offered.iter().copied().find(|assignor| *assignor != default) }
    }

    /// Which one members may ask for by that name.
    pub(super) fn find(self, name: &str) -> Option<Assignor> {
        std::iter::once(self.default).chain(self.other).find(|assignor| assignor.name() == name)
    }

    /// The one that most of those ask for who ask for any.
    pub(super) fn preferred<'a>(self, asked: impl Iterator<Item = &'a str>) -> Assignor {
        let mut votes = BTreeMap::<&str, usize>::new();
        asked.for_each(|name| *votes.entry(name).or_default() += 1);
        let preferred = votes.into_iter().max_by_key(|(_, count)| *count);
        preferred.and_then(|(name, _)| self.find(name)).unwrap_or(self.default)
    }
}

/// A member, as an assignor sees it.
#[derive(Debug)]
pub(super) struct Subscriber<'a> {
    pub(super) id: &'a str,
    pub(super) instance_id: Option<&'a str>,
    /// Those of its topics that there are.
    pub(super) topics: BTreeSet<Uuid>,
    /// What it was to have before.
    pub(super) target: Option<&'a Partitions>,
}

impl Assignor {
    /// What each of the members is to have, of topics with that many partitions: each partition of a topic that anybody
    /// is subscribed to goes to one of its subscribers.
    pub(super) fn assign(self, members: &[Subscriber<'_>], topics: &BTreeMap<Uuid, i32>) -> Vec<Partitions> {
        match self {
            Self::Uniform => uniform::assign(members, topics),
            Self::Range => range::assign(members, topics),
        }
    }
}

/// The indices of the members that are subscribed to each topic.
fn subscribers(members: &[Subscriber<'_>]) -> BTreeMap<Uuid, Vec<usize>> {
    let mut subscribers = BTreeMap::<_, Vec<_>>::new();
    for (index, member) in members.iter().enumerate() {
        member.topics.iter().for_each(|topic| subscribers.entry(*topic).or_default().push(index));
    }
    subscribers
}

#[cfg(test)]
mod tests;
