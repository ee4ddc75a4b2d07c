//! What can be seen of groups from outside, and their end.

use std::fmt;

use bytes::Bytes;

use super::classic::{CONSUMER, GroupState};
use super::message::LeaveRequest;
use super::timers::{Due, Timer};
use super::{DescribedConsumerGroup, Group, GroupCoordinator, GroupRecord};
use crate::error::GroupError;

/// What there is to say of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DescribedGroup {
    /// Its name.
    pub group: String,
    /// Where it stands.
    pub state: GroupState,
    /// Since when, in milliseconds; −1 if that isn't known.
    pub state_timestamp: i64,
    /// Which generation it is in.
    pub generation: i32,
    /// The kind of group; empty if it never had a member.
    pub protocol_type: String,
    /// The way to assign; empty unless it is stable.
    pub protocol_name: String,
    /// Its members.
    pub members: Vec<DescribedMember>,
}

/// A group in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedGroup<'a> {
    /// Its name.
    pub group: &'a str,
    /// By which protocol.
    pub group_type: GroupType,
    /// Where it stands.
    pub state: GroupState,
    /// Since when, in milliseconds; −1 if that isn't known. Of a consumer group, since when it has had no members.
    pub state_timestamp: i64,
    /// The kind of group; empty if it never had a member.
    pub protocol_type: &'a str,
    /// Whether it has no members, and has given out no member id that somebody may come back with.
    pub is_idle: bool,
}

impl ListedGroup<'_> {
    /// Whether it is in use, and what [its members read](GroupCoordinator::is_subscribed_to) is settled.
    pub(crate) fn knows_topics(&self) -> bool {
        match self.group_type {
            GroupType::Classic => self.state == GroupState::Stable && self.protocol_type == CONSUMER,
            GroupType::Consumer => !self.is_idle,
        }
    }
}

/// By which protocol the members of a group become that, and get their parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupType {
    /// They assign partitions among themselves.
    Classic,
    /// The coordinator assigns (KIP-848).
    Consumer,
}

impl fmt::Display for GroupType {
    /// Kafka's name for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        })
    }
}

/// What there is to say of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DescribedMember {
    /// Its id.
    pub member_id: String,
    /// Its name, if it is static.
    pub group_instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where its client is.
    pub client_host: String,
    /// What it said for the group's protocol; empty unless the group is stable.
    pub metadata: Bytes,
    /// What it is assigned.
    pub assignment: Bytes,
}

impl<T> Group<T> {
    fn list(&self) -> ListedGroup<'_> {
        match self {
            Self::Classic(group) => ListedGroup {
                group: &group.name,
                group_type: GroupType::Classic,
                state: group.state,
                state_timestamp: group.state_timestamp,
                protocol_type: group.protocol_type.as_deref().unwrap_or_default(),
                is_idle: group.is_in(GroupState::Empty) && group.pending_join.is_empty(),
            },
            Self::Consumer(group) => ListedGroup {
                group: &group.name,
                group_type: GroupType::Consumer,
                state: group.state(),
                state_timestamp: group.empty_since_ms,
                protocol_type: CONSUMER,
                is_idle: group.is_empty(),
            },
        }
    }
}

impl<T> GroupCoordinator<T> {
    /// Whether the coordinator knows a group, of either protocol.
    pub fn is_known(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// Describes a group of the classic protocol, if it is known.
    pub fn describe(&self, group: &str) -> Option<DescribedGroup> {
        let Some(Group::Classic(group)) = self.groups.get(group) else { return None };
        let protocol = group.protocol_name.as_deref().filter(|_| group.is_in(GroupState::Stable));
        let members = group.members().map(|member| DescribedMember {
            member_id: member.id.to_string(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: protocol.map_or_else(Bytes::new, |protocol| member.metadata(Some(protocol))),
            assignment: member.assignment.clone(),
        });
        Some(DescribedGroup {
            group: group.name.to_string(),
            state: group.state,
            state_timestamp: group.state_timestamp,
            generation: group.generation,
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            protocol_name: protocol.unwrap_or_default().to_owned(),
            members: members.collect(),
        })
    }

    /// All groups that are known, in no order.
    pub fn groups(&self) -> impl Iterator<Item = ListedGroup<'_>> {
        self.groups.values().map(Group::list)
    }

    /// A group as [`groups`](Self::groups) lists it, if it is known.
    pub(crate) fn listed(&self, group: &str) -> Option<ListedGroup<'_>> {
        self.groups.get(group).map(Group::list)
    }

