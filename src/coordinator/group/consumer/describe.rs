//! What can be seen of consumer groups from outside.

use super::super::classic::GroupState;
use super::ConsumerGroup;
use super::assignor::Assignors;
use super::record::Partitions;
use super::state::{Member, State};
use super::target::preferred_assignor;

/// What there is to say of a consumer group (ConsumerGroupDescribe).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DescribedConsumerGroup {
    /// Its name.
    pub group: String,
    /// Where it stands.
    pub state: GroupState,
    /// The epoch that goes up whenever its members, what they want, or the topics change.
    pub epoch: i32,
    /// The epoch that the target assignment is of.
    pub assignment_epoch: i32,
    /// The assignor that it goes by.
    pub assignor: &'static str,
    /// Its members.
    pub members: Vec<DescribedConsumerMember>,
}

/// What there is to say of a member of a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DescribedConsumerMember {
    /// Its id.
    pub member_id: String,
    /// Its name, if it is static.
    pub instance_id: Option<String>,
    /// The rack that it is in.
    pub rack_id: Option<String>,
    /// The epoch that it is in.
    pub epoch: i32,
    /// Whether it has the classic protocol, from before the group was a consumer group, or because others have.
    pub is_classic: bool,
    /// What its client calls itself.
    pub client_id: String,
    /// Where its client is.
    pub client_host: String,
    /// The topics that it is subscribed to by name.
    pub topic_names: Vec<String>,
    /// The regular expression that it is subscribed to.
    pub topic_regex: Option<String>,
    /// What it may read.
    pub assigned: Partitions,
    /// What it was told to let go of, and may still have.
    pub revoking: Partitions,
    /// What it is to have.
    pub target: Partitions,
}

impl<T> ConsumerGroup<T> {
    pub(in super::super) fn describe(&self, assignors: Assignors) -> DescribedConsumerGroup {
        let state: &State = &self.state;
        let describe = |(id, member): (&std::sync::Arc<str>, &std::sync::Arc<Member>)| {
            let Member { metadata, current } = &**member;
            DescribedConsumerMember {
                member_id: id.to_string(),
                instance_id: metadata.instance_id.clone(),
                rack_id: metadata.rack_id.clone(),
                epoch: current.epoch,
                is_classic: member.is_classic(),
                client_id: metadata.client_id.clone(),
                client_host: metadata.client_host.clone(),
                topic_names: metadata.topic_names.iter().cloned().collect(),
                topic_regex: metadata.topic_regex.clone(),
                assigned: current.assigned.clone(),
                revoking: current.revoking.clone(),
                target: state.targets.get(id).map(|target| (**target).clone()).unwrap_or_default(),
            }
        };
        DescribedConsumerGroup {
            group: self.name.to_string(),
            state: self.state(),
            epoch: state.metadata.epoch,
            assignment_epoch: state.target_epoch,
            assignor: preferred_assignor(state, assignors).name(),
            members: state.members.iter().map(describe).collect(),
        }
    }

    pub(in super::super) fn state(&self) -> GroupState {
        self.state.state()
    }

    /// Whether a member of the group reads the topic.
    pub(in super::super) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.state.is_subscribed_to(topic)
    }
}
