//! From one protocol to the other and back, without members and with them.

use esker::coordinator::{
    Action, Assignment, ConsumerHeartbeatRequest, GroupError, GroupMetadata, GroupRecord, GroupState, JoinProtocol,
    JoinRequest, Joined, LeaveRequest, MemberMetadata, NotJoined, Response, Subscription, SyncRequest,
};
use esker::{ConsumerGroupMigrationPolicy, StoreConfig, TopicPartition};

use crate::fixture::{Fixture, REBALANCE_MS, SESSION_MS, heartbeat, join, join_static, owning, part, topic};

fn classic_join() -> JoinRequest {
    JoinRequest {
        group: "g".into(),
        client_id: "c".into(),
        session_timeout_ms: 45_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinProtocol { name: "range".into(), ..JoinProtocol::default() }],
        fresh_id: topic(7),
        ..JoinRequest::default()
    }
}

fn with_empty_classic_group() -> Fixture {
    let mut fixture = Fixture::new(4);
    let metadata = GroupMetadata { protocol_type: "consumer".into(), generation: 5, ..GroupMetadata::default() };
    fixture.with_record(metadata);
    fixture
}

#[test]
fn an_empty_classic_group_becomes_a_consumer_group() {
    let mut fixture = with_empty_classic_group();
    assert_eq!(fixture.say(heartbeat("a", 3)), Err(GroupError::GroupIdNotFound));
    assert_eq!(fixture.groups.describe("g").unwrap().generation, 5, "what is refused changes nothing");
    assert_eq!(fixture.gets(join("a")), (2, Some(part([0, 1, 2, 3]))));
    assert_eq!(fixture.log[1], GroupRecord::Classic(None), "in one batch with what it is now");
    assert_eq!(fixture.groups.describe("g"), None);
    fixture.restart();
    assert_eq!(fixture.member_ids(), ["a"]);
}

#[test]
fn an_empty_consumer_group_becomes_a_classic_one() {
    let mut fixture = Fixture::new(4);
    fixture.gets(join("a"));
    fixture.groups.join(classic_join(), "join", 0);
    let Some(Action::Respond { response: Response::Join(Err(refused)), .. }) = fixture.groups.next_action() else {
        panic!()
    };
    assert_eq!(refused.error, GroupError::InconsistentGroupProtocol, "its members have the other protocol");
    fixture.pass(SESSION_MS);
    let unknown = JoinRequest { member_id: "who".into(), ..classic_join() };
    fixture.groups.join(unknown, "join", fixture.now_ms);
    assert!(matches!(fixture.groups.next_action(), Some(Action::Respond { .. })), "what is refused changes nothing");
    assert_eq!(fixture.group().state, GroupState::Empty);
    fixture.groups.join(classic_join(), "join", fixture.now_ms);
    let Some(Action::Write { write: None, records, .. }) = fixture.groups.next_action() else { panic!() };
    let [.., GroupRecord::ConsumerGroup(None), GroupRecord::Classic(Some(metadata))] = &*records else {
        panic!("{records:?}")
    };
    assert_eq!((metadata.members.len(), metadata.current_state_timestamp), (0, fixture.now_ms));
    fixture.log.extend(records);
    assert_eq!(fixture.groups.describe("g").unwrap().state, GroupState::PreparingRebalance);
    assert_eq!(fixture.groups.describe_consumer_group("g"), None);
    fixture.restart();
    assert_eq!(fixture.groups.describe("g").unwrap().state, GroupState::Empty, "it is known all the while");
}

fn partitions(partitions: &[i32]) -> Vec<TopicPartition> {
    partitions.iter().map(|partition| TopicPartition::new("t", *partition)).collect()
}

/// A member of the classic protocol, that reads "t" and has these.
fn subscription(owned: &[i32]) -> bytes::Bytes {
    let owned_partitions = partitions(owned);
    Subscription { topics: vec!["t".into()], owned_partitions, ..Subscription::default() }.encode()
}

fn cooperative(metadata: bytes::Bytes) -> Vec<JoinProtocol> {
    vec![JoinProtocol { name: "cooperative-sticky".into(), metadata }]
}

