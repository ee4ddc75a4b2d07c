//! A member of the classic protocol as it behaves, in a group of either kind: it joins, assigns if it leads, asks for
//! its part, and joins again when it is told to, or when topics have changed.

use std::collections::BTreeMap;

use esker::coordinator::{
    Assignment, CooperativeStickyAssignor, GroupError, JoinProtocol, JoinRequest, JoinedMember, LeaveRequest, Members,
    PartitionAssignor, Partitions, RangeAssignor, Response, Subscription, SyncRequest,
};
use esker::{TopicPartition, Uuid};

use crate::client::{Client, Request, fresh_id};
use crate::common::random::Random;

/// The topics that there are, with their ids and partition counts.
pub type Topics = BTreeMap<String, (Uuid, i32)>;

/// What a member knows that has the classic protocol.
#[derive(Clone, Debug)]
pub struct Seat {
    pub phase: Phase,
    /// It keeps what it has while the group rebalances.
    pub is_cooperative: bool,
    /// It is in the group, and has a reason to join again.
    pub must_rejoin: bool,
    session_timeout_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is to join.
    Out,
    /// It is to ask for its part, and to assign first if it leads.
    Joined { members: Vec<JoinedMember> },
    /// It has its part.
    In,
}

impl Seat {
    pub fn new(is_cooperative: bool, random: &mut Random) -> Self {
        let session_timeout_ms = *random.pick(&[10_000, 45_000]);
        Self { phase: Phase::Out, is_cooperative, must_rejoin: false, session_timeout_ms }
    }

    fn assignor(&self) -> &'static dyn PartitionAssignor {
        if self.is_cooperative { &CooperativeStickyAssignor } else { &RangeAssignor }
    }
}

impl Client {
    pub fn next_classic_request(&mut self, seat: &Seat, topics: &Topics, random: &mut Random) -> Request {
        match &seat.phase {
            Phase::In if !seat.must_rejoin => Request::Alive {
                member_id: self.member_id.clone(),
                instance: self.instance.clone(),
                generation: self.epoch,
            },
            Phase::In | Phase::Out => self.next_join(seat, topics, random),
            Phase::Joined { members } => Request::Sync(SyncRequest {
                group: self.group.to_owned(),
                generation: self.epoch,
                member_id: self.member_id.clone(),
                group_instance_id: self.instance.clone(),
                assignments: assign(seat, members, topics),
                ..SyncRequest::default()
            }),
        }
    }

    fn next_join(&mut self, seat: &Seat, topics: &Topics, random: &mut Random) -> Request {
        let wanted = self.topics.clone();
        let is_kept = |id: &Uuid| topics.iter().any(|(name, (known, _))| known == id && wanted.contains(name));
        self.owned.retain(|id, _| seat.is_cooperative && is_kept(id));
        let owned_partitions = if self.forgets_owned { Vec::new() } else { named(&self.owned, topics) };
        let generation = Some(self.epoch).filter(|epoch| *epoch > 0);
        let subscription =
            Subscription { topics: self.topics.clone(), owned_partitions, generation, ..Subscription::default() };
        self.seat_mut().phase = Phase::Out;
        self.seat_mut().must_rejoin = false;
        Request::Join(JoinRequest {
            group: self.group.to_owned(),
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout_ms: seat.session_timeout_ms,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            protocol_type: "consumer".into(),
            protocols: vec![JoinProtocol { name: seat.assignor().name().into(), metadata: subscription.encode() }],
            comes_back_with_id: true,
            can_skip_assignment: true,
            fresh_id: fresh_id(random),
        })
    }

    fn seat_mut(&mut self) -> &mut Seat {
        self.seat.as_mut().unwrap()
    }

    pub fn classic_leave(&self) -> LeaveRequest {
        LeaveRequest { member_id: self.member_id.clone(), group_instance_id: self.instance.clone() }
    }

    /// Takes in the answer to a join or a sync.
    pub fn take_in_classic(&mut self, response: Response, topics: &Topics) {
        self.waits_for = None;
        match response {
            Response::Join(Ok(joined)) => {
                (self.member_id, self.epoch) = (joined.member_id.clone(), joined.generation);
                let assigns = joined.leader == joined.member_id && !joined.skip_assignment;
                // What it had before may not be what it wants now.
                self.seat_mut().must_rejoin |= joined.skip_assignment;
                self.seat_mut().phase = Phase::Joined { members: if assigns { joined.members } else { Vec::new() } };
            }
            Response::Sync(Ok(synced)) => {
                let assigned = identified(&Assignment::decode(&synced.assignment).unwrap().partitions, topics);
                let keeps = |(topic, partition)| assigned.get(topic).is_some_and(|some| some.contains(partition));
                let mut owned = self.owned.iter().flat_map(|(id, some)| some.iter().map(move |one| (id, one)));
                let gave_up = !owned.all(keeps);
                self.owned = assigned;
                self.seat_mut().phase = Phase::In;
                self.seat_mut().must_rejoin |= gave_up;
            }
            Response::Join(Err(refused)) if refused.error == GroupError::MemberIdRequired => {
                self.member_id = refused.member_id;
            }
            Response::Join(Err(refused)) => self.refused(refused.error),
            Response::Sync(Err(error)) => self.refused(error),
            other => panic!("{self:?} is told {other:?}"),
        }
    }

    pub fn refused(&mut self, error: GroupError) {
        match error {
            GroupError::RebalanceInProgress | GroupError::CoordinatorNotAvailable => {
                self.seat_mut().phase = Phase::Out;
            }
            GroupError::UnknownMemberId | GroupError::IllegalGeneration => {
                self.member_id.clear();
                self.lose_all();
            }
            GroupError::FencedInstanceId | GroupError::GroupMaxSizeReached => {
                self.lose_all();
                self.is_alive = false;
            }
            other => panic!("{self:?} is told {other:?}"),
        }
    }
}

fn assign(seat: &Seat, members: &[JoinedMember], topics: &Topics) -> Vec<(String, bytes::Bytes)> {
    let subscription = |member: &JoinedMember| {
        let group_instance_id = member.group_instance_id.clone();
        Subscription { group_instance_id, ..Subscription::decode(&member.metadata).unwrap() }
    };
    let members: Members = members.iter().map(|member| (member.member_id.clone(), subscription(member))).collect();
    let is_wanted = |name: &String| members.values().any(|member| member.topics.contains(name));
    let counts = topics.iter().filter(|(name, _)| is_wanted(name)).map(|(name, (_, count))| (name.clone(), *count));
    let assigned = seat.assignor().assign(&counts.collect(), &members);
    let encode = |(member, partitions)| (member, Assignment { partitions, user_data: None }.encode());
    assigned.into_iter().map(encode).collect()
}

pub fn named(owned: &Partitions, topics: &Topics) -> Vec<TopicPartition> {
    let of_topic = |(name, (id, _)): (&String, &(Uuid, i32))| {
        let partitions = owned.get(id).into_iter().flatten();
        partitions.map(|partition| TopicPartition::new(name.as_str(), *partition)).collect::<Vec<_>>()
    };
    topics.iter().flat_map(of_topic).collect()
}

pub fn identified(partitions: &[TopicPartition], topics: &Topics) -> Partitions {
    let mut identified = Partitions::new();
    for at in partitions {
        if let Some((id, _)) = topics.get(&*at.topic) {
            identified.entry(*id).or_default().insert(at.partition);
        }
    }
    identified
}
