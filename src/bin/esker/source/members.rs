//! The members of groups, as the records of a directory tell them. Who of them is alive only their coordinator knows.

use std::collections::BTreeMap;

use esker::coordinator::GroupMetadata;
use esker::{Error, ReadLimits, Store};

use super::group::{Group, Member, assigned};
use crate::failure::Result;

/// Where the records are.
const CONSUMER_OFFSETS: &str = "__consumer_offsets";

/// The groups that have members, as they were written down last.
pub(super) fn groups(store: &Store) -> Result<BTreeMap<String, GroupMetadata>> {
    let mut groups = BTreeMap::new();
    let partitions = match store.partition_count(CONSUMER_OFFSETS) {
        Ok(partitions) => partitions,
        Err(Error::UnknownTopicOrPartition { .. }) => return Ok(groups),
        Err(error) => return Err(error.into()),
    };
    for index in 0..partitions {
        let log = store.partition(CONSUMER_OFFSETS, index)?;
        let mut offset = log.log_start();
        while offset < log.high_watermark() {
            let read = log.read(offset, ReadLimits::new())?;
            offset = read.next_offset();
            for batch in read.batches() {
                let batch = batch?;
                if batch.header().is_control() {
                    continue;
                }
                for record in &batch.records()? {
                    let record = record?;
                    let Some(group) = record.key.and_then(|key| GroupMetadata::decode_key(key).ok().flatten()) else {
                        continue;
                    };
                    match record.value.map(GroupMetadata::decode) {
                        Some(Ok(metadata)) if !metadata.members.is_empty() => _ = groups.insert(group, metadata),
                        // Nobody is left, the group has ended, or it is of a form that nobody here knows.
                        _ => _ = groups.remove(&group),
                    }
                }
            }
        }
    }
    Ok(groups)
}

/// A group as its record tells it. One that has members is taken to be as its coordinator would find it.
pub(super) fn described(group: &str, metadata: Option<&GroupMetadata>) -> Group {
    let members = metadata.map_or(&[][..], |metadata| &metadata.members);
    let state = if members.is_empty() { "Empty" } else { "Stable" };
    let member = |of: &esker::coordinator::MemberMetadata| Member {
        member_id: of.member_id.clone(),
        instance_id: of.group_instance_id.clone(),
        client_id: of.client_id.clone(),
        host: of.client_host.clone(),
        assignment: assigned(&of.assignment),
    };
    Group {
        group: group.to_owned(),
        state: state.to_owned(),
        assignor: metadata.and_then(|metadata| metadata.protocol.clone()).filter(|_| !members.is_empty()),
        members: members.iter().map(member).collect(),
        offsets: Vec::new(),
    }
}
