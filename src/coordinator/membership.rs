//! What can be seen of the groups of a store: where they stand, who is in them, and who reads what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::driver::{self, Groups};
use super::{
    Assignment, DescribedConsumerGroup, DescribedGroup, DescribedMember, GroupCoordinator, GroupState, GroupType,
    ListedGroup, Partitions, Subscription,
};
use crate::error::{Error, GroupError, Result};
use crate::store::Store;
use crate::types::{Acks, TopicPartition};

/// Where a group stands, and who is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupMembership {
    /// Its name.
    pub group: String,
    /// Where it stands.
    pub state: GroupState,
    /// Which generation it is in; 0 if it never had a member.
    pub generation: i32,
    /// The kind of group: `consumer` for consumers, empty if it never had a member.
    pub protocol_type: String,
    /// The assignor that the members agreed on; empty unless the group is stable.
    pub protocol: String,
    /// Its members, by their ids.
    pub members: Vec<GroupMember>,
}

/// A member of a group of consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupMember {
    /// Its id.
    pub member_id: String,
    /// Its name, if it is a static member.
    pub group_instance_id: Option<String>,
    /// What it calls itself.
    pub client_id: String,
    /// Where it is: an address as Java writes them, `embedded` for a consumer of the process that has the store, or
    /// `in-process` for a client of its server that came by another way than a listener.
    pub client_host: String,
    /// The topics that it subscribes to; empty unless the group is stable.
    pub topics: Vec<String>,
    /// The partitions that it reads.
    pub assignment: Vec<TopicPartition>,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupListing {
    /// Its name.
    pub group: String,
    /// By which protocol its members become that; the classic one if it never had a member.
    pub group_type: GroupType,
    /// Where it stands.
    pub state: GroupState,
    /// The kind of group: `consumer` for consumers, empty if it never had a member.
    pub protocol_type: String,
}

impl Store {
    /// Describes who is in a group. Of a store that is open read-only it tells what is written down: the members of the
    /// last generation that was assigned.
    ///
    /// # Errors
    /// [`Error::GroupIdNotFound`] if it has neither members nor offsets; otherwise as
    /// [`committed_offset`](Self::committed_offset).
    pub fn group_membership(&self, group: &str) -> Result<GroupMembership> {
        let described = if self.is_read_only() {
            describe(self, &written_down(self)?, group)
        } else {
            let asked = Groups::of(self).ask(|groups, _| describe(self, groups, group));
            asked.map_err(|error| refused(self, group, error))?
        };
        match described {
            Some(described) => Ok(described),
            None if self.has_group(group)? => Ok(GroupMembership {
                group: group.to_owned(),
                state: GroupState::Empty,
                generation: 0,
                protocol_type: String::new(),
                protocol: String::new(),
                members: Vec::new(),
            }),
            None => Err(Error::GroupIdNotFound { group: group.to_owned() }),
        }
    }

    /// Describes who is in each group that has records of members, in the order of the alphabet: what is written down,
    /// as of a store that is open read-only. Whether they are alive only the groups' coordinator knows, which is not
    /// asked.
    ///
    /// # Errors
    /// As [`committed_offset`](Self::committed_offset).
    pub fn group_memberships_written_down(&self) -> Result<Vec<GroupMembership>> {
        let groups = written_down(self)?;
        let mut names: Vec<_> = groups.groups().map(|group| group.group.to_owned()).collect();
        names.sort_unstable();
        Ok(names.iter().filter_map(|name| describe(self, &groups, name)).collect())
    }

    /// Deletes a group that has no members, as Kafka's `DeleteGroups` does: what it has committed, also within
    /// transactions that are open, and what is written down of the members that it had. On return that survives the
    /// loss of power.
    ///
    /// A consumer that is open and has only named the group, without becoming a member, goes on from where it stands,
    /// and its next commit makes the group anew.
    ///
    /// # Errors
    /// [`Error::Group`] with [`GroupError::NonEmptyGroup`] if it has members; [`Error::GroupIdNotFound`] if there is
    /// nothing of it; otherwise as [`commit_offsets`](Self::commit_offsets).
    pub fn delete_group(&self, group: &str) -> Result<()> {
        self.check_writable()?;
        // What keeps its log from being read is told here; the coordinator says only that it can't answer.
        self.has_group(group)?;
        let deleted = Groups::of(self).ask(|groups, _| {
            let is_known = match groups.check_delete(group) {
                Err(GroupError::GroupIdNotFound) => false,
                checked => checked.map(|()| true).map_err(|error| refused(self, group, error))?,
            };
            match self.delete_where(group, Acks::Leader, |_| true) {
                Err(Error::GroupIdNotFound { .. }) if is_known => {}
                deleted => deleted?,
            }
            // Last, so that it is still there if its offsets are.
            if is_known { groups.delete(group).map_err(|error| refused(self, group, error)) } else { Ok(()) }
        });
        deleted.map_err(|error| refused(self, group, error))??;
        self.sync_group(group)
    }

