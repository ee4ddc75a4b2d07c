//! Group membership: who is in which consumer group, and who of them reads which partitions. Kafka's classic protocol,
//! the coordinator's side.
//!
//! [`GroupCoordinator`] is a state machine without I/O. Requests, the passing of time and the fate of its records go in;
//! what comes out are [`Action`]s: requests to answer, records to write. It reads no clock, waits for nothing and touches
//! no disk, so that whoever drives it decides about all of that, and seven minutes of rebalancing can be tested in a
//! microsecond. Each store has one, which consumers of this process and clients of a server share; it is public for those
//! who build a broker of their own.
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
//! A group goes through generations. Each begins with a join phase, in which every member says what it wants; the first
//! member leads, and gets to know the others. In the sync phase the leader hands in who is to read what, which the
//! coordinator neither understands nor needs to: it writes it down, and gives each member its part. A member is alive as
//! long as it sends heartbeats or commits within its session timeout.
//!
//! ```
//! use esker::coordinator::{Action, GroupCoordinator, JoinProtocol, JoinRequest, Response, SyncRequest};
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
//! let Some(Action::Write { write: Some(write), metadata: Some(metadata), .. }) = groups.next_action() else {
//!     panic!("the assignment is written before anybody goes by it");
//! };
//! assert_eq!(metadata.members[0].assignment, "payments-0");
//! groups.written(write, Ok(()), 9);
//! assert!(matches!(groups.next_action(), Some(Action::Respond { response: Response::Sync(Ok(_)), .. })));
//! assert_eq!(groups.check_commit("billing", &joined.member_id, None, joined.generation, 9), Ok(()));
//! ```
//!
//! # Durability
//!
//! A group's generation, members and assignment are a record of `__consumer_offsets` in Kafka's schema
//! ([`GroupMetadata`]). After a restart [`load`](GroupCoordinator::load) takes in the last one of each group, and its
//! members go on in the generation that they were in.

pub(crate) mod driver;
mod group;
pub(crate) mod local;
mod membership;

pub use group::{
    Action, Assignment, CooperativeStickyAssignor, DescribedGroup, DescribedMember, GroupCoordinator, GroupError,
    GroupMetadata, GroupState, JoinProtocol, JoinRequest, Joined, JoinedMember, LeaveRequest, ListedGroup,
    MemberMetadata, Members, NotJoined, PartitionAssignor, RangeAssignor, RebalanceProtocol, Response,
    RoundRobinAssignor, StickyAssignor, Subscription, SyncRequest, Synced, WriteId,
};
pub use membership::{GroupListing, GroupMember, GroupMembership};
