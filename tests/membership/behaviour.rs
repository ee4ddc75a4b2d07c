//! The protocol's rules, one by one.

use bytes::Bytes;
use esker::coordinator::{
    Action, GroupCoordinator, GroupError, GroupMetadata, GroupRecord, GroupState, JoinProtocol, JoinRequest, Joined,
    LeaveRequest, MemberMetadata, NotJoined, Response, SyncRequest, Synced, WriteId,
};
use esker::{StoreConfig, Uuid};

use crate::client::subscription;

const SESSION_MS: i64 = 10_000;
const REBALANCE_MS: i64 = 60_000;

/// A coordinator, and the time.
struct Fixture {
    groups: GroupCoordinator<&'static str>,
    now_ms: i64,
    next_id: u8,
}

impl Fixture {
    fn new(config: StoreConfig) -> Self {
        Self { groups: GroupCoordinator::new(&config), now_ms: 0, next_id: 0 }
    }

    /// Groups begin at once.
    fn without_delay() -> Self {
        Self::new(StoreConfig { group_initial_rebalance_delay_ms: 0, ..StoreConfig::default() })
    }

    fn request(&mut self, member_id: &str, instance: Option<&str>, protocols: &[&str]) -> JoinRequest {
        self.next_id += 1;
        let protocol = |name: &&str| JoinProtocol { name: (*name).into(), metadata: subscription(0) };
        JoinRequest {
            group: "g".into(),
            member_id: member_id.into(),
            group_instance_id: instance.map(str::to_owned),
            client_id: "c".into(),
            session_timeout_ms: SESSION_MS as i32,
            rebalance_timeout_ms: REBALANCE_MS as i32,
            protocol_type: "consumer".into(),
            protocols: protocols.iter().map(protocol).collect(),
            fresh_id: Uuid::from_bytes([self.next_id; 16]),
            ..JoinRequest::default()
        }
    }

    fn join(&mut self, token: &'static str, member_id: &str) {
        let request = self.request(member_id, None, &["range"]);
        self.groups.join(request, token, self.now_ms);
    }

    fn join_static(&mut self, token: &'static str, instance: &str) {
        let request = JoinRequest { can_skip_assignment: true, ..self.request("", Some(instance), &["range"]) };
        self.groups.join(request, token, self.now_ms);
    }

    fn sync(&mut self, token: &'static str, of: &Joined, assignments: &[(&str, &'static str)]) {
        let request = SyncRequest {
            group: "g".into(),
            generation: of.generation,
            member_id: of.member_id.clone(),
            assignments: assignments.iter().map(|(id, part)| ((*id).to_owned(), Bytes::from(*part))).collect(),
            ..SyncRequest::default()
        };
        self.groups.sync(request, token, self.now_ms);
    }

    fn heartbeat(&mut self, of: &Joined) -> Result<(), GroupError> {
        self.groups.heartbeat("g", &of.member_id, None, of.generation, self.now_ms)
    }

    /// So much time passes, and nothing happens but what is due.
    fn pass(&mut self, ms: i64) {
        let until = self.now_ms + ms;
        while let Some(deadline) = self.groups.next_deadline().filter(|deadline| *deadline <= until) {
            self.groups.tick(deadline);
        }
        self.now_ms = until;
    }

    fn joined(&mut self, token: &str) -> Joined {
        match self.groups.next_action() {
            Some(Action::Respond { to, response: Response::Join(Ok(joined)) }) if to == token => joined,
            other => panic!("{token} has not joined, but {other:?}"),
        }
    }

    fn refused(&mut self, token: &str) -> NotJoined {
        match self.groups.next_action() {
            Some(Action::Respond { to, response: Response::Join(Err(refused)) }) if to == token => refused,
            other => panic!("{token} is not refused, but {other:?}"),
        }
    }

    fn synced(&mut self, token: &str) -> Result<Synced, GroupError> {
        match self.groups.next_action() {
            Some(Action::Respond { to, response: Response::Sync(synced) }) if to == token => synced,
            other => panic!("{token} has no part, but {other:?}"),
        }
    }

    fn writes(&mut self) -> (Option<WriteId>, Option<GroupMetadata>) {
        match self.groups.next_action() {
            Some(Action::Write { write, mut records, .. }) => match (records.pop(), &*records) {
                (Some(GroupRecord::Classic(metadata)), []) => (write, metadata),
                other => panic!("one record holds it all, not {other:?}"),
            },
            other => panic!("nothing is written, but {other:?}"),
        }
    }

    /// The write that comes next succeeds, or not.
    fn written(&mut self, result: Result<(), GroupError>) -> GroupMetadata {
        let (write, metadata) = self.writes();
        self.groups.written(write.unwrap(), result, self.now_ms);
        metadata.unwrap()
    }

    fn nothing(&mut self) {
        assert_eq!(self.groups.next_action(), None);
    }

    fn state(&self) -> GroupState {
        self.groups.describe("g").map_or(GroupState::Dead, |group| group.state)
    }

    /// A stable group of one member.
    fn with_member(mut self) -> (Self, Joined) {
        self.join("join", "");
        self.pass(0);
        let joined = self.joined("join");
        self.sync("sync", &joined, &[(&joined.member_id, "all")]);
        self.written(Ok(()));
        assert_eq!(self.synced("sync").unwrap().assignment, "all");
        (self, joined)
    }

    /// A stable group of one static member.
    fn with_static_member() -> (Self, Joined) {
        let mut fixture = Self::without_delay();
        fixture.join_static("join", "one");
        fixture.pass(0);
        let joined = fixture.joined("join");
        fixture.sync("sync", &joined, &[(&joined.member_id, "all")]);
        fixture.written(Ok(()));
        fixture.synced("sync").unwrap();
        (fixture, joined)
    }
}

