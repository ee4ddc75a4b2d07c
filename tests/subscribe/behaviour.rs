//! Membership, case by case.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use esker::coordinator::GroupState;
use esker::sim::{Fault, FaultStorage, Operation};
use esker::{
    Acks, CommittedOffset, Consumer, ConsumerGroupMetadata, Error, GroupError, Maintenance, ProducerConfig, ReadLimits,
    RebalanceListener, Result, Store, StoreConfig, TopicConfig, TopicPartition,
};

use super::{Fixture, GROUP, MAX_POLL_INTERVAL, config, cooperative, open, partitions, poll, refusal, send, settle};

#[test]
fn members_share_the_partitions_and_take_over_from_those_who_go() {
    let fixture = Fixture::new(4);
    let (mut a, mut b) = (fixture.consumer(), fixture.consumer());
    assert_eq!(settle(&mut [&mut a]), [[0, 1, 2, 3]]);
    assert_eq!(settle(&mut [&mut a, &mut b]).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(a.subscription(), ["t"]);
    drop(b);
    assert_eq!(settle(&mut [&mut a]), [[0, 1, 2, 3]]);
    a.unsubscribe().unwrap();
    assert_eq!((partitions(&a), a.subscription().len()), (vec![], 0));
    assert_eq!(fixture.store.group_membership(GROUP).unwrap().state, GroupState::Empty);
}

#[test]
fn more_members_than_partitions_wait_and_another_group_reads_for_itself() {
    let fixture = Fixture::new(2);
    let (mut a, mut b, mut c) = (fixture.consumer(), fixture.consumer(), fixture.consumer());
    let mut other = fixture.store.consumer(config().group_id("other")).unwrap();
    other.subscribe(["t"]).unwrap();
    send(&fixture.store, 0, "x");
    let shares = settle(&mut [&mut a, &mut b, &mut c]);
    assert_eq!(shares.iter().map(Vec::len).sum::<usize>(), 2);
    assert!(shares.iter().any(Vec::is_empty));
    assert_eq!(poll(&mut other).len(), 1, "the first group has read it, which is nothing to the other");
    assert_eq!(partitions(&other), [0, 1]);
}

#[test]
fn a_member_without_partitions_sees_that_the_store_was_closed() {
    let fixture = Fixture::new(1);
    let (mut a, mut b) = (fixture.consumer(), fixture.consumer());
    let shares = settle(&mut [&mut a, &mut b]);
    let mut idle = if shares[0].is_empty() { a } else { b };
    fixture.store.close().unwrap();
    assert!(matches!(idle.poll(Duration::from_secs(600)), Err(Error::Closed { .. })));
}

#[test]
fn who_does_not_poll_is_replaced_and_may_not_commit() {
    let fixture = Fixture::new(2);
    let (mut a, mut b) = (fixture.consumer(), fixture.consumer());
    send(&fixture.store, 0, "x");
    send(&fixture.store, 1, "y");
    settle(&mut [&mut a, &mut b]);
    a.commit().unwrap();
    // `a` stalls while `b` goes on.
    fixture.clock.advance(MAX_POLL_INTERVAL / 2);
    poll(&mut b);
    fixture.clock.advance(MAX_POLL_INTERVAL / 2);
    assert_eq!(settle(&mut [&mut b]), [[0, 1]]);
    let at = a.positions();
    assert_eq!(at.len(), 1, "it does not know yet");
    assert_eq!(refusal(a.commit()), GroupError::UnknownMemberId);
    assert!(!Error::Group { group: GROUP.into(), error: GroupError::UnknownMemberId }.is_retriable());
    // It comes back as a new member, and goes on from what is committed.
    assert_eq!(settle(&mut [&mut b, &mut a]).iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    a.commit().unwrap();
}

#[test]
fn names_that_no_record_can_hold_are_refused_and_the_longest_ones_are_written_down() {
    let fixture = Fixture::new(1);
    let too_long = "n".repeat(1 << 15);
    let refused = fixture.store.consumer(&*too_long).map(drop);
    assert!(matches!(refused, Err(Error::InvalidGroupId { .. })), "{refused:?}");
    for (key, config) in
        [("client.id", config().client_id(&*too_long)), ("group.instance.id", config().group_instance_id(&*too_long))]
    {
        let refused = fixture.store.consumer(config).map(drop);
        assert!(matches!(&refused, Err(Error::InvalidConfig { key: of, .. }) if of == key), "{refused:?}");
    }
    let refused = fixture.store.consumer(GROUP).unwrap().subscribe([&*too_long]);
    assert!(matches!(refused, Err(Error::InvalidTopic { .. })), "{refused:?}");

    let longest = &too_long[1..];
    let config = config().group_id(longest).client_id(longest).group_instance_id(longest);
    let mut consumer = fixture.consumer_with(config);
    assert_eq!(settle(&mut [&mut consumer]), [[0]]);
    fixture.store.close().unwrap();
    let store = open(&fixture.disk, &fixture.clock).unwrap();
    let members = store.group_membership(longest).unwrap().members;
    assert_eq!(members.len(), 1);
    assert_eq!((&*members[0].client_id, members[0].group_instance_id.as_deref()), (longest, Some(longest)));
}

#[test]
fn what_no_coordinator_could_be_told_is_refused_and_told_by_its_name() {
    let fixture = Fixture::new(1);
    let too_long = Duration::from_millis(1 << 31);
    for (key, config) in [
        ("session.timeout.ms", config().session_timeout(Duration::ZERO)),
        ("session.timeout.ms", config().session_timeout(too_long)),
        ("max.poll.interval.ms", config().max_poll_interval(Duration::from_micros(999))),
        ("max.poll.interval.ms", config().max_poll_interval(Duration::MAX)),
        ("group.instance.id", config().group_instance_id("")),
        ("partition.assignment.strategy", config().partition_assignment_strategy([])),
    ] {
        for refused in [config.validate(), fixture.store.consumer(config).map(drop)] {
            assert!(matches!(&refused, Err(Error::InvalidConfig { key: of, .. }) if of == key), "{refused:?}");
        }
    }
    let mut longest = config().max_poll_interval(too_long - Duration::from_millis(1)).group_instance_id("one");
    longest.validate().unwrap();
    longest.set("partition.assignment.strategy", "sticky,range").unwrap();
    let keys = ["max.poll.interval.ms", "group.instance.id", "partition.assignment.strategy", "client.id"];
    assert_eq!(keys.map(|key| longest.get(key).unwrap()), ["2147483647", "one", "sticky,range", "consumer"]);
    assert!(longest.set("max.poll.interval.ms", "2147483648").is_err());
}

#[test]
fn a_member_that_waits_for_records_is_alive_however_long_that_takes() {
    let fixture = Fixture::new(1);
    let mut waiting = fixture.consumer();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| waiting.poll(Duration::from_secs(600)));
        let membership = || fixture.store.group_membership(GROUP);
        while !membership().is_ok_and(|group| group.state == GroupState::Stable) {
            std::thread::yield_now();
        }
        for _ in 0..10 {
            fixture.clock.advance(MAX_POLL_INTERVAL);
            fixture.store.tick().unwrap();
            assert_eq!(membership().unwrap().members.len(), 1);
        }
        send(&fixture.store, 0, "x");
        assert_eq!(waiter.join().unwrap().unwrap().len(), 1);
    });
}