    /// Takes all members out of a group, as Kafka's `Admin.removeMembersFromConsumerGroup` does: of one whose members
    /// are known to be gone, before their sessions have expired. Those that are there all the same find out with what
    /// they ask next, and join anew. Of a group that isn't known there are none.
    ///
    /// # Errors
    /// As [`commit_offsets`](Self::commit_offsets).
    pub fn remove_members_from_group(&self, group: &str) -> Result<()> {
        self.check_writable()?;
        let asked = Groups::of(self).ask(|groups, now_ms| groups.leave_all(group, now_ms));
        asked.map_err(|error| refused(self, group, error))?;
        self.sync_group(group)
    }

    /// All groups that have members, had some lately, or have committed offsets, be it in a transaction that is open,
    /// in the order of the alphabet.
    ///
    /// # Errors
    /// As [`committed_offset`](Self::committed_offset).
    pub fn list_groups(&self) -> Result<Vec<GroupListing>> {
        let mut listed = if self.is_read_only() {
            list(&written_down(self)?)
        } else {
            Groups::of(self).ask(|groups, _| list(groups)).map_err(|error| refused(self, "", error))?
        };
        for group in self.groups_with_offsets()? {
            listed.entry(group).or_insert_with_key(|group| GroupListing {
                group: group.clone(),
                group_type: GroupType::Classic,
                state: GroupState::Empty,
                protocol_type: String::new(),
            });
        }
        Ok(listed.into_values().collect())
    }
}

/// The groups as their records tell of them.
fn written_down(store: &Store) -> Result<GroupCoordinator<()>> {
    store.refresh()?;
    let mut groups = GroupCoordinator::new(store.config());
    driver::replay(store, &mut groups)?;
    groups.loaded(store.clock().now_ms());
    Ok(groups)
}

fn describe<T>(store: &Store, groups: &GroupCoordinator<T>, group: &str) -> Option<GroupMembership> {
    let of_consumers = || Some(of_consumer_group(store, groups.describe_consumer_group(group)?));
    groups.describe(group).map(GroupMembership::from).or_else(of_consumers)
}

/// A group whose coordinator assigns (KIP-848). Its epoch stands for the generation, and its assignor for the protocol.
fn of_consumer_group(store: &Store, described: DescribedConsumerGroup) -> GroupMembership {
    let partitions = |partitions: Partitions| {
        // A topic that was just deleted has no name, and nothing to read.
        let named = partitions.into_iter().filter_map(|(id, partitions)| Some((store.topic_name(id)?, partitions)));
        let each = |(topic, partitions): (Arc<str>, BTreeSet<i32>)| {
            partitions.into_iter().map(move |partition| TopicPartition::new(topic.clone(), partition))
        };
        named.flat_map(each).collect()
    };
    let members = described.members.into_iter().map(|member| GroupMember {
        member_id: member.member_id,
        group_instance_id: member.instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        topics: member.topic_names,
        assignment: partitions(member.assigned),
    });
    GroupMembership {
        group: described.group,
        state: described.state,
        generation: described.epoch,
        protocol_type: "consumer".to_owned(),
        protocol: described.assignor.to_owned(),
        members: members.collect(),
    }
}

fn list<T>(groups: &GroupCoordinator<T>) -> BTreeMap<String, GroupListing> {
    let listing = |group: ListedGroup<'_>| GroupListing {
        group: group.group.to_owned(),
        group_type: group.group_type,
        state: group.state,
        protocol_type: group.protocol_type.to_owned(),
    };
    groups.groups().map(|group| (group.group.to_owned(), listing(group))).collect()
}

/// What those are told whom the coordinator refuses, or does not answer.
pub(crate) fn refused(store: &Store, group: &str, error: GroupError) -> Error {
    match (error, store.check_open()) {
        (GroupError::NotCoordinator, Err(closed)) => closed,
        _ => Error::Group { group: group.to_owned(), error },
    }
}

impl From<DescribedGroup> for GroupMembership {
    fn from(described: DescribedGroup) -> Self {
        Self {
            group: described.group,
            state: described.state,
            generation: described.generation,
            protocol_type: described.protocol_type,
            protocol: described.protocol_name,
            members: described.members.into_iter().map(GroupMember::from).collect(),
        }
    }
}

impl From<DescribedMember> for GroupMember {
    /// What can't be understood, because the group is none of consumers, is left out.
    fn from(described: DescribedMember) -> Self {
        Self {
            topics: Subscription::decode(&described.metadata).map(|said| said.topics).unwrap_or_default(),
            assignment: Assignment::decode(&described.assignment).map(|given| given.partitions).unwrap_or_default(),
            member_id: described.member_id,
            group_instance_id: described.group_instance_id,
            client_id: described.client_id,
            client_host: described.client_host,
        }
    }
}
