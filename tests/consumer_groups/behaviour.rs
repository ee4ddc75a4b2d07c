//! The protocol's rules, one by one.

use esker::coordinator::{
    Action, Committer, ConsumerGroupMetadataValue, ConsumerHeartbeatRequest, GroupError, GroupRecord, GroupState,
    GroupType, Partitions, Response,
};
use esker::{ConsumerGroupAssignor, GroupConfig, StoreConfig, TopicPartition};

use crate::fixture::{Fixture, REBALANCE_MS, SESSION_MS, heartbeat, join, join_static, owning, part, topic};

#[test]
fn a_partition_changes_hands_in_two_steps() {
    let mut fixture = Fixture::new(4);
    assert_eq!(fixture.gets(join("a")), (2, Some(part([0, 1, 2, 3]))));
    assert_eq!(fixture.gets(owning("a", 2, [0, 1, 2, 3])), (2, None), "nothing has changed");
    // The second one gets nothing that the first still has.
    assert_eq!(fixture.gets(join("b")), (3, Some(part([]))));
    assert_eq!(fixture.group().state, GroupState::Reconciling);
    assert_eq!(fixture.gets(heartbeat("a", 2)), (2, Some(part([0, 1]))), "it must let go first");
    assert_eq!(fixture.gets(owning("a", 2, [0, 1, 2, 3])), (2, None), "and has not yet");
    assert_eq!(fixture.gets(heartbeat("b", 3)), (3, None));
    assert_eq!(fixture.gets(owning("a", 2, [0, 1])), (3, None));
    assert_eq!(fixture.gets(heartbeat("b", 3)), (3, Some(part([2, 3]))));
    let group = fixture.group();
    assert_eq!((group.state, group.epoch, group.assignment_epoch), (GroupState::Stable, 3, 3));
    assert_eq!(group.assignor, "uniform");
}

#[test]
fn a_member_stays_in_its_epoch_until_it_has_let_go_of_everything() {
    let mut fixture = Fixture::new(1);
    fixture.set_topics(&[("t", topic(1), 1), ("u", topic(2), 1)]);
    let of = |number: u8| -> Partitions { [(topic(number), [0].into())].into() };
    let both: Partitions = [(topic(1), [0].into()), (topic(2), [0].into())].into();
    let wants = |names: &[&str], owned: &Partitions| ConsumerHeartbeatRequest {
        topic_names: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        owned: Some(owned.clone()),
        ..heartbeat("a", 2)
    };
    let joins = ConsumerHeartbeatRequest { topic_names: Some(vec!["t".into(), "u".into()]), ..join("a") };
    assert_eq!(fixture.gets(joins), (2, Some(both.clone())));
    assert_eq!(fixture.gets(wants(&["u"], &both)), (2, Some(of(2))));
    // It has let go of one, and is to let go of the other by now.
    assert_eq!(fixture.gets(wants(&["t"], &of(2))), (2, Some(part([]))));
    assert_eq!(fixture.group().epoch, 4);
    assert_eq!(fixture.gets(owning("a", 2, [])), (4, Some(of(1))));
}