/// A group in generation 7 with these members and their names.
fn recorded(leader: &str, members: &[(&str, Option<&str>)]) -> GroupMetadata {
    let member = |(id, instance): &(&str, Option<&str>)| MemberMetadata {
        member_id: (*id).into(),
        group_instance_id: instance.map(str::to_owned),
        session_timeout_ms: SESSION_MS as i32,
        rebalance_timeout_ms: REBALANCE_MS as i32,
        subscription: subscription(0),
        ..MemberMetadata::default()
    };
    GroupMetadata {
        protocol_type: "consumer".into(),
        generation: 7,
        protocol: Some("range".into()),
        leader: Some(leader.into()),
        members: members.iter().map(member).collect(),
        ..GroupMetadata::default()
    }
}

#[test]
#[should_panic(expected = "no string is longer")]
fn a_name_is_never_cut_short_in_a_record() {
    GroupMetadata::encode_key(&"g".repeat((1 << 16) + 1));
}

#[test]
fn what_could_never_be_written_down_is_not_kept() {
    let mut fixture = Fixture::without_delay();
    let large = |bytes: usize| JoinProtocol { name: "range".into(), metadata: vec![0; bytes].into() };
    let other = |bytes: usize| JoinProtocol { name: "roundrobin".into(), ..large(bytes) };
    let too_long = || "n".repeat(1 << 15);
    let request = fixture.request("", None, &[]);
    for refused in [
        JoinRequest { protocols: vec![large(1_048_588)], ..request.clone() },
        JoinRequest { protocols: vec![large(600_000), other(600_000)], ..request.clone() },
        JoinRequest { protocols: vec![large(1)], client_id: "c".repeat(1_048_588), ..request.clone() },
        JoinRequest { protocols: vec![large(1)], client_host: "h".repeat(1_048_588), ..request.clone() },
        JoinRequest { protocols: vec![large(1)], group_instance_id: Some("i".repeat(1_048_588)), ..request.clone() },
        // The length of a name is 16 bits wide.
        JoinRequest { protocols: vec![large(1)], client_id: too_long(), ..request.clone() },
        JoinRequest { protocols: vec![large(1)], group_instance_id: Some(too_long()), ..request.clone() },
        JoinRequest { protocols: vec![large(1)], protocol_type: too_long(), ..request.clone() },
        JoinRequest { protocols: vec![JoinProtocol { name: too_long(), ..large(1) }], ..request.clone() },
    ] {
        fixture.groups.join(refused, "a", 0);
        assert_eq!(fixture.refused("a").error, GroupError::UnknownServerError);
        assert_eq!(fixture.groups.describe("g"), None);
    }
    fixture.groups.join(JoinRequest { group: too_long(), protocols: vec![large(1)], ..request.clone() }, "a", 0);
    assert_eq!(fixture.refused("a").error, GroupError::InvalidGroupId);
    fixture.groups.join(JoinRequest { protocols: vec![large(500_000), other(500_000)], ..request }, "a", 0);
    fixture.pass(0);
    fixture.joined("a");
}

