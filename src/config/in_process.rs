//! The configs of Kafka's clients that have no meaning to a producer or consumer in process, so that they are told from
//! mistakes in writing.

use super::invalid;
use crate::error::Error;

/// The configs of a consumer that is a member of a group, for which it takes the feature `coordinator`.
pub(crate) const OF_MEMBERS: [&str; 6] = [
    "client.id",
    "group.instance.id",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
];

/// Why configs have no meaning, and which; a dot at the end stands for all that begin so.
type WithoutMeaning = [(&'static str, &'static [&'static str])];

const CONNECTIONS: &str = "it is about connections and requests to brokers";
const BYTES: &str = "keys and values are bytes";

/// Those of every client.
const OF_CLIENTS: &WithoutMeaning = &[
    (
        CONNECTIONS,
        &[
            "bootstrap.servers",
            "client.dns.lookup",
            "connections.max.idle.ms",
            "metadata.",
            "receive.buffer.bytes",
            "reconnect.",
            "request.timeout.ms",
            "retry.",
            "sasl.",
            "security.",
            "send.buffer.bytes",
            "socket.",
            "ssl.",
        ],
    ),
    ("producers and consumers count nothing", &["enable.metrics.push", "metric.reporters", "metrics."]),
    ("it names classes of Java's", &["config.providers", "interceptor.classes"]),
];

const OF_CONSUMERS: &WithoutMeaning = &[
    (CONNECTIONS, &["client.rack", "default.api.timeout.ms"]),
    (BYTES, &["key.deserializer", "value.deserializer"]),
    ("a poll returns what there is", &["fetch.max.bytes", "fetch.max.wait.ms", "fetch.min.bytes"]),
    ("every batch that is read is checked", &["check.crcs"]),
    ("reading creates no topics", &["allow.auto.create.topics"]),
    ("the store's own topics are like no pattern", &["exclude.internal.topics"]),
    ("members in process go by the classic protocol", &["group.protocol", "group.remote.assignor"]),
    ("there are no share groups", &["share."]),
    #[cfg(not(feature = "coordinator"))]
    ("members of groups need the feature `coordinator` of this crate", &OF_MEMBERS),
];

const OF_PRODUCERS: &WithoutMeaning = &[
    (CONNECTIONS, &["client.id", "delivery.timeout.ms", "max.in.flight.requests.per.connection", "retries"]),
    (BYTES, &["key.serializer", "value.serializer"]),
    ("max.message.bytes of the topic says how large a batch may be", &["max.request.size"]),
    ("`ProducerConfig::partitioner` says who picks partitions", &["partitioner."]),
    ("there are no transactions in two phases", &["transaction.two.phase.commit.enable"]),
];

/// The answer to a key that isn't one of a consumer's here.
pub(crate) fn unknown_to_consumers(key: &str, value: &str) -> Error {
    unknown(key, OF_CONSUMERS).unwrap_or_else(|| invalid(key, value, "a consumer config"))
}

/// The answer to a key that isn't one of a producer's here.
pub(crate) fn unknown_to_producers(key: &str, value: &str) -> Error {
    unknown(key, OF_PRODUCERS).unwrap_or_else(|| invalid(key, value, "a producer config"))
}

fn unknown(key: &str, of_its_kind: &WithoutMeaning) -> Option<Error> {
    let is_it = |name: &&str| key == *name || (name.ends_with('.') && key.starts_with(name));
    let mut all = OF_CLIENTS.iter().chain(of_its_kind);
    let (reason, _) = all.find(|(_, names)| names.iter().any(is_it))?;
    Some(Error::UnsupportedConfig { key: key.to_owned(), reason })
}
