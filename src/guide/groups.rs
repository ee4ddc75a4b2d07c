//! Consumer groups and their offsets: how a reader goes on where it left off.
//!
//! # A group is a name for progress
//!
//! A log does not know who has read what. A reader keeps count itself, as an *offset* for each partition, and stores
//! it in the log under the name of its group. That is all a group is here: two readers with different groups each see
//! every record; the same group opened tomorrow goes on where it stood.
//!
//! ```
//! use esker::{AutoOffsetReset, ConsumerConfig, ProducerConfig, Record, Store, TopicConfig};
//! use std::time::Duration;
//!
//! # fn main() -> esker::Result<()> {
//! let store = Store::temporary()?;
//! store.create_topic("payments", TopicConfig::new())?;
//! let producer = store.producer(ProducerConfig::new())?;
//! for amount in ["1", "2", "3"] {
//!     producer.send(Record::to("payments").value(amount))?;
//! }
//!
//! let read_one = |group: &str| -> esker::Result<i64> {
//!     let config = ConsumerConfig::from(group).auto_offset_reset(AutoOffsetReset::Earliest).max_poll_records(1);
//!     let mut consumer = store.consumer(config)?;
//!     consumer.assign_topics(["payments"])?;
//!     let records = consumer.poll(Duration::from_secs(1))?;
//!     consumer.commit()?;
//!     Ok(records[0].offset)
//! };
//! assert_eq!(read_one("billing")?, 0);
//! assert_eq!(read_one("billing")?, 1); // goes on
//! assert_eq!(read_one("audit")?, 0); // has not begun yet
//! # Ok(())
//! # }
//! ```
//!
//! What is committed is the offset *to read next*, one beyond the last record that was dealt with. Where nothing is
//! committed, `auto.offset.reset` decides; it is `latest` by default as in Kafka, which passes over what was there
//! before. A committed offset that retention has overtaken is reset in the same way.
//!
//! # Commit after the work
//!
//! [`Consumer::commit`](crate::Consumer::commit) is called by you and never on its own, unless you set
//! `enable.auto.commit`: then each poll may commit what the polls before it have handed out, dealt with or not. Commit
//! after the work, and a crash in between repeats some of it: *at least once*. Commit before, and the crash loses some:
//! *at most once*. Work that can bear repetition, because its result is stored under a key, is the simplest way to be
//! right.
//!
//! A commit that has returned survives the loss of power. Progress that may be lost, because repeating is cheap, is
//! cheaper with `commit_offsets(…, Acks::Leader)`. Where no more than one record is to be repeated, commit behind each:
//! `consumer.commit_offsets([(record.topic_partition(), CommittedOffset::after(&record))], Acks::All)?`
//! ([`CommittedOffset::after`](crate::CommittedOffset::after)).
//!
//! Where the work is to write records into this store, it can be *exactly once*: a [`Transaction`](crate::Transaction)
//! commits those records and the offsets together, or neither. Its documentation has the loop, with what to do when a
//! transaction fails ([`seek_to_committed`](crate::Consumer::seek_to_committed)), and the example `exactly_once` kills
//! it over and over. Whoever reads the result reads with
//! [`IsolationLevel::ReadCommitted`](crate::IsolationLevel::ReadCommitted).
//!
//! # What can't be done now, or ever
//!
//! There is one offset for each partition, so a record whose work fails can't be left out and come back to: either it
//! holds up those behind it, or it is sent on before its offset is committed. To the same topic it is tried again
//! behind the others; to a topic of its own, once it has failed often enough, it waits for somebody to look at it (what
//! Kafka Connect calls a dead letter queue). A crash between the two sends it on twice; within a
//! [`Transaction`](crate::Transaction) it is sent on once.
//!
//! ```
//! # use esker::{AutoOffsetReset, Record, ConsumerConfig, ProducerConfig, Store, TopicConfig};
//! # use std::time::Duration;
//! use esker::{Acks, CommittedOffset};
//!
//! # fn main() -> esker::Result<()> {
//! # let store = Store::temporary()?;
//! # for topic in ["jobs", "jobs-failed"] {
//! #     store.create_topic(topic, TopicConfig::new())?;
//! # }
//! # let producer = store.producer(ProducerConfig::new())?;
//! # producer.send(Record::to("jobs").value("sweep"))?;
//! # let config = ConsumerConfig::from("workers").auto_offset_reset(AutoOffsetReset::Earliest);
//! # let mut consumer = store.consumer(config)?;
//! # consumer.assign_topics(["jobs"])?;
//! # let work = |_: &esker::ConsumerRecord| Err::<(), _>("no broom");
//! # for _ in 0..3 {
//! for job in consumer.poll(Duration::from_secs(1))? {
//!     if let Err(error) = work(&job) {
//!         let failures = job.header("failures").and_then(|count| count.first()).unwrap_or(&0) + 1;
//!         let topic = if failures < 3 { "jobs" } else { "jobs-failed" };
//!         let job = job.forward_to(topic).without_header("failures").header("failures", vec![failures]);
//!         producer.send(job.header("error", error))?;
//!     }
//!     consumer.commit_offsets([(job.topic_partition(), CommittedOffset::after(&job))], Acks::All)?;
//! }
//! # }
//! # assert!(consumer.poll(Duration::ZERO)?.is_empty());
//! # consumer.assign_topics(["jobs-failed"])?;
//! # assert_eq!(consumer.poll(Duration::from_secs(1))?[0].header("failures"), Some(&[3][..]));
//! # Ok(())
//! # }
//! ```
//!
//! Where the work can't be done at all for now, such as while a service is down,
//! [`seek_to_committed`](crate::Consumer::seek_to_committed) goes back to what was not committed, and
//! [`pause`](crate::Consumer::pause) holds partitions back while the consumer goes on polling.
//!
//! # Who reads which partition
//!
//! A consumer reads the partitions that it [assigns](crate::Consumer::assign) itself. Order is kept within a partition,
//! so give each to one thread at a time: two consumers of a group that read the same partition see the same records
//! and overwrite each other's commits. The example `work_queue` shares out the partitions of a topic among threads.
//!
//! With the feature `coordinator` a group can share them out by itself: consumers that
#![cfg_attr(feature = "coordinator", doc = "[subscribe](crate::Consumer::subscribe)")]
#![cfg_attr(not(feature = "coordinator"), doc = "subscribe")]
//! to topics are its members, by Kafka's classic protocol. The first one leads, and assigns by an assignor that all
//! have: `range`, `roundrobin`, `sticky` or `cooperative-sticky`, each as in Kafka, or one of your own. When a member
//! comes, goes or stalls, or a topic gets partitions, the group rebalances, in the polls of its members; a
//! `RebalanceListener` is told which partitions come and go. Clients of a server on the same store, with the feature
//! `net`, are in the same groups. When one of them comes that has `group.protocol=consumer`, the coordinator assigns
//! from then on, to all members, until the last such client has gone (`group.consumer.migration.policy`). How often
//! such clients are to be heard of, and how long they count as alive, a group may set for itself:
//! [`alter_group_configs`](crate::Store::alter_group_configs), `esker group alter` and
//! `kafka-configs --entity-type groups` say so while it is in use.
//!
//! A member of this process sends no heartbeats. It is alive while it polls, and between two polls for
//! `max.poll.interval.ms`, which is 5 minutes by default; then the group goes on without it. A consumer that is
//! dropped, by a panic too, leaves at once; those of a process that has died are gone when the store is opened again,
//! static members aside, for which the group waits `session.timeout.ms`. What is due is done by the store's
//! maintenance, by a server, or by any member that polls: also where the maintenance has no thread.
//!
//! Of a group that has members, a commit is taken from a member of the current generation alone. Who was replaced is
//! told `Error::Group`, with `UnknownMemberId` or `IllegalGeneration`: others have its partitions, and do again what it
//! had not committed. Two in this process are not asked who they are, where Kafka would refuse them:
//! [`Store::commit_offsets`](crate::Store::commit_offsets), and a consumer that was never a member and assigns its own
//! partitions. The first members of a group wait `group.initial.rebalance.delay.ms` of the store for others; set it to
//! 0 where 3 seconds are long.
//!
//! # Metadata, leader epochs, expiry
//!
//! A commit may carry a note ([`CommittedOffset::metadata`](crate::CommittedOffset::metadata)) of up to
//! `offset.metadata.max.bytes`, which Kafka counts in UTF-16 units: 4,096. Kafka Streams keeps its stream time there.
//! [`Consumer::commit`](crate::Consumer::commit) adds the leader epoch of the last record, which tells a reader whether
//! the log was truncated behind its back (KIP-320).
//!
//! Commits live in the topic `__consumer_offsets`, in Kafka's own format, which is compacted. They expire
//! `offsets.retention.minutes` after the last one, unless a consumer of the group is open in the store. While the store
//! is served, those of a group with members don't, but for topics that none of them reads, and later they do that long
//! after the last member has gone.
//!
//! # Looking, moving, deleting
//!
//! ```
//! use esker::{CommittedOffset, OffsetReset, Store, TopicConfig, TopicPartition};
//! # use esker::{Acks, ProducerConfig, Record};
//!
//! # fn main() -> esker::Result<()> {
//! # let store = Store::temporary()?;
//! # store.create_topic("payments", TopicConfig::new())?;
//! # let producer = store.producer(ProducerConfig::new())?;
//! # for _ in 0..10 { producer.send(Record::to("payments").value("1"))?; }
//! let partition = TopicPartition::new("payments", 0);
//! store.commit_offsets("billing", [(partition.clone(), CommittedOffset::new(7))], Acks::All)?;
//!
//! let described = store.describe_group("billing")?;
//! assert_eq!(described.offsets[0].lag(), Some(3));
//!
//! // What would happen, and then make it happen: three records back.
//! let planned = store.plan_reset("billing", [&partition], OffsetReset::ShiftBy(-3))?;
//! assert_eq!((planned[0].before, planned[0].after), (Some(7), 4));
//! store.reset_offsets("billing", [&partition], OffsetReset::ShiftBy(-3))?;
//!
//! store.delete_offsets("billing", [partition])?;
//! assert!(store.describe_group("billing").is_err(), "a group that has committed nothing is none");
//! # Ok(())
//! # }
//! ```
//!
//! [`OffsetReset`](crate::OffsetReset) goes to the beginning, the end, an offset, a time, or so many records back and
//! forth. Close the group's consumers first: they go on from where they stand, and their next commit undoes the reset.
