//! A group without members is of whichever protocol the next member has, both ways, and what it has committed stays.

use esker::coordinator::{
    Action, GroupError, GroupMetadata, GroupRecord, GroupState, JoinProtocol, JoinRequest, Response,
};

use crate::fixture::{Fixture, SESSION_MS, heartbeat, join, part, topic};

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
    let record = GroupRecord::Classic(Some(metadata));
    fixture.log.push(record.clone());
    fixture.groups.replay("g", record);
    fixture.groups.loaded(0);
    fixture
}

#[test]
fn an_empty_classic_group_becomes_a_consumer_group() {
    let mut fixture = with_empty_classic_group();
    assert_eq!(fixture.say(heartbeat("a", 3)), Err(GroupError::GroupIdNotFound));
    assert_eq!(fixture.groups.describe("g").unwrap().generation, 5, "what is refused changes nothing");
    assert_eq!(fixture.gets(join("a")), (1, Some(part([0, 1, 2, 3]))));
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
    fixture.groups.join(classic_join(), "join", fixture.now_ms);
    let Some(Action::Write { write: None, records, .. }) = fixture.groups.next_action() else { panic!() };
    assert_eq!(records.last(), Some(&GroupRecord::ConsumerGroup(None)));
    fixture.log.extend(records);
    assert_eq!(fixture.groups.describe("g").unwrap().state, GroupState::PreparingRebalance);
    assert_eq!(fixture.groups.describe_consumer_group("g"), None);
    fixture.restart();
    assert_eq!(fixture.groups.groups().count(), 0);
}

#[test]
fn a_group_with_members_is_not_converted() {
    let mut fixture = with_empty_classic_group();
    fixture.groups.join(classic_join(), "join", 0);
    assert_eq!(fixture.say(join("a")), Err(GroupError::GroupIdNotFound));
    assert_eq!(fixture.groups.describe("g").unwrap().state, GroupState::PreparingRebalance);
}