#[test]
fn answers_wait_for_what_they_tell_to_be_written() {
    let mut fixture = Fixture::new(4);
    fixture.groups.consumer_heartbeat(join("a"), "a", 0);
    let Some(Action::Write { write: Some(write), records, .. }) = fixture.groups.next_action() else { panic!() };
    assert!(matches!(&*records, [GroupRecord::Member(..), .., GroupRecord::Current(..)]), "one batch: {records:?}");
    // Whoever comes meanwhile waits, and is decided about as if nothing had been.
    fixture.groups.consumer_heartbeat(join("b"), "b", 0);
    assert_eq!(fixture.groups.next_action(), None);
    fixture.groups.written(write, Err(GroupError::CoordinatorNotAvailable), 0);
    let refused = Response::ConsumerHeartbeat(Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(fixture.groups.next_action(), Some(Action::Respond { to: "a", response: refused }));
    let Some(Action::Write { write: Some(write), .. }) = fixture.groups.next_action() else { panic!() };
    fixture.groups.written(write, Ok(()), 0);
    let Some(Action::Respond { to: "b", response: Response::ConsumerHeartbeat(Ok(answer)) }) =
        fixture.groups.next_action()
    else {
        panic!()
    };
    assert_eq!((answer.member_epoch, answer.assignment), (2, Some(part([0, 1, 2, 3]))));
    assert_eq!(answer.heartbeat_interval_ms, 5000);
    assert_eq!(fixture.member_ids(), ["b"]);
}

#[test]
fn a_member_that_missed_an_answer_says_so_by_its_epoch() {
    let mut fixture = Fixture::new(4);
    fixture.gets(join("a"));
    fixture.gets(join("b"));
    fixture.gets(heartbeat("a", 2));
    assert_eq!(fixture.gets(owning("a", 2, [0, 1])), (3, None), "this does not arrive");
    assert_eq!(fixture.gets(owning("a", 2, [0, 1])), (3, Some(part([0, 1]))), "but this");
    for wrong in [heartbeat("a", 2), owning("a", 2, [0, 1, 2]), heartbeat("a", 4)] {
        assert_eq!(fixture.say(wrong), Err(GroupError::FencedMemberEpoch));
    }
    assert_eq!(fixture.say(heartbeat("c", 2)), Err(GroupError::UnknownMemberId));
    assert_eq!(fixture.gets(join("a")), (3, Some(part([0, 1]))), "it joins again, as the same");
}

#[test]
fn whoever_does_not_let_go_in_time_is_taken_out() {
    let mut fixture = Fixture::new(4);
    fixture.gets(join("a"));
    fixture.gets(join("b"));
    fixture.gets(heartbeat("a", 2));
    let alive = |fixture: &mut Fixture| {
        fixture.pass(5000);
        let _ = fixture.say(heartbeat("a", 2));
        fixture.gets(heartbeat("b", fixture.group().members.last().unwrap().epoch)).0
    };
    for _ in 0..REBALANCE_MS / 5000 {
        alive(&mut fixture);
    }
    assert_eq!(fixture.say(heartbeat("a", 2)), Err(GroupError::UnknownMemberId));
    assert_eq!(fixture.group().members[0].assigned, part([0, 1, 2, 3]));
}

#[test]
fn whoever_is_not_heard_of_is_taken_out() {
    let mut fixture = Fixture::new(4);
    fixture.gets(join("a"));
    fixture.gets(join("b"));
    fixture.pass(SESSION_MS - 1);
    fixture.gets(heartbeat("b", 3));
    fixture.pass(1);
    assert_eq!(fixture.member_ids(), ["b"]);
    assert_eq!(fixture.gets(heartbeat("b", 3)), (4, Some(part([0, 1, 2, 3]))));
    assert_eq!(fixture.say(heartbeat("b", -1)).unwrap().member_epoch, -1);
    let group = fixture.group();
    assert_eq!((group.state, group.members.len(), fixture.groups.bookkeeping()), (GroupState::Empty, 0, (0, 0)));
}

#[test]
fn members_go_by_what_their_group_sets_for_itself_from_their_next_heartbeat_on() {
    let mut fixture = Fixture::new(4);
    let set = |fixture: &mut Fixture, session_ms: &str, interval_ms: &str| {
        let mut config = GroupConfig::default();
        config.set("consumer.session.timeout.ms", session_ms).unwrap();
        config.set("consumer.heartbeat.interval.ms", interval_ms).unwrap();
        fixture.groups.set_group_configs([("g".to_owned(), config)]);
    };
    assert_eq!(fixture.say(join("a")).unwrap().heartbeat_interval_ms, 5000);
    fixture.gets(join("b"));
    set(&mut fixture, "50000", "10000");
    assert_eq!(fixture.say(heartbeat("a", 2)).unwrap().heartbeat_interval_ms, 10_000);
    fixture.pass(SESSION_MS);
    assert_eq!(fixture.member_ids(), ["a"], "the other was not heard of since");
    fixture.pass(50_000 - SESSION_MS);
    assert_eq!(fixture.member_ids(), [] as [&str; 0]);
    // The broker's bounds may have been others when that was set.
    set(&mut fixture, "1000", "60000");
    assert_eq!(fixture.say(join("a")).unwrap().heartbeat_interval_ms, 15_000);
    fixture.pass(SESSION_MS - 1);
    assert_eq!(fixture.member_ids(), ["a"]);
    let epoch = fixture.group().epoch;
    fixture.groups.set_group_configs([("another".to_owned(), GroupConfig::default())]);
    assert_eq!(fixture.say(heartbeat("a", epoch)).unwrap().heartbeat_interval_ms, 5000);
}

#[test]
fn a_group_is_assigned_anew_once_in_an_interval() {
    let mut fixture = Fixture::new(4);
    let mut config = GroupConfig::default();
    config.set("consumer.assignment.interval.ms", "3000").unwrap();
    fixture.groups.set_group_configs([("g".to_owned(), config)]);
    assert_eq!(fixture.gets(join("a")), (2, Some(part([0, 1, 2, 3]))), "the first one waits for nothing");
    // Those who come then are in the epoch that is assigned, and have nothing in it.
    assert_eq!(fixture.gets(join("b")), (2, Some(part([]))));
    fixture.pass(2999);
    assert_eq!(fixture.gets(join("c")), (2, Some(part([]))));
    assert_eq!(fixture.gets(heartbeat("a", 2)), (2, None));
    let group = fixture.group();
    assert_eq!((group.state, group.epoch, group.assignment_epoch), (GroupState::Assigning, 4, 2));
    fixture.pass(1);
    assert_eq!(fixture.gets(heartbeat("b", 2)), (4, None), "the others still have its part");
    assert_eq!(fixture.gets(heartbeat("a", 2)), (2, Some(part([0, 1]))));
    let group = fixture.group();
    assert_eq!((group.state, group.epoch, group.assignment_epoch), (GroupState::Reconciling, 4, 4));
    // What has happened before a restart holds up nobody after it.
    fixture.gets(heartbeat("c", -1));
    fixture.restart();
    fixture.gets(heartbeat("b", 4));
    assert_eq!(fixture.group().assignment_epoch, 5);
}

#[test]
fn what_a_member_does_not_want_any_more_it_loses_before_the_next_assignment() {
    let both: Partitions = [(topic(1), [0].into()), (topic(2), [0].into())].into();
    let of = |number: u8| -> Partitions { [(topic(number), [0].into())].into() };
    let begin = || {
        let mut fixture = Fixture::new(1);
        fixture.set_topics(&[("t", topic(1), 1), ("u", topic(2), 1), ("v", topic(3), 1)]);
        let mut config = GroupConfig::default();
        config.set("consumer.assignment.interval.ms", "15000").unwrap();
        fixture.groups.set_group_configs([("g".to_owned(), config)]);
        let joins = ConsumerHeartbeatRequest { topic_names: Some(vec!["t".into(), "u".into()]), ..join("a") };
        assert_eq!(fixture.gets(joins), (2, Some(both.clone())));
        fixture
    };
    let owns = |owned: &Partitions| ConsumerHeartbeatRequest { owned: Some(owned.clone()), ..heartbeat("a", 2) };
    let wants = |name: &str, owned: &Partitions| {
        let topic_names = Some(vec![name.to_owned()]);
        ConsumerHeartbeatRequest { topic_names, ..owns(owned) }
    };
    let has = |fixture: &Fixture| {
        let member = fixture.group().members.remove(0);
        (member.assigned, member.revoking)
    };
    for (name, kept, lost, assigned) in [("u", of(2), of(1), of(2)), ("v", part([]), both.clone(), of(3))] {
        let mut fixture = begin();
        assert_eq!(fixture.gets(wants(name, &both)), (2, Some(kept.clone())));
        let group = fixture.group();
        assert_eq!((group.state, group.epoch, group.assignment_epoch), (GroupState::Assigning, 3, 2));
        assert_eq!(has(&fixture), (kept.clone(), lost), "it may still have it");
        // By the last target it does not get back what it has lost, when it has let go of that.
        assert_eq!(fixture.gets(owns(&kept)), (2, None));
        assert_eq!(has(&fixture), (kept, part([])));
        fixture.pass(15_000);
        assert_eq!(fixture.gets(heartbeat("a", 2)).0, 3);
        assert_eq!(has(&fixture), (assigned, part([])));
    }
    // Of some it has let go already, and of others it has yet to.
    let mut fixture = begin();
    assert_eq!(fixture.gets(wants("u", &of(2))), (2, Some(of(2))));
    assert_eq!(has(&fixture), (of(2), part([])));
    let mut fixture = begin();
    assert_eq!(fixture.gets(wants("u", &both)), (2, Some(of(2))));
    assert_eq!(fixture.gets(wants("v", &both)), (2, Some(part([]))));
    assert_eq!(has(&fixture), (part([]), both.clone()));
}

#[test]
fn a_static_member_keeps_its_part_while_it_is_away() {
    let mut fixture = Fixture::new(4);
    fixture.gets(join_static("a", "one"));
    fixture.gets(join_static("b", "two"));
    fixture.gets(heartbeat_of("a", "one", 2));
    let epoch = fixture.gets(ConsumerHeartbeatRequest { owned: Some(part([0, 1])), ..heartbeat_of("a", "one", 2) }).0;
    for id in ["a", "c"] {
        assert_eq!(fixture.say(join_static(id, "one")), Err(GroupError::UnreleasedInstanceId), "{id}");
    }
    assert_eq!(fixture.say(heartbeat_of("b", "one", epoch)), Err(GroupError::FencedInstanceId));
    let nameless = fixture.say(heartbeat("a", -2));
    assert_eq!(nameless, Err(GroupError::InvalidRequest("InstanceId can't be null.")), "only static ones come back");
    assert_eq!(fixture.say(heartbeat_of("a", "one", -2)).unwrap().member_epoch, -2);
    fixture.restart();
    assert_eq!(fixture.gets(join_static("c", "one")), (3, Some(part([0, 1]))), "nothing has moved");
    assert_eq!(fixture.say(heartbeat_of("a", "one", epoch)), Err(GroupError::FencedInstanceId));
    assert_eq!(fixture.group().epoch, 3);
    fixture.say(heartbeat_of("c", "one", -2)).unwrap();
    assert_eq!(fixture.gets(join_static("c", "one")), (3, Some(part([0, 1]))), "perhaps by the same id");
    assert_eq!((fixture.group().epoch, fixture.member_ids()), (3, vec!["b".to_owned(), "c".to_owned()]));
    // One that stays away is taken out.
    fixture.say(heartbeat_of("c", "one", -2)).unwrap();
    fixture.pass(SESSION_MS);
    assert_eq!(fixture.group().members.len(), 0);
}

fn heartbeat_of(member_id: &str, instance: &str, epoch: i32) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { instance_id: Some(instance.into()), ..heartbeat(member_id, epoch) }
}