#[test]
fn the_first_members_wait_for_others_up_to_the_rebalance_timeout() {
    let mut fixture = Fixture::new(StoreConfig::default());
    fixture.join("first", "");
    fixture.pass(2999);
    fixture.nothing();
    fixture.join("second", "");
    // Somebody has come: 3 s more.
    fixture.pass(2999);
    fixture.nothing();
    fixture.pass(2);
    let (first, second) = (fixture.joined("first"), fixture.joined("second"));
    assert_eq!((first.generation, second.generation, first.members.len(), second.members.len()), (1, 1, 2, 0));
    assert_eq!(first.leader, first.member_id);

    let mut fixture = Fixture::new(StoreConfig::default());
    for _ in 0..40 {
        fixture.join("member", "");
        fixture.pass(1500);
    }
    assert_eq!(fixture.state(), GroupState::CompletingRebalance, "but no longer than a rebalance may take");
}

#[test]
fn a_member_comes_back_with_its_id_or_is_forgotten() {
    let mut fixture = Fixture::without_delay();
    let request = JoinRequest { comes_back_with_id: true, ..fixture.request("", None, &["range"]) };
    fixture.groups.join(request, "new", 0);
    let NotJoined { error, member_id } = fixture.refused("new");
    assert_eq!(error, GroupError::MemberIdRequired);
    assert_eq!(member_id, "c-01010101-0101-0101-0101-010101010101");
    fixture.join("again", &member_id);
    fixture.pass(0);
    assert_eq!(fixture.joined("again").member_id, member_id);

    let mut fixture = Fixture::without_delay();
    let request = JoinRequest { comes_back_with_id: true, ..fixture.request("", None, &["range"]) };
    fixture.groups.join(request, "new", 0);
    let member_id = fixture.refused("new").member_id;
    fixture.pass(SESSION_MS);
    fixture.join("too late", &member_id);
    assert_eq!(fixture.refused("too late").error, GroupError::UnknownMemberId);
    assert_eq!(fixture.state(), GroupState::Dead, "nothing is left of a group that nobody has joined");
    assert_eq!(fixture.groups.bookkeeping(), (0, 0));
}

#[test]
fn ids_that_nobody_joins_with_are_bounded() {
    let mut next_id = 0_u128;
    let mut new_member = |fixture: &mut Fixture, group: &str| {
        next_id += 1;
        let fresh_id = Uuid::from_bytes(next_id.to_be_bytes());
        let request = Fixture::without_delay().request("", None, &["range"]);
        let request = JoinRequest { group: group.into(), comes_back_with_id: true, fresh_id, ..request };
        fixture.groups.join(request, "new", fixture.now_ms);
        fixture.refused("new")
    };
    let full = NotJoined { error: GroupError::CoordinatorNotAvailable, member_id: String::new() };
    let ids = |fixture: &Fixture| fixture.groups.bookkeeping().0;

    // As many as there may be members.
    let config = StoreConfig { group_initial_rebalance_delay_ms: 0, group_max_size: 3, ..StoreConfig::default() };
    let mut fixture = Fixture::new(config);
    let given: Vec<_> = (0..3).map(|_| new_member(&mut fixture, "g").member_id).collect();
    assert_eq!((new_member(&mut fixture, "g"), ids(&fixture)), (full.clone(), 3));
    assert_eq!(new_member(&mut fixture, "other").error, GroupError::MemberIdRequired);
    fixture.join("one of them", &given[0]);
    assert_eq!(new_member(&mut fixture, "g").error, GroupError::MemberIdRequired, "there is one less");
    assert_eq!(new_member(&mut fixture, "g"), full);
    fixture.pass(SESSION_MS);
    fixture.joined("one of them");
    fixture.writes();
    assert_eq!(new_member(&mut fixture, "g").error, GroupError::MemberIdRequired, "there are none after a while");

    // Where there is no such limit, too, and over groups that have nothing else.
    for (name, is_one_group) in [("g".to_owned(), true), ("g".to_owned(), false), ("g".repeat(30_000), false)] {
        let mut fixture = Fixture::without_delay();
        let group = |number: usize| if is_one_group { name.clone() } else { format!("{name}{number}") };
        let given = (0..100_000).find(|number| new_member(&mut fixture, &group(*number)) == full);
        let given = given.expect("there is an end to it");
        assert_eq!(ids(&fixture), given);
        assert!(fixture.groups.groups().count() * name.len() <= 16 << 20);
        fixture.pass(SESSION_MS);
        assert_eq!((ids(&fixture), fixture.groups.groups().count()), (0, 0));
        assert_eq!(new_member(&mut fixture, &group(0)).error, GroupError::MemberIdRequired);
    }
}

