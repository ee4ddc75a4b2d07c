//! A consumer as it behaves: it joins, syncs, sends heartbeats and commits, and does what it is told.

use bytes::Bytes;
use esker::coordinator::{GroupError, JoinProtocol, JoinRequest, JoinedMember, LeaveRequest, Response, SyncRequest};

use crate::common::random::Random;

pub const PARTITIONS: u8 = 5;

/// What a client sends.
#[derive(Clone, Debug)]
pub enum Request {
    Join(JoinRequest),
    Sync(SyncRequest),
    Heartbeat(Identity),
    Commit(Identity),
    Leave(Identity),
}

/// Which member of which generation says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub group: String,
    pub member_id: String,
    pub instance: Option<String>,
    pub generation: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is to join.
    Out,
    /// It is to ask for its part, and to assign first if it leads.
    Joined { members: Vec<JoinedMember> },
    /// It has its part.
    Member { part: Bytes },
    /// It has ended, or was killed.
    Dead,
}

#[derive(Clone, Debug)]
pub struct Client {
    pub identity: Identity,
    pub phase: Phase,
    /// The request that it waits for.
    pub waits_for: Option<u64>,
    session_timeout_ms: i32,
    rebalance_timeout_ms: i32,
    protocols: Vec<JoinProtocol>,
    is_modern: bool,
}

impl Client {
    pub fn new(group: String, instance: Option<String>, random: &mut Random) -> Self {
        let mut names = vec!["common"];
        names.extend(["one", "two"].into_iter().filter(|_| random.one_in(2)));
        if random.one_in(2) {
            names.reverse();
        }
        let protocol = |name: &str| JoinProtocol { name: name.into(), metadata: subscription(random.below(3) as u8) };
        Self {
            identity: Identity { group, member_id: String::new(), instance, generation: -1 },
            phase: Phase::Out,
            waits_for: None,
            protocols: names.into_iter().map(protocol).collect(),
            session_timeout_ms: *random.pick(&[6_000, 10_000, 45_000]),
            rebalance_timeout_ms: *random.pick(&[5_000, 10_000, 60_000]),
            is_modern: !random.one_in(3),
        }
    }

    pub fn is_alive(&self) -> bool {
        self.phase != Phase::Dead
    }

    /// Starts again, as the same static member if it is one.
    pub fn restart(&mut self) {
        self.forget();
        self.waits_for = None;
    }

    /// It wants something else, which takes a rebalance.
    pub fn change_subscription(&mut self, random: &mut Random) {
        self.protocols.iter_mut().for_each(|protocol| protocol.metadata = subscription(random.below(250) as u8));
        self.phase = Phase::Out;
    }

    /// What it sends next. Once in a while it commits instead of a heartbeat.
    pub fn next_request(&self, fresh_id: esker::Uuid, random: &mut Random) -> Option<Request> {
        let identity = self.identity.clone();
        match &self.phase {
            _ if self.waits_for.is_some() => None,
            Phase::Dead => None,
            Phase::Out => Some(Request::Join(JoinRequest {
                group: identity.group,
                member_id: identity.member_id,
                group_instance_id: identity.instance,
                client_id: "client".into(),
                client_host: "/127.0.0.1".into(),
                session_timeout_ms: self.session_timeout_ms,
                rebalance_timeout_ms: self.rebalance_timeout_ms,
                protocol_type: "consumer".into(),
                protocols: self.protocols.clone(),
                comes_back_with_id: self.is_modern,
                can_skip_assignment: self.is_modern,
                fresh_id,
            })),
            Phase::Joined { members } => Some(Request::Sync(SyncRequest {
                group: identity.group,
                generation: identity.generation,
                member_id: identity.member_id,
                group_instance_id: identity.instance,
                assignments: assign(members, random),
                ..SyncRequest::default()
            })),
            Phase::Member { .. } if random.one_in(3) => Some(Request::Commit(identity)),
            Phase::Member { .. } => Some(Request::Heartbeat(identity)),
        }
    }

    /// Takes in the answer that it has waited for.
    pub fn take_in(&mut self, response: Response) {
        self.waits_for = None;
        match response {
            Response::Join(Ok(joined)) => {
                (self.identity.member_id, self.identity.generation) = (joined.member_id.clone(), joined.generation);
                let assigns = joined.leader == joined.member_id && !joined.skip_assignment;
                self.phase = Phase::Joined { members: if assigns { joined.members } else { Vec::new() } };
            }
            Response::Sync(Ok(synced)) => self.phase = Phase::Member { part: synced.assignment },
            Response::Join(Err(refused)) if refused.error == GroupError::MemberIdRequired => {
                self.identity.member_id = refused.member_id;
            }
            Response::Join(Err(refused)) => self.refused(refused.error),
            Response::Sync(Err(error)) => self.refused(error),
            other => panic!("{self:?} is told {other:?}"),
        }
    }

    pub fn refused(&mut self, error: GroupError) {
        match error {
            GroupError::UnknownMemberId | GroupError::IllegalGeneration => self.forget(),
            GroupError::RebalanceInProgress | GroupError::CoordinatorNotAvailable => self.phase = Phase::Out,
            // A group that was read from its records knows but the protocol that it goes by, and takes nobody without
            // it.
            GroupError::FencedInstanceId | GroupError::GroupMaxSizeReached | GroupError::InconsistentGroupProtocol => {
                self.phase = Phase::Dead;
            }
            other => panic!("{self:?} is told {other:?}"),
        }
    }

    fn forget(&mut self) {
        (self.identity.member_id, self.identity.generation) = (String::new(), -1);
        self.phase = Phase::Out;
    }
}

impl Identity {
    pub fn leave(&self) -> LeaveRequest {
        LeaveRequest { member_id: self.member_id.clone(), group_instance_id: self.instance.clone() }
    }
}

/// A subscription to the topic "t", with something in it that the coordinator does not understand.
pub fn subscription(user_data: u8) -> Bytes {
    [&b"\0\x01\0\0\0\x01\0\x01t\0\0\0\x01"[..], &[user_data]].concat().into()
}

/// Gives each partition to some member.
fn assign(members: &[JoinedMember], random: &mut Random) -> Vec<(String, Bytes)> {
    let mut parts = vec![Vec::new(); members.len()];
    if !members.is_empty() {
        (0..PARTITIONS).for_each(|partition| parts[random.below(members.len() as u64) as usize].push(partition));
    }
    members.iter().zip(parts).map(|(member, part)| (member.member_id.clone(), part.into())).collect()
}