#[test]
fn members_go_on_after_a_restart() {
    let mut fixture = Fixture::new(4);
    fixture.gets(join("a"));
    fixture.gets(join("b"));
    fixture.gets(heartbeat("a", 2));
    let before = fixture.group();
    fixture.restart();
    assert_eq!(fixture.group(), before);
    assert_eq!(fixture.gets(owning("a", 2, [0, 1])), (3, None));
    assert_eq!(fixture.gets(heartbeat("b", 3)), (3, Some(part([2, 3]))));
    assert_eq!(fixture.group().epoch, 3, "the topics are those that they were");
    // One that has to let go has its time for it, from the restart on.
    fixture.gets(join("c"));
    fixture.gets(heartbeat("a", 3));
    fixture.restart();
    fixture.pass(i64::from(REBALANCE_MS));
    assert_eq!(fixture.group().members.len(), 0);
}

#[test]
fn topics_that_grow_are_assigned_anew() {
    let mut fixture = Fixture::new(1);
    assert_eq!(fixture.gets(join("a")), (2, Some(part([0]))));
    fixture.set_topics(&[("t", topic(1), 2), ("u", topic(2), 1)]);
    assert_eq!(fixture.gets(owning("a", 2, [0])), (3, Some(part([0, 1]))));
    fixture.set_topics(&[("t", topic(1), 2)]);
    assert_eq!(fixture.gets(heartbeat("a", 3)), (3, None), "nobody reads what is gone");
    fixture.set_topics(&[]);
    assert_eq!(fixture.gets(owning("a", 3, [0, 1])), (3, Some(part([]))), "to be let go of");
    assert_eq!(fixture.gets(owning("a", 3, [])), (4, None));
}

