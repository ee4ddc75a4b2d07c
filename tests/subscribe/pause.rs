//! Members with partitions that are paused: they stay members, and what a rebalance makes of the pauses.

use std::time::Duration;

use esker::{Error, TopicPartition};

use super::{Fixture, GROUP, MAX_POLL_INTERVAL, cooperative, partitions, poll, send, settle};

#[test]
fn a_member_stays_one_while_all_that_it_has_is_paused() {
    let fixture = Fixture::new(1);
    let mut member = fixture.consumer();
    settle(&mut [&mut member]);
    send(&fixture.store, 0, "x");
    member.pause(member.assignment()).unwrap();
    let generation = fixture.store.group_membership(GROUP).unwrap().generation;
    for _ in 0..10 {
        fixture.clock.advance(MAX_POLL_INTERVAL / 2);
        fixture.store.tick().unwrap();
        assert!(member.poll(Duration::ZERO).unwrap().is_empty());
    }
    let membership = fixture.store.group_membership(GROUP).unwrap();
    assert_eq!((membership.members.len(), membership.generation), (1, generation));
    member.resume(member.paused()).unwrap();
    assert_eq!(poll(&mut member).len(), 1);
}

#[test]
fn a_member_that_waits_with_everything_paused_gives_up_what_the_group_wants() {
    let fixture = Fixture::new(2);
    let (mut waiting, mut other) = (fixture.consumer_with(cooperative()), fixture.consumer_with(cooperative()));
    settle(&mut [&mut waiting]);
    waiting.pause(waiting.assignment()).unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| waiting.poll(Duration::from_secs(600)).map(|_| ()));
        while other.assignment().is_empty() {
            poll(&mut other);
            std::thread::yield_now();
        }
        fixture.store.close().unwrap();
        assert!(matches!(waiter.join().unwrap(), Err(Error::Closed { .. })));
    });
    assert_eq!((partitions(&waiting), partitions(&other)), (vec![0], vec![1]));
    assert_eq!(waiting.paused(), [TopicPartition::new("t", 0)]);
}

#[test]
fn what_a_member_keeps_in_a_rebalance_stays_paused_and_what_it_gives_up_does_not() {
    let fixture = Fixture::new(2);
    let (mut a, mut b) = (fixture.consumer_with(cooperative()), fixture.consumer_with(cooperative()));
    settle(&mut [&mut a]);
    a.pause(a.assignment()).unwrap();
    assert_eq!(settle(&mut [&mut a, &mut b]), [[0], [1]]);
    assert_eq!(a.paused(), [TopicPartition::new("t", 0)]);
    drop(b);
    assert_eq!(settle(&mut [&mut a]), [[0, 1]]);
    assert_eq!(a.paused(), [TopicPartition::new("t", 0)], "the other one came back");

    let mut eager = fixture.consumer_with(super::config().group_id("eager"));
    settle(&mut [&mut eager]);
    eager.pause(eager.assignment()).unwrap();
    let another = fixture.consumer_with(super::config().group_id("eager"));
    settle(&mut [&mut eager, &mut { another }]);
    assert_eq!(settle(&mut [&mut eager]), [[0, 1]]);
    assert!(eager.paused().is_empty(), "eager members give up everything");
}

#[test]
fn what_a_member_has_lost_is_not_paused_when_it_comes_back() {
    let fixture = Fixture::new(1);
    let mut member = fixture.consumer_with(cooperative());
    settle(&mut [&mut member]);
    member.pause([("t", 0)]).unwrap();
    fixture.clock.advance(MAX_POLL_INTERVAL);
    assert_eq!(settle(&mut [&mut member]), [[0]]);
    assert!(member.paused().is_empty());
    assert!(matches!(member.pause([("t", 1)]), Err(Error::NotAssigned { .. })));
}