    /// Describes a consumer group, if it is known: what is durable of it.
    pub fn describe_consumer_group(&self, group: &str) -> Option<DescribedConsumerGroup> {
        match self.groups.get(group)? {
            Group::Consumer(group) => Some(group.describe(self.limits.assignors)),
            Group::Classic(_) => None,
        }
    }

    /// Whether [`delete`](Self::delete) would delete a group.
    ///
    /// # Errors
    /// Those that it would return.
    pub fn check_delete(&self, group: &str) -> Result<(), GroupError> {
        match self.groups.get(group).ok_or(GroupError::GroupIdNotFound)? {
            Group::Classic(known) if !known.is_in(GroupState::Empty) => Err(GroupError::NonEmptyGroup),
            Group::Consumer(known) if !known.is_empty() => Err(GroupError::NonEmptyGroup),
            _ => Ok(()),
        }
    }

    /// Takes a group back that has no members, and its record with it.
    ///
    /// # Errors
    /// [`GroupError::NonEmptyGroup`], [`GroupError::GroupIdNotFound`].
    pub fn delete(&mut self, group: &str) -> Result<(), GroupError> {
        self.check_delete(group)?;
        let tombstones = match self.groups.remove(group) {
            Some(Group::Classic(known)) => {
                // The ids that were given out, and that nobody has joined with.
                for id in known.pending_join.iter() {
                    self.timers.cancel(&Timer { group: known.name.clone(), due: Due::Session(id.clone()) });
                }
                if known.has_record { vec![GroupRecord::Classic(None)] } else { Vec::new() }
            }
            Some(Group::Consumer(known)) => known.tombstones(),
            None => Vec::new(),
        };
        self.outbox.write(group, tombstones);
        Ok(())
    }

    /// The members of the classic protocol whose clients are at `host`, static ones aside: as they would leave.
    pub(crate) fn dynamic_members_at(&self, group: &str, host: &str) -> Vec<LeaveRequest> {
        let ids: Vec<String> = match self.groups.get(group) {
            None => Vec::new(),
            Some(Group::Classic(group)) => {
                let there = group.members().filter(|member| member.client_host == host && !member.is_static());
                there.map(|member| member.id.to_string()).collect()
            }
            Some(Group::Consumer(group)) => group.dynamic_classic_members_at(host),
        };
        ids.into_iter().map(|member_id| LeaveRequest { member_id, ..LeaveRequest::default() }).collect()
    }

    /// Whether offsets of a group may be deleted, those of topics that it is
    /// [subscribed to](Self::is_subscribed_to) aside. Of a group that isn't known they may.
    ///
    /// # Errors
    /// [`GroupError::NonEmptyGroup`] if it has members of which it isn't known what they read.
    pub fn check_offset_delete(&self, group: &str) -> Result<(), GroupError> {
        match self.groups.get(group) {
            Some(Group::Classic(group)) if !group.is_in(GroupState::Empty) && !group.uses_consumer_protocol() => {
                Err(GroupError::NonEmptyGroup)
            }
            _ => Ok(()),
        }
    }

    /// Whether a member of the group reads the topic, or may, for all that is known.
    pub fn is_subscribed_to(&self, group: &str, topic: &str) -> bool {
        self.groups.get(group).is_some_and(|group| match group {
            Group::Classic(group) => group.is_subscribed_to(topic),
            Group::Consumer(group) => group.is_subscribed_to(topic),
        })
    }
}