#[test]
fn a_regular_expression_stands_for_the_topics_that_it_matches_as_a_whole() {
    let mut fixture = Fixture::new(1);
    let subscribe =
        |regex: &str| ConsumerHeartbeatRequest { topic_names: None, topic_regex: Some(regex.into()), ..join("a") };
    for invalid in ["(", "t)|(u", &"a".repeat(5000), "(a{1000}){1000}"] {
        assert_eq!(fixture.say(subscribe(invalid)), Err(GroupError::InvalidRegularExpression), "{invalid}");
    }
    fixture.set_topics(&[("t", topic(1), 1), ("t-x", topic(2), 1)]);
    assert_eq!(fixture.gets(subscribe("t|u.*")), (2, Some(part([0]))));
    assert!(fixture.groups.is_subscribed_to("g", "t") && !fixture.groups.is_subscribed_to("g", "t-x"));
    fixture.set_topics(&[("t", topic(1), 1), ("t-x", topic(2), 1), ("u-y", topic(3), 1)]);
    fixture.pass(10_000);
    assert_eq!(fixture.gets(heartbeat("a", 2)), (2, None), "new topics are looked at every ten seconds");
    fixture.pass(1);
    let both: Partitions = [(topic(1), [0].into()), (topic(3), [0].into())].into();
    assert_eq!(fixture.gets(heartbeat("a", 2)), (3, Some(both)));
    fixture.restart();
    assert!(fixture.groups.is_subscribed_to("g", "u-y"));
    // A name and no expression any more.
    let request = ConsumerHeartbeatRequest { topic_regex: Some(String::new()), ..join("a") };
    assert_eq!(fixture.gets(request).1, Some(part([0])));
    assert!(!fixture.groups.is_subscribed_to("g", "u-y"));
}