#[test]
fn a_commit_of_an_old_generation_is_refused() {
    let fixture = Fixture::new(2);
    let (mut a, mut b) = (fixture.consumer(), fixture.consumer());
    settle(&mut [&mut a]);
    poll(&mut b);
    // `b` wants in. `a` may still commit what it has done; then it joins, and may not until it has its part.
    a.commit_offsets([(TopicPartition::new("t", 0), CommittedOffset::new(0))], Acks::All).unwrap();
    poll(&mut a);
    let early = b.commit_offsets([(TopicPartition::new("t", 0), CommittedOffset::new(9))], Acks::All);
    assert!(matches!(refusal(early), GroupError::RebalanceInProgress | GroupError::IllegalGeneration));
    settle(&mut [&mut a, &mut b]);
    assert_eq!(fixture.store.committed_offset(GROUP, ("t", 0)).unwrap().unwrap().offset, 0);
}

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn note(&self, what: &str, consumer: &Consumer, partitions: &[TopicPartition]) {
        let has = consumer.assignment().len();
        self.0.lock().unwrap().push(format!("{what} {partitions:?} of {has}"));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl RebalanceListener for Told {
    fn on_partitions_revoked(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) -> Result<()> {
        self.note("revoked", consumer, partitions);
        consumer.commit()
    }

    fn on_partitions_assigned(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) -> Result<()> {
        self.note("assigned", consumer, partitions);
        Ok(())
    }

    fn on_partitions_lost(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) -> Result<()> {
        self.note("lost", consumer, partitions);
        assert_eq!(refusal(consumer.commit()), GroupError::UnknownMemberId);
        Ok(())
    }
}

#[test]
fn listeners_are_told_and_can_commit_before_partitions_go() {
    let fixture = Fixture::new(2);
    let (mut a, mut b) = (fixture.consumer(), fixture.consumer());
    let told = Told::default();
    a.set_rebalance_listener(told.clone());
    settle(&mut [&mut a]);
    assert_eq!(told.take(), ["assigned [t-0, t-1] of 2"]);
    send(&fixture.store, 0, "x");
    assert_eq!(poll(&mut a).len(), 1);
    settle(&mut [&mut b, &mut a]);
    let heard = told.take();
    assert_eq!(heard[0], "revoked [t-0, t-1] of 2");
    assert!(heard[1].starts_with("assigned [t-") && heard[1].ends_with("] of 1"), "{heard:?}");
    let committed = fixture.store.committed_offset(GROUP, ("t", 0)).unwrap();
    assert_eq!(committed.unwrap().offset, 1);
    fixture.clock.advance(MAX_POLL_INTERVAL);
    poll(&mut a);
    assert!(told.take()[0].starts_with("lost [t-"), "it did not poll");
    drop(b);
    settle(&mut [&mut a]);
    told.take();
    drop(a);
    assert_eq!(told.take(), ["revoked [t-0, t-1] of 2"]);
}

#[test]
fn cooperating_members_go_on_reading_what_they_keep() {
    let fixture = Fixture::new(4);
    let (mut a, mut b) = (fixture.consumer_with(cooperative()), fixture.consumer_with(cooperative()));
    let told = Told::default();
    a.set_rebalance_listener(told.clone());
    settle(&mut [&mut a]);
    told.take();
    poll(&mut b);
    send(&fixture.store, 0, "x");
    assert_eq!(poll(&mut a).len(), 1, "while the group rebalances");
    assert_eq!(settle(&mut [&mut a, &mut b]), [[0, 1], [2, 3]]);
    assert_eq!(told.take(), ["revoked [t-2, t-3] of 4", "assigned [] of 2", "assigned [] of 2"]);
}

#[test]
fn members_see_topics_come_grow_and_go() {
    let fixture = Fixture::new(2);
    let mut a = fixture.store.consumer(config()).unwrap();
    a.subscribe_pattern(|topic| topic.starts_with('t')).unwrap();
    assert_eq!(settle(&mut [&mut a]), [[0, 1]]);
    fixture.store.create_partitions("t", 3).unwrap();
    assert_eq!(settle(&mut [&mut a]), [[0, 1, 2]]);
    fixture.store.create_topic("other", TopicConfig::new()).unwrap();
    fixture.store.create_topic("t2", TopicConfig::new()).unwrap();
    assert_eq!(settle(&mut [&mut a]), [[0, 0, 1, 2]]);
    assert_eq!(a.subscription(), ["t", "t2"]);
    fixture.store.delete_topic("t").unwrap();
    assert_eq!(settle(&mut [&mut a]), [[0]]);
    // A topic that does not exist yet is subscribed to all the same.
    let mut b = fixture.store.consumer(config().group_id("early")).unwrap();
    b.subscribe(["late"]).unwrap();
    assert_eq!(settle(&mut [&mut b]), [[]; 1]);
    fixture.store.create_topic("late", TopicConfig::new()).unwrap();
    assert_eq!(settle(&mut [&mut b]), [[0]]);
    // One that is deleted and comes again is another one.
    fixture.store.delete_topic("late").unwrap();
    fixture.store.create_topic("late", TopicConfig::new()).unwrap();
    assert_eq!(settle(&mut [&mut b]), [[0]]);
    b.subscribe(["t2"]).unwrap();
    settle(&mut [&mut b]);
    assert_eq!(b.assignment(), [TopicPartition::new("t2", 0)]);
}

#[test]
fn a_static_member_comes_back_to_its_part_and_fences_who_has_its_name() {
    let fixture = Fixture::new(2);
    let named = |name: &str| fixture.consumer_with(config().group_instance_id(name));
    let (mut a, mut b) = (named("a"), named("b"));
    settle(&mut [&mut a, &mut b]);
    let generation = fixture.store.group_membership(GROUP).unwrap().generation;
    let had = partitions(&a);
    drop(a);
    let mut a = named("a");
    assert_eq!(settle(&mut [&mut a, &mut b])[0], had);
    assert_eq!(fixture.store.group_membership(GROUP).unwrap().generation, generation, "nobody was disturbed");
    let mut second = named("a");
    settle(&mut [&mut second, &mut b]);
    assert_eq!(refusal(a.commit()), GroupError::FencedInstanceId);
    assert_eq!(refusal(a.poll(Duration::ZERO)), GroupError::FencedInstanceId);
    assert_eq!(refusal(a.poll(Duration::ZERO)), GroupError::FencedInstanceId, "and stays so");
    assert_eq!(partitions(&second), had);
    // One that does not come back loses its part when its session ends.
    drop(second);
    fixture.clock.advance(Duration::from_secs(46));
    assert_eq!(settle(&mut [&mut b]), [[0, 1]]);
}

#[test]
fn assigning_by_hand_and_subscribing_exclude_each_other() {
    let fixture = Fixture::new(2);
    let mut a = fixture.consumer();
    settle(&mut [&mut a]);
    a.assign([("t", 1)]).unwrap();
    assert_eq!((partitions(&a), a.subscription().len()), (vec![1], 0));
    assert_eq!(fixture.store.group_membership(GROUP).unwrap().members, []);
    let mut nobody = fixture.store.consumer(esker::ConsumerConfig::new()).unwrap();
    assert!(matches!(nobody.subscribe(["t"]), Err(Error::NoGroup)));
}

#[test]
fn who_may_not_join_is_told_why() {
    let fixture = Fixture::new(2);
    let mut a = fixture.consumer_with(cooperative());
    settle(&mut [&mut a]);
    let mut b = fixture.consumer_with({
        let mut config = config();
        config.set("partition.assignment.strategy", "org.apache.kafka.clients.consumer.RoundRobinAssignor").unwrap();
        config
    });
    assert_eq!(refusal(b.poll(Duration::ZERO)), GroupError::InconsistentGroupProtocol);
    let mut hasty = fixture.consumer_with(config().session_timeout(Duration::from_millis(10)));
    assert_eq!(refusal(hasty.poll(Duration::ZERO)), GroupError::InvalidSessionTimeout);
    fixture.store.close().unwrap();
    assert!(matches!(a.poll(Duration::ZERO), Err(Error::Closed { .. })));
}

#[test]
fn what_was_polled_is_committed_if_that_is_asked_for() {
    let fixture = Fixture::new(1);
    let committed = || {
        let committed = fixture.store.committed_offset(GROUP, ("t", 0)).unwrap();
        committed.map(|committed| committed.offset)
    };
    let mut config = config();
    config.set("enable.auto.commit", "true").unwrap();
    config.set("auto.commit.interval.ms", "1000").unwrap();
    let mut a = fixture.consumer_with(config);
    settle(&mut [&mut a]);
    for value in ["x", "y", "z"] {
        send(&fixture.store, 0, value);
    }
    assert_eq!(poll(&mut a).len(), 3);
    poll(&mut a);
    assert_eq!(committed(), None, "it is not time");
    fixture.clock.advance(Duration::from_secs(1));
    poll(&mut a);
    assert_eq!(committed(), Some(3));
    send(&fixture.store, 0, "more");
    assert_eq!(poll(&mut a).len(), 1);
    let before = commits(&fixture.store);
    drop(a);
    assert_eq!(committed(), Some(4), "when it goes");
    assert_eq!(commits(&fixture.store) - before, 1, "once");
}

/// How many records there are of commits.
fn commits(store: &Store) -> usize {
    let log = store.partition("__consumer_offsets", 0).unwrap();
    let read = log.read(log.log_start(), ReadLimits::new()).unwrap();
    let keys = read.batches().flat_map(|batch| {
        let records = batch.unwrap().records().unwrap();
        records.iter().map(|record| record.unwrap().key.unwrap_or_default().to_vec()).collect::<Vec<_>>()
    });
    keys.filter(|key| key.starts_with(&[0, 1])).count()
}

#[test]
fn what_was_polled_is_not_committed_if_its_consumer_panics() {
    let fixture = Fixture::new(1);
    send(&fixture.store, 0, "x");
    let mut config = config();
    config.set("enable.auto.commit", "true").unwrap();
    let mut consumer = fixture.consumer_with(config);
    let work = move || {
        settle(&mut [&mut consumer]);
        panic!("the record can't be processed");
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
    assert_eq!(fixture.store.committed_offset(GROUP, ("t", 0)).unwrap(), None);
    assert_eq!(fixture.store.group_membership(GROUP).unwrap().members, [], "it has left all the same");
}

#[test]
fn who_was_replaced_may_not_commit_within_a_transaction_either() {
    let fixture = Fixture::new(1);
    send(&fixture.store, 0, "x");
    let mut a = fixture.consumer();
    settle(&mut [&mut a]);
    let metadata = a.group_metadata().unwrap();
    assert_eq!((metadata.group(), metadata.generation()), (GROUP, 1));
    let producer = fixture.store.producer(ProducerConfig::new().transactional_id("id")).unwrap();
    let transaction = producer.begin_transaction().unwrap();
    transaction.send_offsets(metadata.clone(), a.positions()).unwrap();
    transaction.commit().unwrap();

    let transaction = producer.begin_transaction().unwrap();
    fixture.clock.advance(MAX_POLL_INTERVAL);
    let refused = transaction.send_offsets(metadata, [(("t", 0).into(), CommittedOffset::new(0))]);
    assert_eq!(refusal(refused), GroupError::UnknownMemberId, "also if nobody has taken over yet");
    assert!(matches!(transaction.commit(), Err(Error::TransactionAbortable { .. })));
    assert_eq!(fixture.store.committed_offset(GROUP, ("t", 0)).unwrap().unwrap().offset, 1);
    // A name alone is taken at its word.
    let transaction = producer.begin_transaction().unwrap();
    transaction.send_offsets(GROUP, a.positions()).unwrap();
    transaction.commit().unwrap();
}

/// Keeps what a consumer says that it is while it is told that it has lost everything.
struct Loss(Arc<Mutex<Option<ConsumerGroupMetadata>>>);

impl RebalanceListener for Loss {
    fn on_partitions_lost(&mut self, consumer: &mut Consumer, _: &[TopicPartition]) -> Result<()> {
        *self.0.lock().unwrap() = Some(consumer.group_metadata()?);
        Ok(())
    }
}

#[test]
fn who_is_no_member_any_more_may_not_commit_within_a_transaction_as_if_it_never_was_one() {
    let fixture = Fixture::new(1);
    send(&fixture.store, 0, "x");
    let producer = fixture.store.producer(ProducerConfig::new().transactional_id("id")).unwrap();
    let may_not_commit = |metadata| {
        let transaction = producer.begin_transaction().unwrap();
        let refused = transaction.send_offsets(metadata, [(("t", 0).into(), CommittedOffset::new(0))]);
        assert_eq!(refusal(refused), GroupError::UnknownMemberId);
        transaction.abort().unwrap();
    };
    let mut a = fixture.consumer();
    let lost = Arc::default();
    a.set_rebalance_listener(Loss(Arc::clone(&lost)));
    settle(&mut [&mut a]);
    let before = a.group_metadata().unwrap();
    fixture.clock.advance(MAX_POLL_INTERVAL);
    settle(&mut [&mut a]);
    assert_eq!(lost.lock().unwrap().take(), Some(before.clone()));
    may_not_commit(before.clone());
    let again = a.group_metadata().unwrap();
    assert_ne!(again, before, "it has joined anew");
    a.unsubscribe().unwrap();
    assert_eq!(a.group_metadata().unwrap(), again);
    may_not_commit(again.clone());
    a.subscribe(["t"]).unwrap();
    assert_eq!(a.group_metadata().unwrap(), again, "until it has joined");
    settle(&mut [&mut a]);
    assert_ne!(a.group_metadata().unwrap(), again);
}

#[test]
fn tools_see_who_reads_what_also_beside_the_process() {
    let fixture = Fixture::new(2);
    let mut a = fixture.consumer_with(config().client_id("app"));
    settle(&mut [&mut a]);
    fixture.store.commit_offsets("idle", [(TopicPartition::new("t", 0), CommittedOffset::new(0))], Acks::All).unwrap();
    let beside = Store::options().storage(Arc::new(fixture.disk.clone())).open_read_only("data").unwrap();
    for store in [&fixture.store, &beside] {
        let seen = store.group_membership(GROUP).unwrap();
        assert_eq!(
            (seen.state, seen.generation, &*seen.protocol_type, &*seen.protocol),
            (GroupState::Stable, 1, "consumer", "range")
        );
        let member = &seen.members[0];
        assert!(member.member_id.starts_with("app-"));
        assert_eq!((&*member.client_id, &*member.client_host), ("app", "embedded"));
        assert_eq!(member.topics, ["t"]);
        assert_eq!(member.assignment, [TopicPartition::new("t", 0), TopicPartition::new("t", 1)]);
        let listed = store.list_groups().unwrap();
        let listed: Vec<_> = listed.iter().map(|group| (&*group.group, group.state, &*group.protocol_type)).collect();
        assert_eq!(listed, [("g", GroupState::Stable, "consumer"), ("idle", GroupState::Empty, "")]);
        assert_eq!(store.group_membership("idle").unwrap().members, []);
        assert!(matches!(store.group_membership("no"), Err(Error::GroupIdNotFound { .. })));
    }
    assert!(matches!(beside.consumer(GROUP).unwrap().subscribe(["t"]), Err(Error::ReadOnly { .. })));
    drop(a);
    // After the process has died nobody waits for the members that it had.
    let mut a = fixture.consumer();
    settle(&mut [&mut a]);
    let disk = fixture.disk.after_crash(esker::sim::Crash::Process, 0);
    let store = open(&disk, &fixture.clock).unwrap();
    assert_eq!(store.group_membership(GROUP).unwrap().members, []);
    let mut next = store.consumer(config()).unwrap();
    next.subscribe(["t"]).unwrap();
    assert_eq!(settle(&mut [&mut next]), [[0, 1]]);
}

#[test]
fn a_group_is_deleted_with_what_is_written_down_of_its_members_if_it_has_none() {
    let fixture = Fixture::new(1);
    let mut a = fixture.consumer();
    settle(&mut [&mut a]);
    a.commit().unwrap();
    assert_eq!(refusal(fixture.store.delete_group(GROUP)), GroupError::NonEmptyGroup);
    drop(a);
    let written_down = |store: &Store| {
        let groups = store.group_memberships_written_down().unwrap();
        groups.into_iter().map(|group| (group.group, group.members.len())).collect::<Vec<_>>()
    };
    assert_eq!(written_down(&fixture.store), [(GROUP.to_owned(), 0)]);
    fixture.store.delete_group(GROUP).unwrap();
    assert!(matches!(fixture.store.delete_group(GROUP), Err(Error::GroupIdNotFound { .. })));
    let disk = fixture.disk.after_crash(esker::sim::Crash::Power, 0);
    let store = open(&disk, &fixture.clock).unwrap();
    assert_eq!((written_down(&store), store.list_groups().unwrap().len()), (Vec::new(), 0));
}

#[test]
fn a_group_that_cannot_be_taken_out_of_the_log_is_not_said_to_be_deleted() {
    let fixture = Fixture::new(1);
    let mut a = fixture.consumer();
    settle(&mut [&mut a]);
    drop(a);
    let no_room = Fault::new(ErrorKind::StorageFull).on(Operation::Append);
    fixture.disk.inject(no_room.on_paths(|path| path.to_string_lossy().contains("__consumer_offsets")));
    assert_eq!(refusal(fixture.store.delete_group(GROUP)), GroupError::CoordinatorNotAvailable);
    let store = open(&fixture.disk.after_crash(esker::sim::Crash::Process, 0), &fixture.clock).unwrap();
    assert_eq!(store.list_groups().unwrap().len(), 1);
    store.delete_group(GROUP).unwrap();
}

#[test]
fn who_is_taken_out_of_a_group_joins_anew() {
    let fixture = Fixture::new(1);
    let mut a = fixture.consumer();
    settle(&mut [&mut a]);
    let member = || fixture.store.group_membership(GROUP).unwrap().members.pop().map(|member| member.member_id);
    let before = member().unwrap();
    fixture.store.remove_members_from_group(GROUP).unwrap();
    assert_eq!(member(), None);
    assert_eq!(settle(&mut [&mut a]), [[0]]);
    assert_ne!(member().unwrap(), before);
}

#[test]
fn a_commit_waits_for_the_device_by_its_acks_alone() {
    // Until it is in the log it holds up all groups.
    let disk = FaultStorage::new(1);
    let mut config = StoreConfig::default();
    config.set("log.flush.interval.messages", "1").unwrap();
    let options = Store::options().storage(Arc::new(disk.clone())).config(config).maintenance(Maintenance::Manual);
    let store = options.open("data").unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let commit = |acks| store.commit_offsets(GROUP, [(("t", 0).into(), CommittedOffset::new(1))], acks).unwrap();
    commit(Acks::Leader);
    disk.start_trace();
    let syncs = || disk.trace().iter().filter(|operation| operation.contains("sync")).count();
    commit(Acks::Leader);
    assert_eq!(syncs(), 0);
    commit(Acks::All);
    assert!(syncs() > 0, "{:?}", disk.trace());
}
