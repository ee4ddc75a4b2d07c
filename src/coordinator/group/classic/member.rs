//! A member of a classic group.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::super::message::{JoinProtocol, JoinRequest};
use super::record::MemberMetadata;

#[derive(Debug)]
pub(in crate::coordinator::group) struct Member<T> {
    pub(in crate::coordinator::group) id: Arc<str>,
    pub(in crate::coordinator::group) group_instance_id: Option<String>,
    pub(in crate::coordinator::group) client_id: String,
    pub(in crate::coordinator::group) client_host: String,
    pub(in crate::coordinator::group) terms: Terms,
    pub(in crate::coordinator::group) assignment: Bytes,
    /// The JoinGroup that it waits with. Set through the group, which counts them.
    pub(in crate::coordinator::group) awaiting_join: Option<T>,
    /// The SyncGroup that it waits with.
    pub(in crate::coordinator::group) awaiting_sync: Option<T>,
    /// It does not know its id yet, so that it can't show that it is alive.
    pub(in crate::coordinator::group) is_new: bool,
}

/// On which terms a member takes part. It can change them with every join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::coordinator::group) struct Terms {
    pub(in crate::coordinator::group) session_timeout_ms: i32,
    pub(in crate::coordinator::group) rebalance_timeout_ms: i32,
    /// No two have the same name.
    pub(in crate::coordinator::group) protocols: Vec<JoinProtocol>,
}

impl Terms {
    pub(in crate::coordinator::group) fn of(request: &JoinRequest) -> Self {
        let mut names = HashSet::new();
        let protocols = request.protocols.iter().filter(|protocol| names.insert(&protocol.name));
        Self {
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms.max(0),
            protocols: protocols.cloned().collect(),
        }
    }
}

impl<T> Member<T> {
    pub(in crate::coordinator::group) fn new(id: Arc<str>, request: &JoinRequest) -> Self {
        Self {
            id,
            group_instance_id: request.group_instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            terms: Terms::of(request),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
        }
    }

    /// The member that a record tells of, in a group that goes by `protocol`.
    pub(in crate::coordinator::group) fn from_record(record: MemberMetadata, protocol: &str) -> Self {
        let MemberMetadata { session_timeout_ms, rebalance_timeout_ms, .. } = record;
        let protocols = vec![JoinProtocol { name: protocol.to_owned(), metadata: record.subscription }];
        Self {
            id: record.member_id.into(),
            group_instance_id: record.group_instance_id,
            client_id: record.client_id,
            client_host: record.client_host,
            terms: Terms { session_timeout_ms, rebalance_timeout_ms, protocols },
            assignment: record.assignment,
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }

    pub(in crate::coordinator::group) fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }

    /// What it has to say for a protocol.
    pub(in crate::coordinator::group) fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let mut protocols = self.terms.protocols.iter();
        protocols.find(|known| Some(&*known.name) == protocol).map_or_else(Bytes::new, |known| known.metadata.clone())
    }

    /// Whether its silence means nothing: it waits for an answer.
    pub(in crate::coordinator::group) fn is_held_up(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}