#[test]
fn the_regular_expressions_of_a_group_are_resolved_together_now_and_then() {
    let config = StoreConfig { group_consumer_regex_refresh_interval_ms: 60_000, ..StoreConfig::default() };
    let mut fixture = Fixture::with(config, 1);
    fixture.set_topics(&[("t", topic(1), 1), ("u", topic(2), 1)]);
    let subscribe = |id: &str, regex: &str| ConsumerHeartbeatRequest {
        topic_names: None,
        topic_regex: Some(regex.into()),
        ..join(id)
    };
    // What was resolved at that time.
    let resolved = |fixture: &Fixture, at_ms: i64| -> Vec<String> {
        let at = |record: &GroupRecord| match record {
            GroupRecord::Regex(regex, Some(resolved)) if resolved.timestamp == at_ms => Some(regex.clone()),
            _ => None,
        };
        fixture.log.iter().filter_map(at).collect()
    };
    assert_eq!(fixture.gets(subscribe("a", "t.*")), (2, Some(part([0]))));
    assert_eq!(resolved(&fixture, 0), ["t.*"]);
    // Another one waits; one that is known is as good as before.
    fixture.pass(5_000);
    assert_eq!(fixture.gets(subscribe("b", "u.*")), (2, Some(part([]))));
    assert_eq!(fixture.gets(subscribe("c", "t.*")).0, 3);
    fixture.gets(heartbeat("c", -1));
    fixture.pass(5_001);
    fixture.gets(heartbeat("a", 2));
    assert_eq!(resolved(&fixture, 10_001), ["t.*", "u.*"]);
    let epoch = fixture.group().epoch;
    assert_eq!(fixture.gets(heartbeat("b", 2)), (epoch, Some([(topic(2), [0].into())].into())));
    // After the interval they are resolved anyway. A topic that is gone is nobody's already.
    fixture.set_topics(&[("u", topic(2), 1)]);
    fixture.pass(30_000);
    fixture.gets(heartbeat("a", epoch));
    assert!(fixture.groups.is_subscribed_to("g", "t"));
    fixture.gets(owning("a", epoch, []));
    let epoch = fixture.group().epoch;
    fixture.gets(heartbeat("b", epoch - 1));
    fixture.pass(30_000);
    fixture.gets(heartbeat("b", epoch));
    assert_eq!(resolved(&fixture, 70_001), [] as [&str; 0]);
    fixture.pass(1);
    fixture.gets(heartbeat("b", epoch));
    assert_eq!(resolved(&fixture, 70_002), ["t.*", "u.*"]);
    assert!(!fixture.groups.is_subscribed_to("g", "t"));
    assert_eq!(fixture.group().epoch, epoch + 1);
    // Who leaves takes his along.
    fixture.gets(heartbeat("a", -1));
    assert!(matches!(fixture.log.iter().rev().find(|record| matches!(record, GroupRecord::Regex(..))),
        Some(GroupRecord::Regex(regex, None)) if regex == "t.*"));
}

#[test]
fn members_choose_among_the_assignors_that_there_are() {
    let mut fixture = Fixture::new(4);
    let asks =
        |id: &str, assignor: &str| ConsumerHeartbeatRequest { server_assignor: Some(assignor.into()), ..join(id) };
    assert_eq!(fixture.say(asks("a", "sticky")), Err(GroupError::UnsupportedAssignor));
    fixture.gets(asks("a", "range"));
    fixture.gets(asks("b", "range"));
    assert_eq!(fixture.group().assignor, "range");
    let targets: Vec<_> = fixture.group().members.into_iter().map(|member| member.target).collect();
    assert_eq!(targets, [part([0, 1]), part([2, 3])]);
    let group_consumer_assignors = vec![ConsumerGroupAssignor::Range];
    let mut fixture = Fixture::with(StoreConfig { group_consumer_assignors, ..StoreConfig::default() }, 4);
    assert_eq!(fixture.say(asks("a", "uniform")), Err(GroupError::UnsupportedAssignor));
    fixture.gets(join("a"));
    assert_eq!(fixture.group().assignor, "range", "the first one that there is");
}

