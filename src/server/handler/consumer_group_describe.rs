//! ConsumerGroupDescribe: where consumer groups stand, and what each member has and is to have (KIP-848). One that is
//! named twice is one.

use crate::coordinator::{DescribedConsumerGroup, DescribedConsumerMember, Partitions};
use crate::net::ErrorCode;
use crate::net::messages::consumer_group_describe::{Assignment, DescribedGroup, Member, TopicPartitions};
use crate::net::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
use crate::server::broker::Broker;
use crate::server::duplicates::once;
use crate::server::{coordinator_error, groups, operations};

/// By which protocol a member takes part.
const CLASSIC: i8 = 0;
const CONSUMER: i8 = 1;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: ConsumerGroupDescribeRequest,
    _: i16,
) -> ConsumerGroupDescribeResponse {
    let describe = |group_id| {
        let described = broker.describe_consumer_group(group_id);
        let authorized_operations =
            operations::told_of_group(request.include_authorized_operations, described.error_code);
        DescribedGroup { authorized_operations, ..described }
    };
    ConsumerGroupDescribeResponse { groups: once(request.group_ids).map(describe).collect(), ..Default::default() }
}

impl Broker {
    fn describe_consumer_group(&self, group_id: String) -> DescribedGroup {
        if !self.config.has_consumer_protocol() {
            return DescribedGroup { error_code: ErrorCode::UNSUPPORTED_VERSION, group_id, ..Default::default() };
        }
        if group_id.is_empty() {
            return DescribedGroup { error_code: ErrorCode::INVALID_GROUP_ID, ..Default::default() };
        }
        let asked =
            self.groups.ask(|groups, _| (groups.describe_consumer_group(&group_id), groups.is_known(&group_id)));
        let (error_code, message) = match asked {
            Ok((Some(group), _)) => return self.describe(group),
            // One that has but offsets is of the classic protocol.
            Ok((None, is_known)) => match self.store.has_group(&group_id) {
                Ok(has_offsets) => {
                    (ErrorCode::GROUP_ID_NOT_FOUND, groups::not_found(&group_id, is_known || has_offsets, "consumer"))
                }
                Err(error) => (coordinator_error::of(&error), error.to_string()),
            },
            Err(error) => (error.into(), error.to_string()),
        };
        DescribedGroup { error_code, error_message: Some(message), group_id, ..Default::default() }
    }

    fn describe(&self, group: DescribedConsumerGroup) -> DescribedGroup {
        DescribedGroup {
            group_id: group.group,
            group_state: group.state.to_string(),
            group_epoch: group.epoch,
            assignment_epoch: group.assignment_epoch,
            assignor_name: group.assignor.to_owned(),
            members: group.members.into_iter().map(|member| self.describe_member(member)).collect(),
            ..Default::default()
        }
    }

    fn describe_member(&self, member: DescribedConsumerMember) -> Member {
        Member {
            member_id: member.member_id,
            instance_id: member.instance_id,
            rack_id: member.rack_id,
            member_epoch: member.epoch,
            client_id: member.client_id,
            client_host: member.client_host,
            subscribed_topic_names: member.topic_names,
            // A member without one has an empty one in Kafka too.
            subscribed_topic_regex: Some(member.topic_regex.unwrap_or_default()),
            assignment: self.name_topics(had(member.assigned, member.revoking)),
            target_assignment: self.name_topics(member.target),
            member_type: if member.is_classic { CLASSIC } else { CONSUMER },
        }
    }

    /// A topic that was just deleted has no name, and nothing to read.
    fn name_topics(&self, partitions: Partitions) -> Assignment {
        let named = partitions.into_iter().filter_map(|(topic_id, partitions)| {
            let topic_name = self.store.topic_name(topic_id)?.to_string();
            Some(TopicPartitions { topic_id, topic_name, partitions: partitions.into_iter().collect() })
        });
        Assignment { topic_partitions: named.collect() }
    }
}

/// What a member may read, and what it was told to let go of: as long as it has not done so, it is still its own.
fn had(mut assigned: Partitions, revoking: Partitions) -> Partitions {
    for (topic_id, partitions) in revoking {
        assigned.entry(topic_id).or_default().extend(partitions);
    }
    assigned
}