#[test]
fn members_vote_for_a_protocol_that_all_of_them_know() {
    let mut fixture = Fixture::without_delay();
    for (token, protocols) in
        [("a", &["range", "sticky"][..]), ("b", &["sticky", "range"]), ("c", &["sticky", "other", "range"])]
    {
        let request = fixture.request("", None, protocols);
        fixture.groups.join(request, token, 0);
    }
    let request = fixture.request("", None, &["other"]);
    fixture.groups.join(request, "d", 0);
    assert_eq!(fixture.refused("d").error, GroupError::InconsistentGroupProtocol);
    fixture.pass(0);
    assert_eq!(fixture.joined("a").protocol_name.as_deref(), Some("sticky"));
}

#[test]
fn a_tie_is_decided_as_in_kafka() {
    let mut fixture = Fixture::without_delay();
    for (token, protocols) in [("a", ["range", "roundrobin"]), ("b", ["roundrobin", "range"])] {
        let request = fixture.request("", None, &protocols);
        fixture.groups.join(request, token, 0);
    }
    fixture.pass(0);
    assert_eq!(fixture.joined("a").protocol_name.as_deref(), Some("range"), "it comes first in Java's map");
}

#[test]
fn the_slow_are_left_behind_and_the_next_one_leads() {
    let (mut fixture, first) = Fixture::without_delay().with_member();
    fixture.join("second", "");
    assert_eq!(fixture.heartbeat(&first), Err(GroupError::RebalanceInProgress));
    // It goes on with its heartbeats, and does not join.
    for _ in 0..REBALANCE_MS / 5000 {
        fixture.pass(5000);
        let _ = fixture.heartbeat(&first);
    }
    let second = fixture.joined("second");
    assert_eq!((second.generation, &second.leader, second.members.len()), (2, &second.member_id, 1));
    assert_eq!(fixture.heartbeat(&first), Err(GroupError::UnknownMemberId));
}

#[test]
fn whoever_does_not_ask_for_its_part_in_time_is_dropped() {
    let mut fixture = Fixture::without_delay();
    fixture.join("first", "");
    fixture.join("second", "");
    fixture.pass(0);
    let (first, second) = (fixture.joined("first"), fixture.joined("second"));
    let (leads, follows) = if first.members.is_empty() { (second, first) } else { (first, second) };
    fixture.sync("follower", &follows, &[]);
    for _ in 0..REBALANCE_MS / 5000 {
        fixture.pass(5000);
        let _ = fixture.heartbeat(&leads);
    }
    assert_eq!(fixture.synced("follower"), Err(GroupError::RebalanceInProgress), "the leader is gone");
    assert_eq!(fixture.heartbeat(&leads), Err(GroupError::UnknownMemberId));
    assert_eq!(fixture.heartbeat(&follows), Err(GroupError::RebalanceInProgress));
}