#[test]
fn what_is_not_whole_is_refused() {
    let mut fixture = Fixture::new(1);
    let owning_something = ConsumerHeartbeatRequest { owned: Some(part([0])), ..join("a") };
    let too_long = || "n".repeat(1 << 15);
    for invalid in [
        ConsumerHeartbeatRequest { group: String::new(), ..join("a") },
        ConsumerHeartbeatRequest { rebalance_timeout_ms: -1, ..join("a") },
        ConsumerHeartbeatRequest { topic_names: None, ..join("a") },
        ConsumerHeartbeatRequest { owned: None, ..join("a") },
        ConsumerHeartbeatRequest { instance_id: Some(" ".into()), ..join("a") },
        owning_something,
        ConsumerHeartbeatRequest { group: too_long(), ..join("a") },
        ConsumerHeartbeatRequest { client_id: too_long(), ..join("a") },
        ConsumerHeartbeatRequest { instance_id: Some(too_long()), ..join("a") },
        join(&too_long()),
        heartbeat("", 1),
        heartbeat("a", -3),
    ] {
        assert!(matches!(fixture.say(invalid.clone()), Err(GroupError::InvalidRequest(_))), "{invalid:?}");
    }
    assert_eq!(fixture.say(heartbeat("a", 2)), Err(GroupError::GroupIdNotFound));
    assert_eq!(fixture.groups.groups().count(), 0, "nothing is left of what was refused");
    let nothing = ConsumerHeartbeatRequest { topic_names: Some(Vec::new()), ..join("a") };
    assert_eq!(fixture.gets(nothing), (1, Some(part([]))), "to be subscribed to nothing is something to say");
    let answer = fixture.say(ConsumerHeartbeatRequest { fresh_id: topic(9), ..join("") }).unwrap();
    assert_eq!(answer.member_id, topic(9).to_string(), "version 0 lets the coordinator name members");
}

#[test]
fn whoever_is_subscribed_to_nothing_moves_nobody() {
    let mut fixture = Fixture::new(4);
    let nothing = |id: &str| ConsumerHeartbeatRequest { topic_names: Some(Vec::new()), ..join(id) };
    let matching = |id: &str, regex: &str| {
        let topic_regex = Some(regex.to_owned());
        ConsumerHeartbeatRequest { topic_names: None, topic_regex, ..join(id) }
    };
    let epochs = |fixture: &Fixture| {
        let group = fixture.group();
        (group.state, group.epoch, group.assignment_epoch)
    };
    // A group begins in epoch 1, and stays in it as long as nobody wants anything.
    assert_eq!(fixture.gets(nothing("a")), (1, Some(part([]))));
    assert_eq!(fixture.gets(matching("b", "nowhere")), (1, Some(part([]))));
    assert_eq!(epochs(&fixture), (GroupState::Stable, 1, 1));
    fixture.restart();
    assert_eq!(epochs(&fixture), (GroupState::Stable, 1, 1));
    assert_eq!(fixture.gets(join("c")), (2, Some(part([0, 1, 2, 3]))));
    assert_eq!(fixture.gets(nothing("d")), (2, Some(part([]))));
    assert_eq!(fixture.gets(matching("e", "t.*")), (2, Some(part([]))), "it is not resolved yet");
    fixture.restart();
    assert_eq!(fixture.gets(heartbeat("c", 2)), (2, None), "everything is as it was");
    fixture.gets(heartbeat("a", 1));
    fixture.gets(heartbeat("b", 1));
    assert_eq!(epochs(&fixture), (GroupState::Stable, 2, 2));
    // Whose expression is resolved then, and whose was before, do.
    fixture.pass(10_001);
    assert_eq!(fixture.gets(heartbeat("e", 2)).0, 3);
    assert_eq!(fixture.gets(matching("f", "nowhere")), (4, Some(part([]))));
}

