//! Threads that share a topic in real time, as an application has them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use esker::{Acks, Maintenance, ProducerConfig, Record, Store, StoreConfig, TopicConfig};

use super::{GROUP, config};

const RECORDS: usize = 300;
const PARTITIONS: i32 = 6;

#[test]
fn threads_come_and_go_and_every_record_is_processed() {
    for maintenance in [Maintenance::Thread, Maintenance::Manual] {
        let store_config = StoreConfig { group_initial_rebalance_delay_ms: 0, ..StoreConfig::default() };
        let store = Store::options().config(store_config).maintenance(maintenance).open_temporary().unwrap();
        store.create_topic("t", TopicConfig::new().partitions(PARTITIONS)).unwrap();
        let times = Mutex::new(BTreeMap::<Vec<u8>, usize>::new());
        let repeatable = AtomicUsize::new(0);
        let is_done = || times.lock().unwrap().len() == RECORDS;
        let work = |polls_max: usize| {
            let mut consumer = store.consumer(config().max_poll_records(7)).unwrap();
            consumer.subscribe(["t"]).unwrap();
            let mut polls = 0;
            while !is_done() {
                let records = consumer.poll(Duration::from_millis(20)).unwrap();
                let count = records.len();
                for record in records {
                    *times.lock().unwrap().entry(record.value.unwrap().to_vec()).or_default() += 1;
                }
                polls += usize::from(count > 0);
                if polls >= polls_max {
                    // It goes without a commit, as one that panics does.
                    repeatable.fetch_add(count, Ordering::SeqCst);
                    return;
                }
                // Refused if the group has gone on: then these come again.
                if consumer.commit().is_err() {
                    repeatable.fetch_add(count, Ordering::SeqCst);
                }
            }
        };
        std::thread::scope(|scope| {
            let work = &work;
            for polls_max in [usize::MAX, 3, usize::MAX, 5, 9] {
                scope.spawn(move || work(polls_max));
            }
            let producer = store.producer(ProducerConfig::new().acks(Acks::Leader)).unwrap();
            for number in 0..RECORDS {
                let record = Record::to("t").partition(number as i32 % PARTITIONS).value(number.to_string());
                producer.send(record).unwrap();
            }
        });
        let times = times.into_inner().unwrap();
        let repeated: usize = times.values().map(|count| count - 1).sum();
        assert!(repeated <= repeatable.into_inner(), "{repeated} came again");
        let committed: i64 = store.committed_offsets(GROUP).unwrap().iter().map(|(_, at)| at.offset).sum();
        assert!(committed <= RECORDS as i64);
    }
}
