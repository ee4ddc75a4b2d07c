//! The configs of producers and consumers by name: those of Kafka's clients that have no meaning in process are told
//! from names that nobody knows.

use esker::{ConsumerConfig, Error, ProducerConfig};

/// What has no meaning to either, and a name of each family.
const OF_BOTH: [&str; 28] = [
    "bootstrap.servers",
    "client.dns.lookup",
    "config.providers",
    "connections.max.idle.ms",
    "enable.metrics.push",
    "interceptor.classes",
    "metadata.max.age.ms",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "receive.buffer.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "sasl.jaas.config",
    "sasl.mechanism",
    "security.protocol",
    "security.providers",
    "send.buffer.bytes",
    "socket.connection.setup.timeout.max.ms",
    "socket.connection.setup.timeout.ms",
    "ssl.keystore.location",
    "ssl.truststore.type",
];
const OF_CONSUMERS: [&str; 14] = [
    "allow.auto.create.topics",
    "check.crcs",
    "client.rack",
    "default.api.timeout.ms",
    "exclude.internal.topics",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.min.bytes",
    "group.protocol",
    "group.remote.assignor",
    "key.deserializer",
    "share.acknowledgement.mode",
    "share.acquire.mode",
    "value.deserializer",
];
const OF_PRODUCERS: [&str; 12] = [
    "client.id",
    "delivery.timeout.ms",
    "key.serializer",
    "max.in.flight.requests.per.connection",
    "max.request.size",
    "partitioner.adaptive.partitioning.enable",
    "partitioner.availability.timeout.ms",
    "partitioner.class",
    "partitioner.ignore.keys",
    "retries",
    "transaction.two.phase.commit.enable",
    "value.serializer",
];
/// What has a meaning to members of groups alone.
const OF_MEMBERS: [(&str, &str); 6] = [
    ("client.id", "app"),
    ("group.instance.id", "app-1"),
    ("heartbeat.interval.ms", "3000"),
    ("max.poll.interval.ms", "300000"),
    ("partition.assignment.strategy", "range"),
    ("session.timeout.ms", "45000"),
];

fn of_consumer(key: &str, value: &str) -> esker::Result<()> {
    ConsumerConfig::new().set(key, value)
}

fn of_producer(key: &str, value: &str) -> esker::Result<()> {
    ProducerConfig::new().set(key, value)
}

fn check_unsupported(set: fn(&str, &str) -> esker::Result<()>, name: &str) {
    match set(name, "1") {
        Err(error @ Error::UnsupportedConfig { .. }) => {
            let says = error.to_string();
            assert!(says.starts_with(&format!("config {name} is Kafka's and has no meaning")), "{says}");
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn what_has_no_meaning_in_process_is_said_to_be_kafkas() {
    for name in OF_BOTH {
        check_unsupported(of_consumer, name);
        check_unsupported(of_producer, name);
    }
    OF_CONSUMERS.iter().for_each(|name| check_unsupported(of_consumer, name));
    OF_PRODUCERS.iter().for_each(|name| check_unsupported(of_producer, name));
}

#[test]
fn names_that_nobody_knows_are_mistakes() {
    for name in ["", "ssl", "bootstrap.server", "retriesx", "client.racks", "Group.id", "group.id ", "shared.mode"] {
        for refused in [of_consumer(name, "1"), of_producer(name, "1")] {
            match refused {
                Err(Error::InvalidConfig { key, .. }) => assert_eq!(key, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    assert!(matches!(of_consumer("acks", "all"), Err(Error::InvalidConfig { .. })), "that is a producer's");
    assert!(matches!(of_producer("group.id", "g"), Err(Error::InvalidConfig { .. })), "that is a consumer's");
}

#[test]
fn what_is_of_members_takes_the_feature_that_has_them() {
    for (name, value) in OF_MEMBERS {
        if cfg!(feature = "coordinator") {
            of_consumer(name, value).unwrap();
        } else {
            check_unsupported(of_consumer, name);
            assert!(of_consumer(name, value).unwrap_err().to_string().contains("`coordinator`"));
        }
    }
}