#[test]
fn a_group_that_kafka_has_not_written_down_in_its_first_epoch_goes_on_in_it() {
    let mut fixture = Fixture::new(4);
    fixture.gets(ConsumerHeartbeatRequest { topic_names: Some(Vec::new()), ..join("a") });
    // Kafka writes no record of a group whose epoch has not changed yet.
    fixture.log.retain(|record| !matches!(record, GroupRecord::ConsumerGroup(_)));
    fixture.restart();
    assert_eq!((fixture.group().state, fixture.group().epoch), (GroupState::Stable, 1));
    assert_eq!(fixture.gets(heartbeat("a", 1)), (1, None));
    assert_eq!(fixture.gets(join("b")), (2, Some(part([0, 1, 2, 3]))));
    ["a", "b"].iter().for_each(|id| drop(fixture.say(heartbeat(id, -1)).unwrap()));
    assert_eq!(fixture.groups.delete("g"), Ok(()));
    fixture.write_all();
    fixture.restart();
    assert_eq!(fixture.groups.groups().count(), 0);
}

#[test]
fn a_group_has_as_many_members_as_it_may() {
    let mut fixture = Fixture::with(StoreConfig { group_consumer_max_size: 1, ..StoreConfig::default() }, 1);
    fixture.gets(join("a"));
    assert_eq!(fixture.say(join("b")), Err(GroupError::GroupMaxSizeReached));
    assert_eq!(fixture.gets(join("a")).0, 2);
}

#[test]
fn only_members_commit_and_in_their_epoch() {
    let mut fixture = Fixture::new(4);
    fixture.gets(join("a"));
    fixture.gets(join("b"));
    let groups = &mut fixture.groups;
    assert_eq!(groups.check_commit("g", "b", None, 3, 0), Ok(()));
    assert_eq!(groups.check_commit("g", "a", None, 3, 0), Err(GroupError::StaleMemberEpoch));
    assert_eq!(groups.check_commit("g", "c", None, 3, 0), Err(GroupError::UnknownMemberId));
    assert_eq!(groups.check_commit("g", "", None, -1, 0), Err(GroupError::UnknownMemberId), "it has members");
    assert_eq!(groups.check_transactional_commit("g", "a", None, 3), Err(GroupError::IllegalGeneration));
    assert_eq!(groups.check_transactional_commit("g", "", None, -1), Ok(()), "at its word");
    assert_eq!(groups.check_fetch("g", Some("a"), 2), Ok(()));
    assert_eq!(groups.check_fetch("g", Some("a"), 3), Err(GroupError::StaleMemberEpoch));
    assert_eq!(groups.check_fetch("g", None, -1), Ok(()));
    fixture.pass(SESSION_MS);
    assert_eq!(fixture.groups.check_commit("g", "", None, -1, fixture.now_ms), Ok(()), "it has none");
}

#[test]
fn a_member_may_commit_in_an_earlier_epoch_what_it_has_had_since() {
    let mut fixture = Fixture::new(4);
    fixture.gets(join("a"));
    fixture.gets(join("b"));
    fixture.gets(heartbeat("a", 2));
    assert_eq!(fixture.gets(owning("a", 2, [0, 1])), (3, None), "this it does not know yet");
    fixture.gets(heartbeat("b", 3));
    let commits = |fixture: &mut Fixture, member_id, generation, partitions: &[i32]| {
        let (group, group_instance_id, is_transactional) = ("g", None, false);
        let committer = Committer { group, member_id, group_instance_id, generation, is_transactional };
        let partitions: Vec<_> = partitions.iter().map(|index| TopicPartition::new("t", *index)).collect();
        let transactional = Committer { is_transactional: true, ..committer };
        let within = fixture.groups.check_commit_of(&transactional, &partitions, 0);
        let taken = fixture.groups.check_commit_of(&committer, &partitions, 0);
        assert_eq!(within.is_ok(), taken.is_ok());
        taken
    };
    for _ in 0..2 {
        assert_eq!(commits(&mut fixture, "a", 2, &[0, 1]), Ok(()));
        for refused in [&[0, 2][..], &[9]] {
            assert_eq!(commits(&mut fixture, "a", 2, refused), Err(GroupError::StaleMemberEpoch), "it has let go");
        }
        assert_eq!(commits(&mut fixture, "b", 3, &[2]), Ok(()));
        assert_eq!(commits(&mut fixture, "b", 2, &[2]), Err(GroupError::StaleMemberEpoch), "it had nothing then");
        assert_eq!(commits(&mut fixture, "a", 4, &[0]), Err(GroupError::StaleMemberEpoch));
        fixture.restart();
    }
}

