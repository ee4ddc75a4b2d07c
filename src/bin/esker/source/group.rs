//! Groups, as they are described wherever they are.

use std::collections::BTreeMap;

use esker::coordinator::Assignment;
use esker::{LeaderEpoch, Offset, TopicPartition};

use crate::failure::Failure;

/// A group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) group: String,
    /// Where it stands, in Kafka's word.
    pub(crate) state: String,
    /// How its members assign partitions, if they have agreed on that.
    pub(crate) assignor: Option<String>,
    pub(crate) members: Vec<Member>,
    /// What it has committed, and the partitions that a member is to read.
    pub(crate) offsets: Vec<GroupOffset>,
}

/// A member of a group.
#[derive(Debug, Default)]
pub(crate) struct Member {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) host: String,
    pub(crate) assignment: Vec<TopicPartition>,
}

/// What was committed for a partition last.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    pub(crate) offset: Offset,
    pub(crate) leader_epoch: Option<LeaderEpoch>,
    pub(crate) metadata: String,
    /// Not told over the network.
    pub(crate) timestamp: Option<i64>,
}

/// How far a group has come in a partition.
#[derive(Debug)]
pub(crate) struct GroupOffset {
    pub(crate) partition: TopicPartition,
    pub(crate) committed: Option<Committed>,
    /// Where the partition begins and ends, if it exists.
    pub(crate) span: Option<Span>,
}

/// The first offset of a partition that can be read, and the one after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) log_start: Offset,
    pub(crate) high_watermark: Offset,
}

/// Where a group is to go on.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) partition: TopicPartition,
    pub(crate) before: Option<Offset>,
    pub(crate) after: Offset,
}

impl Group {
    /// Takes in what was committed. The partitions that a member is to read are there too, in the order of all.
    pub(crate) fn with_offsets(
        mut self,
        committed: impl IntoIterator<Item = (TopicPartition, Committed)>,
        span: impl Fn(&TopicPartition) -> Option<Span>,
    ) -> Self {
        let mut offsets: BTreeMap<TopicPartition, Option<Committed>> = BTreeMap::new();
        offsets.extend(self.members.iter().flat_map(|member| &member.assignment).map(|at| (at.clone(), None)));
        offsets.extend(committed.into_iter().map(|(at, committed)| (at, Some(committed))));
        let describe = |(partition, committed)| GroupOffset { span: span(&partition), partition, committed };
        self.offsets = offsets.into_iter().map(describe).collect();
        self
    }

    /// The member that is to read a partition.
    pub(crate) fn member_of(&self, partition: &TopicPartition) -> Option<&Member> {
        self.members.iter().find(|member| member.assignment.contains(partition))
    }
}

/// Why what a group has committed can't be changed.
pub(crate) fn has_members(group: &str) -> Failure {
    Failure::new(format!("group {group} has members, which alone change what it has committed: end them first"))
}

/// The partitions in the assignment of a classic consumer. Empty if it is of another form: groups are not only of
/// consumers.
pub(crate) fn assigned(assignment: &[u8]) -> Vec<TopicPartition> {
    let mut assigned = Assignment::decode(assignment).unwrap_or_default().partitions;
    assigned.sort();
    assigned
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn an_assignment_is_read_and_what_is_none_is_empty() {
        let bytes = Bytes::from_static(b"\0\x01\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\x02\0\0\0\0\xff\xff\xff\xff");
        assert_eq!(assigned(&bytes), [("t", 0), ("t", 2)].map(TopicPartition::from));
        for len in 0..bytes.len() - 4 {
            assert_eq!(assigned(&bytes.slice(..len)), [], "{len} bytes");
        }
    }
}