#[test]
fn a_part_counts_once_it_is_written() {
    let mut fixture = Fixture::without_delay();
    fixture.join("join", "");
    fixture.pass(0);
    let joined = fixture.joined("join");
    fixture.sync("sync", &joined, &[(&joined.member_id, "all")]);
    let metadata = fixture.written(Err(GroupError::CoordinatorNotAvailable));
    assert_eq!((metadata.generation, metadata.members.len()), (1, 1));
    assert_eq!(fixture.synced("sync"), Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(fixture.state(), GroupState::PreparingRebalance);

    fixture.join("again", &joined.member_id);
    let joined = fixture.joined("again");
    fixture.sync("sync", &joined, &[(&joined.member_id, "all")]);
    let (write, _) = fixture.writes();
    // What is being written is decided.
    fixture.sync("changed its mind", &joined, &[(&joined.member_id, "nothing")]);
    assert_eq!(fixture.synced("sync"), Err(GroupError::RebalanceInProgress), "one answer is enough");
    fixture.nothing();
    fixture.groups.written(write.unwrap(), Ok(()), fixture.now_ms);
    assert_eq!(fixture.synced("changed its mind").unwrap().assignment, "all");
    assert_eq!(fixture.state(), GroupState::Stable);
}

#[test]
fn nobody_has_a_part_of_a_generation_that_came_to_nothing() {
    let (mut fixture, joined) = Fixture::without_delay().with_member();
    let part = |fixture: &Fixture| fixture.groups.describe("g").unwrap().members.remove(0).assignment;
    fixture.join("again", &joined.member_id);
    let joined = fixture.joined("again");
    assert_eq!(part(&fixture), "all", "until the next one is assigned");
    fixture.sync("sync", &joined, &[(&joined.member_id, "some")]);
    fixture.written(Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(fixture.synced("sync"), Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(part(&fixture), "");
}

#[test]
fn a_static_member_takes_its_own_place() {
    let (mut fixture, first) = Fixture::with_static_member();
    fixture.join_static("back", "one");
    let metadata = fixture.written(Ok(()));
    let back = fixture.joined("back");
    assert_eq!((back.generation, &metadata.members[0].member_id), (first.generation, &back.member_id));
    assert_eq!(metadata.members[0].assignment, "all");
    assert!(back.skip_assignment && back.leader == back.member_id);
    let now_ms = fixture.now_ms;
    let fenced = fixture.groups.heartbeat("g", &first.member_id, Some("one"), first.generation, now_ms);
    assert_eq!(fenced, Err(GroupError::FencedInstanceId));
    assert_eq!(
        fixture.groups.check_commit("g", &first.member_id, Some("one"), first.generation, now_ms),
        Err(GroupError::FencedInstanceId)
    );

    // What can't be written does not count.
    fixture.join_static("back again", "one");
    fixture.written(Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(fixture.refused("back again").error, GroupError::CoordinatorNotAvailable);
    assert_eq!(fixture.groups.heartbeat("g", &back.member_id, Some("one"), back.generation, now_ms), Ok(()));

    // A client that can't skip the assignment must not take itself for the leader.
    let request = fixture.request("", Some("one"), &["range"]);
    fixture.groups.join(request, "old client", now_ms);
    fixture.written(Ok(()));
    let old = fixture.joined("old client");
    assert!(old.leader != old.member_id && !old.skip_assignment && old.members.is_empty());
}

#[test]
fn a_static_member_that_is_back_is_told_of_the_rebalance_that_has_begun_meanwhile() {
    let mut fixture = Fixture::without_delay();
    fixture.join_static("one", "one");
    fixture.join_static("two", "two");
    fixture.pass(0);
    let (one, two) = (fixture.joined("one"), fixture.joined("two"));
    fixture.sync("one", &one, &[]);
    fixture.written(Ok(()));
    fixture.synced("one").unwrap();
    fixture.join_static("back", "one");
    let (write, _) = fixture.writes();
    fixture.join("third", "");
    fixture.groups.written(write.unwrap(), Ok(()), fixture.now_ms);
    fixture.nothing();
    let request = fixture.request(&two.member_id, Some("two"), &["range"]);
    fixture.groups.join(request, "two", fixture.now_ms);
    for token in ["third", "back", "two"] {
        assert_eq!(fixture.joined(token).generation, one.generation + 1);
    }
}

#[test]
fn a_static_member_that_has_joined_since_stays_though_its_return_was_not_written() {
    let (mut fixture, first) = Fixture::with_static_member();
    fixture.join_static("back", "one");
    let (write, _) = fixture.writes();
    fixture.join("second", "");
    fixture.joined("second");
    let back = fixture.joined("back");
    assert_eq!((back.generation, &back.leader), (first.generation + 1, &back.member_id));
    fixture.sync("sync", &back, &[]);
    fixture.written(Ok(()));
    fixture.synced("sync").unwrap();
    fixture.groups.written(write.unwrap(), Err(GroupError::CoordinatorNotAvailable), fixture.now_ms);
    fixture.nothing();
    let now_ms = fixture.now_ms;
    assert_eq!(fixture.groups.heartbeat("g", &back.member_id, Some("one"), back.generation, now_ms), Ok(()));
}

#[test]
fn a_static_member_that_wants_something_else_disturbs_the_others() {
    let (mut fixture, first) = Fixture::with_static_member();
    let request = fixture.request("", Some("one"), &["other"]);
    fixture.groups.join(request, "back", 0);
    assert_eq!(fixture.refused("back").error, GroupError::InconsistentGroupProtocol);
    let request = fixture.request("", Some("one"), &["other", "range"]);
    fixture.groups.join(request, "back", 0);
    assert_eq!(fixture.joined("back").generation, first.generation + 1);
}

#[test]
fn a_group_has_as_many_members_as_it_may() {
    let config = StoreConfig { group_initial_rebalance_delay_ms: 0, group_max_size: 1, ..StoreConfig::default() };
    let (mut fixture, first) = Fixture::new(config.clone()).with_member();
    fixture.join("second", "");
    assert_eq!(fixture.refused("second").error, GroupError::GroupMaxSizeReached);
    assert_eq!(fixture.heartbeat(&first), Ok(()));

    // One that was larger before a restart lets the last ones go.
    let mut fixture = Fixture::new(config);
    let metadata = recorded("a", &[("a", None), ("b", None)]);
    fixture.groups.replay("g", GroupRecord::Classic(Some(metadata)));
    fixture.groups.loaded(0);
    assert_eq!(fixture.state(), GroupState::PreparingRebalance);
    fixture.join("a", "a");
    fixture.join("b", "b");
    assert_eq!(fixture.refused("b").error, GroupError::GroupMaxSizeReached);
    fixture.pass(REBALANCE_MS);
    assert_eq!(fixture.joined("a").generation, 8);
}

#[test]
fn a_group_is_empty_when_the_last_member_goes_and_can_be_deleted_then() {
    let (mut fixture, member) = Fixture::without_delay().with_member();
    assert_eq!(fixture.groups.delete("g"), Err(GroupError::NonEmptyGroup));
    assert!(fixture.groups.is_subscribed_to("g", "t") && !fixture.groups.is_subscribed_to("g", "other"));
    let leave = LeaveRequest { member_id: member.member_id.clone(), ..LeaveRequest::default() };
    assert_eq!(
        fixture.groups.leave("g", &[leave.clone(), leave], 0),
        Ok(vec![Ok(()), Err(GroupError::UnknownMemberId)])
    );
    let (write, metadata) = fixture.writes();
    assert_eq!((write, metadata.map(|metadata| (metadata.generation, metadata.members.len()))), (None, Some((2, 0))));
    assert_eq!(fixture.state(), GroupState::Empty);
    assert!(!fixture.groups.is_subscribed_to("g", "t"));
    assert_eq!(fixture.groups.check_commit("g", "", None, -1, 0), Ok(()), "from outside");
    assert_eq!(fixture.groups.delete("g"), Ok(()));
    assert_eq!(fixture.writes(), (None, None));
    assert_eq!(fixture.groups.delete("g"), Err(GroupError::GroupIdNotFound));
    assert_eq!(fixture.groups.bookkeeping(), (0, 0));
}

#[test]
fn commits_are_signs_of_life_and_end_what_a_generation_has_done() {
    let (mut fixture, member) = Fixture::without_delay().with_member();
    let commit = |fixture: &mut Fixture| {
        let now_ms = fixture.now_ms;
        fixture.groups.check_commit("g", &member.member_id, None, member.generation, now_ms)
    };
    for _ in 0..4 {
        fixture.pass(SESSION_MS - 1);
        assert_eq!(commit(&mut fixture), Ok(()));
    }
    fixture.join("second", "");
    assert_eq!(commit(&mut fixture), Ok(()), "the next generation is being joined");
    fixture.join("first", &member.member_id);
    assert_eq!(commit(&mut fixture), Err(GroupError::IllegalGeneration));
    assert_eq!(fixture.groups.check_transactional_commit("g", "", None, -1), Ok(()), "at its word");
}

#[test]
fn a_loaded_group_goes_on_where_it_was() {
    let (mut fixture, member) = Fixture::without_delay().with_member();
    fixture.join("again", &member.member_id);
    let member = fixture.joined("again");
    fixture.sync("sync", &member, &[(&member.member_id, "all")]);
    let metadata = fixture.written(Ok(()));

    let mut after = Fixture::without_delay();
    after.now_ms = 1000;
    after.groups.replay("g", GroupRecord::Classic(Some(metadata)));
    after.groups.loaded(1000);
    assert_eq!(after.heartbeat(&member), Ok(()));
    after.sync("once more", &member, &[]);
    assert_eq!(after.synced("once more").unwrap().assignment, "all");
    after.pass(SESSION_MS);
    let (_, empty) = after.writes();
    assert_eq!(empty.unwrap().generation, member.generation + 1, "it was not heard of again");
}

#[test]
fn of_members_of_one_name_or_id_in_a_record_the_first_counts() {
    let mut fixture = Fixture::without_delay();
    let metadata = recorded("a", &[("a", Some("one")), ("b", Some("one")), ("a", Some("two"))]);
    fixture.groups.replay("g", GroupRecord::Classic(Some(metadata)));
    let members = fixture.groups.describe("g").unwrap().members;
    assert_eq!(members.len(), 1);
    assert_eq!((&*members[0].member_id, members[0].group_instance_id.as_deref()), ("a", Some("one")));
}

#[test]
fn where_a_record_says_that_somebody_leads_who_is_no_member_a_member_does() {
    let mut fixture = Fixture::without_delay();
    fixture.groups.replay("g", GroupRecord::Classic(Some(recorded("nobody", &[("a", None)]))));
    fixture.groups.loaded(0);
    // Who leads gets a rebalance for the asking.
    fixture.join("a", "a");
    let joined = fixture.joined("a");
    assert_eq!((joined.generation, &*joined.leader), (8, "a"));
}

#[test]
fn a_group_waits_for_static_members_in_no_hurry() {
    let mut fixture = Fixture::without_delay();
    let request = JoinRequest { rebalance_timeout_ms: 0, ..fixture.request("", Some("one"), &["range"]) };
    fixture.groups.join(request, "join", 0);
    fixture.groups.tick(0);
    fixture.joined("join");
    // It never asks for its part, and does not join again before its session ends.
    fixture.pass(SESSION_MS);
    fixture.writes();
    assert_eq!(fixture.state(), GroupState::Empty);
}

#[test]
fn ten_thousand_groups_and_a_thousand_members_have_a_timer_each() {
    let config = StoreConfig { group_initial_rebalance_delay_ms: 0, ..StoreConfig::default() };
    let mut groups: GroupCoordinator<usize> = GroupCoordinator::new(&config);
    // The last thousand are in one group.
    let group_of = |number: usize| if number < 10_000 { format!("g{number}") } else { "g".to_owned() };
    let count = 11_000;
    for number in 0..count {
        let request = JoinRequest {
            group: group_of(number),
            session_timeout_ms: SESSION_MS as i32,
            rebalance_timeout_ms: REBALANCE_MS as i32,
            protocol_type: "consumer".into(),
            protocols: vec![JoinProtocol { name: "range".into(), metadata: subscription(0) }],
            fresh_id: Uuid::from_bytes((number as u128).to_be_bytes()),
            ..JoinRequest::default()
        };
        groups.join(request, number, 0);
    }
    groups.tick(0);
    let mut members = Vec::new();
    while let Some(action) = groups.next_action() {
        let Action::Respond { to, response: Response::Join(Ok(joined)) } = action else { panic!("{action:?}") };
        members.push((group_of(to), joined));
    }
    assert_eq!(members.len(), count);
    for (index, (group, joined)) in members.iter().enumerate() {
        let (group, member_id) = (group.clone(), joined.member_id.clone());
        let sync = SyncRequest { group, generation: joined.generation, member_id, ..SyncRequest::default() };
        groups.sync(sync, index, 0);
        while let Some(action) = groups.next_action() {
            if let Action::Write { write: Some(write), .. } = action {
                groups.written(write, Ok(()), 0);
            }
        }
    }
    // Heartbeats move them, however many come.
    for now_ms in [1000, 2000, 3000] {
        for (group, joined) in &members {
            assert_eq!(groups.heartbeat(group, &joined.member_id, None, joined.generation, now_ms), Ok(()));
        }
        assert_eq!((groups.bookkeeping(), groups.next_deadline()), ((count, 0), Some(now_ms + SESSION_MS)));
    }
    groups.tick(3000 + SESSION_MS);
    assert_eq!(groups.bookkeeping(), (0, 0), "nobody was heard of");
}