fn member(id: &str, name: Option<&str>, assigned: &[i32]) -> MemberMetadata {
    MemberMetadata {
        member_id: id.into(),
        group_instance_id: name.map(str::to_owned),
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: REBALANCE_MS,
        session_timeout_ms: SESSION_MS as i32,
        subscription: subscription(&[]),
        assignment: Assignment { partitions: partitions(assigned), user_data: None }.encode(),
    }
}

fn classic_group(members: Vec<MemberMetadata>) -> GroupMetadata {
    GroupMetadata {
        protocol_type: "consumer".into(),
        generation: 5,
        protocol: Some("cooperative-sticky".into()),
        leader: Some("x".into()),
        members,
        ..GroupMetadata::default()
    }
}

/// A group in generation 5, with two members of the classic protocol that share "t", of which the second is static.
fn with_classic_group(config: StoreConfig) -> Fixture {
    let mut fixture = Fixture::with(config, 4);
    fixture.with_record(classic_group(vec![member("x", None, &[0, 1]), member("y", Some("why"), &[2, 3])]));
    fixture
}

/// A member of the classic protocol joins again.
fn join_again(fixture: &mut Fixture, id: &str, name: Option<&str>, owned: &[i32]) -> Result<Joined, NotJoined> {
    let request = JoinRequest {
        member_id: id.into(),
        group_instance_id: name.map(str::to_owned),
        protocols: cooperative(subscription(owned)),
        fresh_id: topic(9),
        ..classic_join()
    };
    fixture.groups.join(request, "join", fixture.now_ms);
    match fixture.answer() {
        Response::Join(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn sync(fixture: &mut Fixture, id: &str, generation: i32) -> Result<Vec<i32>, GroupError> {
    let request = SyncRequest { group: "g".into(), generation, member_id: id.into(), ..SyncRequest::default() };
    fixture.groups.sync(request, "sync", fixture.now_ms);
    let Response::Sync(synced) = fixture.answer() else { panic!() };
    let assigned = |synced: esker::coordinator::Synced| Assignment::decode(&synced.assignment).unwrap().partitions;
    synced.map(|synced| assigned(synced).into_iter().map(|at| at.partition).collect())
}

fn is_alive(fixture: &mut Fixture, id: &str, generation: i32) -> Result<(), GroupError> {
    fixture.groups.heartbeat("g", id, None, generation, fixture.now_ms)
}

/// A member of the consumer protocol comes, and gets its part when the one that has too much has let go of some of it.
fn upgrade(fixture: &mut Fixture) {
    assert_eq!(fixture.gets(join("a")), (6, Some(part([]))), "the others have everything");
    assert_eq!(is_alive(fixture, "x", 5), Err(GroupError::RebalanceInProgress));
    let joined = join_again(fixture, "x", None, &[0, 1]).unwrap();
    assert_eq!((joined.generation, &*joined.leader, joined.members.len()), (6, "", 0), "nobody leads");
    assert_eq!(sync(fixture, "x", 6), Ok(vec![0, 1]), "it keeps what it has");
    assert_eq!(sync(fixture, "y", 5), Err(GroupError::RebalanceInProgress), "it is to join first");
    assert_eq!(join_again(fixture, "y", Some("why"), &[2, 3]).unwrap().generation, 5);
    assert_eq!(sync(fixture, "y", 5), Ok(vec![2]), "it is to let go of the other");
    assert_eq!(fixture.gets(heartbeat("a", 6)), (6, None));
    assert_eq!(is_alive(fixture, "y", 5), Err(GroupError::RebalanceInProgress), "and to say when it has");
    assert_eq!(join_again(fixture, "y", Some("why"), &[2]).unwrap().generation, 6);
    assert_eq!(sync(fixture, "y", 6), Ok(vec![2]));
    assert_eq!(fixture.gets(heartbeat("a", 6)), (6, Some(part([3]))));
    assert_eq!(fixture.group().state, GroupState::Stable);
    for id in ["x", "y"] {
        assert_eq!(is_alive(fixture, id, 6), Ok(()));
    }
}

/// The generation that the classic group is in, which waits for its members to join.
fn is_classic_again(fixture: &Fixture) -> i32 {
    assert_eq!(fixture.groups.describe_consumer_group("g"), None);
    let group = fixture.groups.describe("g").unwrap();
    assert_eq!(group.state, GroupState::PreparingRebalance);
    group.generation
}

#[test]
fn a_classic_group_in_use_becomes_a_consumer_group_and_its_members_go_on() {
    let mut fixture = with_classic_group(StoreConfig::default());
    assert_eq!(fixture.say(heartbeat("a", 3)), Err(GroupError::GroupIdNotFound), "none that joins");
    upgrade(&mut fixture);
    assert_eq!(fixture.groups.describe("g"), None);
    assert_eq!(fixture.log[1], GroupRecord::Classic(None), "in one batch with what it is now");
    let are_classic: Vec<_> = fixture.group().members.iter().map(|member| member.is_classic).collect();
    assert_eq!(are_classic, [false, true, true]);
    // They commit in the generation that they are in, and in no other.
    assert_eq!(fixture.groups.check_commit("g", "x", None, 6, 0), Ok(()));
    assert_eq!(fixture.groups.check_commit("g", "x", None, 5, 0), Err(GroupError::IllegalGeneration));
    assert_eq!(is_alive(&mut fixture, "x", 5), Err(GroupError::IllegalGeneration));
    assert_eq!(is_alive(&mut fixture, "a", 6), Err(GroupError::UnknownMemberId), "it has the other protocol");
    let group = fixture.group();
    fixture.restart();
    assert_eq!(fixture.group(), group);
    assert_eq!(is_alive(&mut fixture, "x", 6), Ok(()));
}

#[test]
fn a_group_is_classic_again_when_the_last_member_of_the_consumer_protocol_goes() {
    for leaves in [true, false] {
        let mut fixture = with_classic_group(StoreConfig::default());
        upgrade(&mut fixture);
        if leaves {
            fixture.say(heartbeat("a", -1)).unwrap();
        } else {
            fixture.pass(SESSION_MS - 1);
            for id in ["x", "y"] {
                assert_eq!(is_alive(&mut fixture, id, 6), Ok(()));
            }
            fixture.pass(1);
        }
        assert_eq!(is_classic_again(&fixture), 6);
        fixture.restart();
        assert_eq!(is_classic_again(&fixture), 6, "also after a restart, for nobody has assigned");
        assert_eq!(is_alive(&mut fixture, "x", 6), Err(GroupError::RebalanceInProgress));
        assert_eq!(fixture.groups.check_commit("g", "a", None, 6, fixture.now_ms), Err(GroupError::UnknownMemberId));
        assert_eq!(fixture.groups.check_commit("g", "x", None, 6, fixture.now_ms), Ok(()), "what it has read");
        assert_eq!(fixture.gets(join("a")).0, 7, "and back");
        assert_eq!(fixture.member_ids(), ["a", "x", "y"]);
    }
}

#[test]
fn static_members_go_from_one_protocol_to_the_other() {
    let mut fixture = with_classic_group(StoreConfig::default());
    // It has been stopped, and comes back with the consumer protocol: to its part.
    assert_eq!(fixture.gets(join_static("b", "why")), (6, Some(part([2, 3]))));
    assert_eq!(fixture.member_ids(), ["b", "x"]);
    assert_eq!(fixture.groups.heartbeat("g", "y", Some("why"), 5, 0), Err(GroupError::FencedInstanceId));
    assert_eq!(fixture.groups.check_commit("g", "y", Some("why"), 5, 0), Err(GroupError::UnknownMemberId));
    // And back, though it has not said that it goes. It is the last one, so that the others assign again: once that is
    // written.
    let request = JoinRequest {
        group_instance_id: Some("why".into()),
        protocols: cooperative(subscription(&[])),
        fresh_id: topic(9),
        ..classic_join()
    };
    fixture.groups.join(request.clone(), "join", 0);
    let Some(Action::Write { write: Some(write), .. }) = fixture.groups.next_action() else { panic!() };
    fixture.groups.written(write, Err(GroupError::CoordinatorNotAvailable), 0);
    let error = GroupError::CoordinatorNotAvailable;
    let refused = Response::Join(Err(NotJoined { error, member_id: String::new() }));
    assert_eq!(fixture.groups.next_action(), Some(Action::Respond { to: "join", response: refused }));
    assert_eq!(fixture.groups.next_action(), None, "it is not tried again before it is asked for again");
    assert_eq!(fixture.member_ids(), ["b", "x"]);
    fixture.groups.join(request, "join", 0);
    fixture.write_all();
    assert_eq!(is_classic_again(&fixture), 6);
    let group = fixture.groups.describe("g").unwrap();
    let names: Vec<_> = group.members.iter().map(|member| member.group_instance_id.as_deref()).collect();
    assert_eq!(names, [Some("why"), None]);
    let again = ConsumerHeartbeatRequest { instance_id: Some("why".into()), ..heartbeat("b", 6) };
    assert_eq!(fixture.say(again), Err(GroupError::GroupIdNotFound));
}

#[test]
fn a_static_member_that_was_thrown_out_comes_back_and_counts_for_the_owner_of_nothing() {
    let mut fixture = with_classic_group(StoreConfig::default());
    upgrade(&mut fixture);
    fixture.pass(SESSION_MS - 1);
    assert_eq!(is_alive(&mut fixture, "x", 6), Ok(()));
    fixture.say(heartbeat("a", 6)).unwrap();
    fixture.pass(1);
    assert_eq!(fixture.member_ids(), ["a", "x"]);
    fixture.gets(heartbeat("a", 6));
    let read = |fixture: &Fixture, id: &str| {
        let members = fixture.group().members.into_iter();
        members.filter(|member| member.member_id == id).map(|member| member.assigned).collect::<Vec<_>>()
    };
    assert_eq!(read(&fixture, "a"), [part([2, 3])]);
    // Some clients go on reading until they are told what is theirs, and say so.
    assert_eq!(join_again(&mut fixture, "y", Some("why"), &[2]).unwrap_err().error, GroupError::UnknownMemberId);
    let joined = join_again(&mut fixture, "", Some("why"), &[2]).unwrap();
    assert_eq!(sync(&mut fixture, &joined.member_id, joined.generation), Ok(vec![]), "all of it is others'");
    assert_eq!(read(&fixture, "a"), [part([2, 3])]);
    assert_eq!(read(&fixture, "x"), [part([0, 1])]);
}

#[test]
fn members_of_the_classic_protocol_come_and_go_in_a_consumer_group() {
    let mut fixture = Fixture::new(4);
    assert_eq!(fixture.gets(join("a")), (2, Some(part([0, 1, 2, 3]))));
    let refused = join_again(&mut fixture, "", None, &[]);
    assert_eq!(refused.unwrap().generation, 3, "whose client can't come back with an id");
    let id = fixture.member_ids()[0].clone();
    assert_eq!(sync(&mut fixture, &id, 3), Ok(vec![]));
    assert_eq!(is_alive(&mut fixture, &id, 3), Ok(()), "it waits for the other");
    fixture.gets(heartbeat("a", 2));
    assert_eq!(fixture.gets(owning("a", 2, [0, 1])), (3, None));
    assert_eq!(is_alive(&mut fixture, &id, 3), Err(GroupError::RebalanceInProgress), "its part is free");
    join_again(&mut fixture, &id, None, &[]).unwrap();
    assert_eq!(sync(&mut fixture, &id, 3), Ok(vec![2, 3]));
    // What the assignors of others can't be is refused, and so is who is unknown and still has something.
    let other = JoinRequest { fresh_id: topic(8), ..classic_join() };
    fixture.groups.join(other, "join", 0);
    let Response::Join(Err(refused)) = fixture.answer() else { panic!() };
    assert_eq!(refused.error, GroupError::InconsistentGroupProtocol);
    let unknown = NotJoined { error: GroupError::UnknownMemberId, member_id: String::new() };
    assert_eq!(join_again(&mut fixture, "z", None, &[3]), Err(unknown), "which is told no id");
    let leave = |member_id: &str| LeaveRequest { member_id: member_id.into(), ..LeaveRequest::default() };
    let left = fixture.groups.leave("g", &[leave("b"), leave(&id), leave(&id)], 0).unwrap();
    assert_eq!(left, [Err(GroupError::UnknownMemberId), Ok(()), Ok(())]);
    fixture.write_all();
    assert_eq!(fixture.gets(owning("a", 3, [0, 1])), (4, Some(part([0, 1, 2, 3]))));
}

#[test]
fn members_of_the_classic_protocol_wait_for_the_next_assignment_in_peace() {
    let config = StoreConfig { group_consumer_assignment_interval_ms: 3000, ..StoreConfig::default() };
    let mut fixture = with_classic_group(config);
    assert_eq!(fixture.gets(join("a")), (6, Some(part([]))), "the first assignment of a consumer group");
    for (name, id, owned) in [(None, "x", [0, 1]), (Some("why"), "y", [2, 3])] {
        join_again(&mut fixture, id, name, &owned).unwrap();
    }
    join_again(&mut fixture, "y", Some("why"), &[2]).unwrap();
    assert_eq!(fixture.gets(heartbeat("a", 6)), (6, Some(part([3]))));
    fixture.gets(join("b"));
    assert_eq!(fixture.group().state, GroupState::Assigning);
    assert_eq!((is_alive(&mut fixture, "x", 6), sync(&mut fixture, "x", 6)), (Ok(()), Ok(vec![0, 1])));
    fixture.pass(3000);
    assert_eq!(is_alive(&mut fixture, "x", 6), Err(GroupError::RebalanceInProgress));
    join_again(&mut fixture, "x", None, &[0, 1]).unwrap();
    assert_eq!(sync(&mut fixture, "x", 6).unwrap().len(), 1, "it lets go of one of them");
}

#[test]
fn who_is_told_to_join_or_has_yet_to_sync_has_its_rebalance_timeout_for_it() {
    for joins in [false, true] {
        let mut fixture = with_classic_group(StoreConfig::default());
        fixture.gets(join("a"));
        let mut generation = 5;
        for _ in 0..i64::from(REBALANCE_MS) / 5000 {
            assert_eq!(is_alive(&mut fixture, "x", generation), Err(GroupError::RebalanceInProgress));
            if joins && generation == 5 {
                // It says what it has as if it were slow, and does not ask for its part.
                generation = join_again(&mut fixture, "x", None, &[0, 1]).unwrap().generation;
                fixture.gets(join("b"));
            }
            fixture.groups.heartbeat("g", "y", Some("why"), 5, fixture.now_ms).unwrap_err();
            join_again(&mut fixture, "y", Some("why"), &[2, 3]).unwrap();
            sync(&mut fixture, "y", 5).unwrap();
            fixture.pass(5000);
            for (id, epoch) in fixture.consumer_members() {
                fixture.say(heartbeat(&id, epoch)).unwrap();
            }
        }
        assert_eq!(is_alive(&mut fixture, "x", generation), Err(GroupError::UnknownMemberId));
        assert!(fixture.member_ids().contains(&"y".to_owned()));
    }
}

#[test]
fn an_administrator_takes_out_members_of_either_protocol() {
    let mut fixture = with_classic_group(StoreConfig::default());
    upgrade(&mut fixture);
    fixture.gets(join_static("s", "name"));
    let leave = |id: &str, name: Option<&str>| LeaveRequest {
        member_id: id.into(),
        group_instance_id: name.map(str::to_owned),
    };
    let take_out = |fixture: &mut Fixture, members: &[LeaveRequest]| {
        let left = fixture.groups.leave("g", members, fixture.now_ms).unwrap();
        fixture.write_all();
        left
    };
    let refused = [leave("z", None), leave("", None), leave("", Some("nobody")), leave("a", Some("name"))];
    let unknown = Err(GroupError::UnknownMemberId);
    assert_eq!(take_out(&mut fixture, &refused), [unknown, unknown, unknown, Err(GroupError::FencedInstanceId)]);
    assert_eq!(take_out(&mut fixture, &[leave("", Some("name"))]), [Ok(())]);
    assert_eq!(fixture.member_ids(), ["a", "x", "y"]);
    assert_eq!(fixture.say(heartbeat("s", 6)), Err(GroupError::UnknownMemberId));
    // The last one of the consumer protocol goes, and one of the others with it.
    assert_eq!(take_out(&mut fixture, &[leave("a", None), leave("x", None)]), [Ok(()), Ok(())]);
    is_classic_again(&fixture);
    let left = fixture.groups.describe("g").unwrap().members;
    assert_eq!(left.iter().map(|member| &*member.member_id).collect::<Vec<_>>(), ["y"]);
}

#[test]
fn who_has_no_room_in_a_group_does_not_convert_it() {
    let config = StoreConfig { group_consumer_max_size: 2, ..StoreConfig::default() };
    let mut fixture = with_classic_group(config);
    for request in [join("a"), join_static("b", "why")] {
        assert_eq!(fixture.say(request), Err(GroupError::GroupMaxSizeReached));
        assert_eq!(fixture.groups.describe("g").unwrap().state, GroupState::Stable);
        assert_eq!(is_alive(&mut fixture, "x", 5), Ok(()), "it need not join again");
    }
    assert_eq!(fixture.gets(join_static("y", "why")), (6, Some(part([2, 3]))));
}

#[test]
fn the_policy_says_which_way_groups_in_use_may_go() {
    let with = |policy| StoreConfig { group_consumer_migration_policy: policy, ..StoreConfig::default() };
    for policy in [ConsumerGroupMigrationPolicy::Downgrade, ConsumerGroupMigrationPolicy::Disabled] {
        let mut fixture = with_classic_group(with(policy));
        assert_eq!(fixture.say(join("a")), Err(GroupError::NotUpgradable));
        assert_eq!(fixture.groups.describe("g").unwrap().state, GroupState::Stable);
    }
    let mut fixture = with_classic_group(with(ConsumerGroupMigrationPolicy::Upgrade));
    upgrade(&mut fixture);
    fixture.say(heartbeat("a", -1)).unwrap();
    assert_eq!(fixture.member_ids(), ["x", "y"]);
    // Members of the classic protocol alone see topics grow.
    for (id, name, owned) in [("x", None, [0, 1]), ("y", Some("why"), [2, 3])] {
        assert_eq!(is_alive(&mut fixture, id, 6), Err(GroupError::RebalanceInProgress));
        join_again(&mut fixture, id, name, &owned[..]).unwrap();
        sync(&mut fixture, id, 7).unwrap();
    }
    fixture.set_topics(&[("t", topic(1), 6)]);
    assert_eq!(is_alive(&mut fixture, "x", 7), Ok(()));
    fixture.write_all();
    assert_eq!(is_alive(&mut fixture, "x", 7), Err(GroupError::RebalanceInProgress));
}

#[test]
fn a_consumer_group_takes_members_of_the_classic_protocol_unless_the_policy_is_disabled() {
    for policy in [ConsumerGroupMigrationPolicy::Upgrade, ConsumerGroupMigrationPolicy::Downgrade] {
        let config = StoreConfig { group_consumer_migration_policy: policy, ..StoreConfig::default() };
        let mut fixture = Fixture::with(config, 4);
        fixture.gets(join("a"));
        assert_eq!(join_again(&mut fixture, "", None, &[]).unwrap().generation, 3);
    }
    let mut before = with_classic_group(StoreConfig::default());
    upgrade(&mut before);
    let policy = ConsumerGroupMigrationPolicy::Disabled;
    let config = StoreConfig { group_consumer_migration_policy: policy, ..StoreConfig::default() };
    let mut fixture = Fixture::with(config, 4);
    for record in before.log {
        fixture.groups.replay("g", record);
    }
    fixture.groups.loaded(0);
    for (id, name) in [("", None), ("", Some("how")), ("", Some("why")), ("x", None)] {
        let refused = NotJoined { error: GroupError::InconsistentGroupProtocol, member_id: id.to_owned() };
        assert_eq!(join_again(&mut fixture, id, name, &[]), Err(refused), "not even those that it has");
    }
    assert_eq!(fixture.member_ids(), ["a", "x", "y"]);
}

#[test]
fn who_has_no_id_yet_is_told_one_before_what_it_wants_is_looked_at() {
    let mut fixture = Fixture::new(4);
    fixture.gets(join("a"));
    let request = JoinRequest { comes_back_with_id: true, ..classic_join() };
    for (member_id, error) in [("", GroupError::MemberIdRequired), ("x", GroupError::InconsistentGroupProtocol)] {
        fixture.groups.join(JoinRequest { member_id: member_id.into(), ..request.clone() }, "join", 0);
        let Response::Join(Err(refused)) = fixture.answer() else { panic!("it says nothing that can be understood") };
        assert_eq!(refused.error, error);
    }
}

#[test]
fn a_group_stays_what_it_was_if_it_could_not_be_written() {
    let mut fixture = with_classic_group(StoreConfig::default());
    fixture.groups.consumer_heartbeat(join("a"), "heartbeat", 0);
    let Some(Action::Write { write: Some(write), .. }) = fixture.groups.next_action() else { panic!() };
    // What comes meanwhile is decided about by what the group is then.
    let rejoin = JoinRequest { member_id: "x".into(), protocols: cooperative(subscription(&[0, 1])), ..classic_join() };
    fixture.groups.join(rejoin, "join", 0);
    let (group, member_id) = ("g".into(), "y".into());
    fixture.groups.sync(SyncRequest { group, generation: 5, member_id, ..SyncRequest::default() }, "sync", 0);
    let again = Response::Sync(Err(GroupError::RebalanceInProgress));
    assert_eq!(fixture.groups.next_action(), Some(Action::Respond { to: "sync", response: again }));
    fixture.groups.written(write, Err(GroupError::CoordinatorNotAvailable), 0);
    let refused = Response::ConsumerHeartbeat(Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(fixture.groups.next_action(), Some(Action::Respond { to: "heartbeat", response: refused }));
    assert_eq!(is_classic_again(&fixture), 5);
    let rejoin = JoinRequest {
        member_id: "y".into(),
        group_instance_id: Some("why".into()),
        protocols: cooperative(subscription(&[2, 3])),
        ..classic_join()
    };
    fixture.groups.join(rejoin, "join", 0);
    let Some(Action::Respond { response: Response::Join(Ok(joined)), .. }) = fixture.groups.next_action() else {
        panic!()
    };
    assert_eq!(joined.generation, 6, "both have joined");
}

#[test]
fn what_a_member_had_when_it_joined_is_its_own_until_it_joins_again() {
    let mut fixture = Fixture::new(4);
    // The last generation took a partition from `x`, which may not have heard of that yet.
    let member = |id: &str, assigned: &[i32], owned: &[i32]| MemberMetadata {
        subscription: subscription(owned),
        ..member(id, None, assigned)
    };
    fixture.with_record(classic_group(vec![member("x", &[0], &[0, 1]), member("y", &[2, 3], &[1, 2])]));
    assert_eq!(fixture.gets(join("a")), (6, Some(part([]))));
    let had: Vec<_> = fixture.group().members.into_iter().map(|member| member.assigned).collect();
    assert_eq!(had, [part([]), part([0, 1]), part([2, 3])], "a partition is one's alone");
}

#[test]
fn only_groups_of_consumers_are_converted() {
    let mut fixture = Fixture::new(4);
    let connect = JoinRequest { protocol_type: "connect".into(), ..classic_join() };
    fixture.groups.join(connect, "join", 0);
    assert_eq!(fixture.say(join("a")), Err(GroupError::NotUpgradable));
    assert_eq!(fixture.groups.describe("g").unwrap().state, GroupState::PreparingRebalance);
    // What a custom assignor has told its members would be lost.
    for (user_data, is_converted) in [(None, true), (Some(""), true), (Some("!"), false)] {
        let mut fixture = Fixture::new(4);
        let assignment = Assignment { partitions: partitions(&[0, 1]), user_data: user_data.map(Into::into) }.encode();
        let told = MemberMetadata { assignment, ..member("x", None, &[]) };
        fixture.with_record(classic_group(vec![told, member("y", None, &[2, 3])]));
        let said = fixture.say(join("a"));
        assert_eq!(said.is_ok(), is_converted, "{user_data:?} {said:?}");
        assert_eq!(fixture.groups.describe_consumer_group("g").is_some(), is_converted);
    }
}
