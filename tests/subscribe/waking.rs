//! Members that are woken up: they leave when they are dropped, or go on as the members that they were.

use std::time::Duration;

use esker::Error;

use super::{Fixture, GROUP, poll, send, settle};

#[test]
fn a_member_that_is_woken_up_leaves_its_group_when_it_is_dropped() {
    let fixture = Fixture::new(2);
    let (mut staying, mut going) = (fixture.consumer(), fixture.consumer());
    settle(&mut [&mut staying, &mut going]);
    let waker = going.waker();
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || going.poll(Duration::from_secs(600)).map(|_| ()));
        waker.wakeup();
        assert!(matches!(worker.join().unwrap(), Err(Error::Wakeup)));
    });
    assert_eq!(fixture.store.group_membership(GROUP).unwrap().members.len(), 1);
    assert_eq!(settle(&mut [&mut staying]), [[0, 1]]);
}

#[test]
fn a_member_that_is_woken_up_in_a_rebalance_goes_on_with_it() {
    let fixture = Fixture::new(2);
    let (mut first, mut second) = (fixture.consumer(), fixture.consumer());
    settle(&mut [&mut first]);
    poll(&mut second);
    first.waker().wakeup();
    assert!(matches!(first.poll(Duration::ZERO), Err(Error::Wakeup)));
    assert_eq!(settle(&mut [&mut first, &mut second]).iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    (0..2).for_each(|partition| send(&fixture.store, partition, "x"));
    assert_eq!((poll(&mut first).len(), poll(&mut second).len()), (1, 1));
}
