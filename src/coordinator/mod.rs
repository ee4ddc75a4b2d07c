//! Group membership: who is in which consumer group, and who of them reads which partitions. The coordinator's side of
//! Kafka's classic protocol, and of the consumer protocol of [consumer groups](#consumer-groups).
//!
//! [`GroupCoordinator`] is a state machine without I/O. Requests, the passing of time and the fate of its records go
//! in; what comes out are [`Action`]s: requests to answer, records to write. It reads no clock, waits for nothing and
//! touches no disk, so that whoever drives it decides about all of that, and seven minutes of rebalancing can be tested
//! in a microsecond. Each store has one, which consumers of this process and clients of a server share; it is public
//! for those who build a broker of their own.
//!
//! ```text
//!                  join                      all have joined, or time is up
//!        Empty ───────────▶ PreparingRebalance ───────────▶ CompletingRebalance
//!          ▲                  │          ▲  ▲                  │           │
//!          └── nobody left ───┘          │  └── join, leave, ──┘           │ the leader's assignment
//!                                        │      failure                    ▼ is written
//!                                        └──────────────────────────── Stable
//! ```
//!
//! Requests and records have the fields of Kafka's, without what is about the wire. Construct one with
//! `..Default::default()`, for new versions of Kafka bring new fields.
//!
//! A group goes through generations. Each begins with a join phase, in which every member says what it wants; the first
//! member leads, and gets to know the others. In the sync phase the leader hands in who is to read what, which the
//! coordinator neither understands nor needs to: it writes it down, and gives each member its part. A member is alive
//! as long as it sends heartbeats or commits within its session timeout.
//!
//! ```
//! use esker::coordinator::{Action, GroupCoordinator, GroupRecord, JoinProtocol, JoinRequest, Response, SyncRequest};
//! use esker::{StoreConfig, Uuid};
//!
//! let config = StoreConfig { group_initial_rebalance_delay_ms: 0, ..StoreConfig::default() };
//! let mut groups = GroupCoordinator::new(&config);
//! let join = JoinRequest {
//!     group: "billing".into(),
//!     client_id: "app".into(),
//!     session_timeout_ms: 45_000,
//!     rebalance_timeout_ms: 300_000,
//!     protocol_type: "consumer".into(),
//!     protocols: vec![JoinProtocol { name: "range".into(), metadata: "payments".into() }],
//!     fresh_id: Uuid::from_bytes([7; 16]), // random in earnest
//!     ..JoinRequest::default()
//! };
//! groups.join(join, "request 1", 0);
//! groups.tick(0); // the initial delay of 0 ms is over
//! let Some(Action::Respond { to: "request 1", response: Response::Join(Ok(joined)) }) = groups.next_action() else {
//!     panic!("the only member has joined, and leads");
//! };
//!
//! let assignments = vec![(joined.member_id.clone(), "payments-0".into())];
//! let member_id = joined.member_id.clone();
//! let (group, generation) = ("billing".into(), joined.generation);
//! groups.sync(SyncRequest { group, generation, member_id, assignments, ..SyncRequest::default() }, "request 2", 5);
//! let Some(Action::Write { write: Some(write), records, .. }) = groups.next_action() else {
//!     panic!("the assignment is written before anybody goes by it");
//! };
//! let [GroupRecord::Classic(Some(metadata))] = &*records else { panic!("one record holds it all") };
//! assert_eq!(metadata.members[0].assignment, "payments-0");
//! groups.written(write, Ok(()), 9);
//! assert!(matches!(groups.next_action(), Some(Action::Respond { response: Response::Sync(Ok(_)), .. })));
//! assert_eq!(groups.check_commit("billing", &joined.member_id, None, joined.generation, 9), Ok(()));
//! ```
//!
//! # Consumer groups
//!
//! In the consumer protocol (KIP-848) the coordinator assigns, and all that a member sends are heartbeats
//! ([`GroupCoordinator::consumer_heartbeat`]). They say what it is subscribed to and what it reads; the answers say
//! what it is to read. Nobody waits for the others: members go on with what they keep while partitions go from one to
//! another, each when the one that had it has let go.
//!
//! ```
//! use esker::coordinator::{Action, ConsumerHeartbeatRequest, GroupCoordinator, Partitions, Response};
//! use esker::{StoreConfig, Uuid};
//!
//! let mut groups = GroupCoordinator::new(&StoreConfig::default());
//! let payments = Uuid::from_bytes([1; 16]);
//! groups.set_topics([("payments".to_owned(), payments, 2)]);
//! let join = ConsumerHeartbeatRequest {
//!     group: "billing".into(),
//!     member_id: "a random one".into(),
//!     rebalance_timeout_ms: 60_000,
//!     topic_names: Some(vec!["payments".into()]),
//!     owned: Some(Partitions::new()),
//!     ..ConsumerHeartbeatRequest::default()
//! };
//! groups.consumer_heartbeat(join, "request 1", 0);
//! let Some(Action::Write { write: Some(write), .. }) = groups.next_action() else {
//!     panic!("what is decided is written before anybody goes by it");
//! };
//! groups.written(write, Ok(()), 5);
//! let Some(Action::Respond { to: "request 1", response: Response::ConsumerHeartbeat(Ok(answer)) }) = groups.next_action()
//! else {
//!     panic!("the only member gets everything");
//! };
//! assert_eq!(answer.assignment, Some([(payments, [0, 1].into())].into()));
//! assert_eq!(groups.check_commit("billing", "a random one", None, answer.member_epoch, 9), Ok(()));
//! ```
//!
//! A group without members is of whichever protocol the next member has. One of the classic protocol becomes a consumer
//! group while it is in use, when the first member comes that has the consumer protocol, and a classic one again when
//! the last such member has gone, as far as
//! [`group.consumer.migration.policy`](crate::StoreConfig::group_consumer_migration_policy) lets it. Members of the
//! classic protocol are members of a consumer group as well: they join, sync and send heartbeats as ever, and the
//! coordinator assigns.
//!
//! # Durability
//!
//! A group's generation, members and assignment are a record of `__consumer_offsets` in Kafka's schema
//! ([`GroupMetadata`]). After a restart [`replay`](GroupCoordinator::replay) takes in the last one of each group, and
//! its members go on in the generation that they were in. A consumer group has several records ([`GroupRecord`]), of
//! which those of one decision are appended as one batch.

pub(crate) mod driver;
mod group;
pub(crate) mod local;
mod membership;
pub(crate) mod pattern;

pub(crate) use group::NO_GENERATION;
pub use group::{
    Action, Assignment, ClassicMemberMetadata, Committer, ConsumerGroupMetadataValue, ConsumerHeartbeat,
    ConsumerHeartbeatRequest, ConsumerMemberMetadata, CooperativeStickyAssignor, CurrentAssignment,
    DescribedConsumerGroup, DescribedConsumerMember, DescribedGroup, DescribedMember, GroupCoordinator, GroupError,
    GroupMetadata, GroupRecord, GroupState, GroupType, JoinProtocol, JoinRequest, Joined, JoinedMember, LeaveRequest,
    ListedGroup, MemberMetadata, MemberState, Members, NotJoined, PartitionAssignor, Partitions, RangeAssignor,
    RebalanceProtocol, ResolvedRegex, Response, RoundRobinAssignor, StickyAssignor, Subscription, SyncRequest, Synced,
    WriteId,
};
pub(crate) use membership::refused;
pub use membership::{GroupListing, GroupMember, GroupMembership};
