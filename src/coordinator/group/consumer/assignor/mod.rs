//! Who is to have what: the assignors that a coordinator knows, as pure functions of the members, what they are subscribed
//! to and what they were to have before.

mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};

use super::record::Partitions;
use crate::uuid::Uuid;

/// The assignors, by the names that members ask for them (`group.consumer.assignors`). The first is the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assignor {
    /// Everybody gets as many partitions as the others, and keeps those it had.
    Uniform,
    /// Everybody gets a range of each topic's partitions, and the same range of topics of the same size.
    Range,
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
    pub(super) const DEFAULT: Self = Self::Uniform;

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Uniform, Self::Range].into_iter().find(|assignor| assignor.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

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
