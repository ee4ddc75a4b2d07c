//! Moving to and from Apache Kafka: what is the same, what differs, and how to carry data over.
//!
//! # The same words
//!
//! Names, configs, defaults, ranges and rules are Kafka's, so its documentation holds here too, topic by topic. Where a
//! config does nothing in a store (replica throttles, tiers that there are none of), its value is kept, and told to who
//! asks. What is refused, with [`Error::UnsupportedConfig`](crate::Error::UnsupportedConfig), is what no broker knows
//! any more, such as `message.format.version`: [`TopicConfig::set`](crate::TopicConfig::set) does that; and what can't
//! be had, such as `remote.storage.enable=true`: [`create_topic`](crate::Store::create_topic) and
//! [`alter_topic_configs`](crate::Store::alter_topic_configs) do that; and of the configs of producers and consumers
//! what is about connections and the like, such as `bootstrap.servers`:
//! [`ConsumerConfig::set`](crate::ConsumerConfig::set) and [`ProducerConfig::set`](crate::ProducerConfig::set) do that,
//! so that who reads a client's properties can pass over it and still be told of a name that is nobody's.
//!
//! | in Kafka | here |
//! |---|---|
//! | a broker and its `log.dirs` | a [`Store`](crate::Store) and its directory |
//! | `KafkaProducer` | [`Producer`](crate::Producer): idempotent by default, Kafka's default partitioner and hash |
//! | `KafkaConsumer` | [`Consumer`](crate::Consumer): `assign`, `seek`, `poll`, `pause`, `commit`; `wakeup` is its [`ConsumerWaker`](crate::ConsumerWaker)'s |
//! | `kafka-topics`, `kafka-configs`, `kafka-consumer-groups`, `kafka-dump-log` | methods of `Store`, and the `esker` command |
//! | `server.properties` | [`StoreConfig::set`](crate::StoreConfig::set), by the broker's names; `ServerProperties` reads the file (feature `net`) |
//! | a cluster of one broker | `esker serve`, or `Server` in a program (feature `net`): stock clients and tools work with it |
//!
//! Where it differs, it promises more: `acks=all` is answered after a sync, not before one
//! ([`guide::durability`](super::durability)); recovery keeps what it cuts; and a damaged batch costs the records in it
//! and no others. These defaults are not Kafka's:
//!
//! | config | here | in Kafka | why |
//! |---|---|---|---|
//! | `enable.auto.commit` of a consumer in this process | `false` | `true` | what is committed has been worked on ([`guide::groups`](super::groups)) |
//! | `listeners` of a server | the loopback interface | every interface | nobody else is let in unasked |
//! | `queued.max.request.bytes` of a server | 512 MiB | no limit | memory stays bounded, whatever clients send |
//! | `group.consumer.assignment.interval.ms` | 0 | 1,000 | it is cheap enough to assign at once |
//! | `ssl.keystore.type`, `ssl.truststore.type` | `PEM` | `JKS` | there are no keystores of Java here |
//! | `sasl.enabled.mechanisms`, `sasl.mechanism` | none | `GSSAPI` | there is no Kerberos here |
//!
//! # The same files
//!
//! Segments, indexes, transaction indexes, producer snapshots, leader epochs, checkpoints, `meta.properties` and
//! `partition.metadata` are Kafka's in every byte, and so are the records in `__consumer_offsets`. Kafka's own tools
//! read them:
//!
//! ```sh
//! kafka-dump-log.sh --deep-iteration --files data/payments-0/00000000000000000000.log
//! kafka-dump-log.sh --offsets-decoder --files data/__consumer_offsets-7/00000000000000000000.log
//! ```
//!
//! Some files beside the partitions are ours, and Kafka passes over them: `topic-config-checkpoint`,
//! `group-config-checkpoint`, `scram-credentials-checkpoint`, `producer-id-checkpoint` and `.esker-reserve`.
//!
//! # From Kafka
//!
//! **A look at a broker's directory**: [`open_read_only`](crate::StoreOptions::open_read_only) reads it beside the
//! running broker, and [`verify`](crate::StoreOptions::verify) goes through it for damage; neither changes a byte.
//!
//! **To take it over**, shut the broker down cleanly and open the directory, or a copy. Topics, records, offsets,
//! committed offsets and producer state are there. What is *not* in these files is what the broker keeps in its
//! metadata log: the configs of topics and groups. So nothing of such a topic is deleted until it is given its configs
//! with [`alter_topic_configs`](crate::Store::alter_topic_configs), and groups have the store's until
//! [`alter_group_configs`](crate::Store::alter_group_configs). In a cluster of several brokers each directory has only
//! some of a topic's partitions. Those from 0 on without a gap are opened; the others stay as they are, and the
//! [`RecoveryReport`](crate::RecoveryReport) names them as incomplete.
//!
//! **Records written with message formats before Kafka 0.11** are not read: let Kafka rewrite them first.
//!
//! # To Kafka
//!
//! **By records**, into any cluster: read with a [`Consumer`](crate::Consumer) and send with any Kafka client. Keys,
//! values, headers and timestamps carry over; offsets don't, so move the groups by timestamp.
//!
//! **By files**: a snapshot, or the directory of a closed store, is a `log.dirs` for a broker, with the same offsets,
//! committed offsets and producer state. A broker since Kafka 4 knows its topics from the metadata log of its cluster,
//! and sets partitions aside that it does not know as `-stray`. So create the topics there first, shut it down, put the
//! partitions in the place of its own, and write the ids that it gave the topics into their `partition.metadata`, or
//! those of [`Store::describe_topic`](crate::Store::describe_topic) into its metadata. `meta.properties` must name the
//! cluster's id and the broker's. The tests of esker do this with a broker, which then goes on with the logs.
//!
//! ```
//! use esker::{Store, TopicConfig};
//!
//! # fn main() -> esker::Result<()> {
//! let store = Store::temporary()?;
//! let id = store.create_topic("payments", TopicConfig::new())?;
//! assert_eq!(store.describe_topic("payments")?.id, id);
//! println!("cluster.id={} node.id={} topic_id: {id}", store.cluster_id(), store.node_id());
//! # Ok(())
//! # }
//! ```