#[test]
fn groups_are_listed_and_deleted_when_they_are_empty() {
    let mut fixture = Fixture::new(4);
    fixture.gets(join("a"));
    let listed: Vec<_> = fixture.groups.groups().map(|group| (group.group_type, group.state)).collect();
    assert_eq!(listed, [(GroupType::Consumer, GroupState::Stable)]);
    assert_eq!(fixture.groups.delete("g"), Err(GroupError::NonEmptyGroup));
    fixture.say(heartbeat("a", -1)).unwrap();
    assert_eq!(fixture.groups.delete("g"), Ok(()));
    let Some(Action::Write { write: None, records, .. }) = fixture.groups.next_action() else { panic!() };
    fixture.log.extend(records);
    assert_eq!(fixture.groups.groups().count(), 0);
    fixture.restart();
    assert_eq!(fixture.groups.groups().count(), 0, "and stay so");
}

/// A compacted log can begin with it, where the group's other records have been written again since.
#[test]
fn what_kafka_4_0_kept_of_topics_is_taken_back_wherever_it_is_in_the_log() {
    let mut fixture = Fixture::new(1);
    let metadata = ConsumerGroupMetadataValue { epoch: 3, ..Default::default() };
    fixture.log.push(GroupRecord::PartitionMetadata(true));
    fixture.log.push(GroupRecord::ConsumerGroup(Some(metadata)));
    fixture.restart();
    assert_eq!(fixture.groups.delete("g"), Ok(()));
    let Some(Action::Write { records, .. }) = fixture.groups.next_action() else { panic!() };
    assert!(records.contains(&GroupRecord::PartitionMetadata(false)), "{records:?}");
    fixture.log.extend(records);
    fixture.restart();
    assert_eq!(fixture.groups.groups().count(), 0);
}

/// Each that joins changes what all are to have: written down together for all who came, it was too much for one batch,
/// and all were refused.
#[test]
fn no_batch_is_too_large_for_how_many_come_at_once() {
    const MEMBERS: usize = 60;
    let config = StoreConfig { group_consumer_assignment_interval_ms: 0, ..StoreConfig::default() };
    let mut fixture = Fixture::with(config, 10_000);
    let mut answered = 0;
    // Ids may be long, and all records of a member have its id in their keys.
    let ids: Vec<String> = (0..MEMBERS).map(|index| format!("member-{index:0>9000}")).collect();
    for id in &ids {
        fixture.groups.consumer_heartbeat(join(id), "heartbeat", 0);
    }
    while let Some(action) = fixture.groups.next_action() {
        match action {
            Action::Write { write, records, .. } => {
                let encoded = |record: &GroupRecord| [record.encode_key("g"), record.encode_value().unwrap()].concat();
                let bytes: usize = records.iter().map(|record| encoded(record).len()).sum();
                assert!(bytes < 900 << 10, "{bytes} bytes of {} records", records.len());
                fixture.written(write, records);
            }
            Action::Respond { response, .. } => {
                assert!(matches!(response, Response::ConsumerHeartbeat(Ok(_))), "{response:?}");
                answered += 1;
            }
        }
    }
    assert_eq!(answered, MEMBERS);
}

/// Who joined behind a member that wants more than a batch can hold was told, with that one, that it could not be
/// written.
#[test]
fn whoever_says_more_than_a_batch_can_hold_fails_alone() {
    let mut fixture = Fixture::new(4);
    let many = (0..8000).map(|number| format!("{number:0>200}")).collect();
    let excessive = ConsumerHeartbeatRequest { topic_names: Some(many), ..join("excessive") };
    for (request, waiter) in [(join("a"), "a"), (join("b"), "b"), (excessive, "excessive"), (join("c"), "c")] {
        fixture.groups.consumer_heartbeat(request, waiter, 0);
    }
    let mut answered = Vec::new();
    while let Some(action) = fixture.groups.next_action() {
        match action {
            Action::Respond { to, response: Response::ConsumerHeartbeat(answer) } => answered.push((to, answer.err())),
            Action::Write { write: Some(write), records, .. } => {
                let bytes: usize = records.iter().filter_map(GroupRecord::encode_value).map(|value| value.len()).sum();
                let result = if bytes < 1 << 20 { Ok(()) } else { Err(GroupError::UnknownServerError) };
                fixture.groups.written(write, result, 0);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answered, [("a", None), ("b", None), ("excessive", Some(GroupError::UnknownServerError)), ("c", None)]);
}
