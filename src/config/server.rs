//! What a server does with its clients: Kafka's broker configs by their names, in one table.

use std::net::IpAddr;

use super::entry::field_entry;
use super::listener::Listener;
use super::security::{SecurityConfig, SecurityProtocolMap};
use super::value::{Valid, any, at_least, between};
use super::{ConfigEntry, invalid};
use crate::error::Result;

configs! {
    /// What a server does with its clients: where it listens, and how much it lets them take. Kafka's broker configs
    /// by their names.
    ///
    /// ```
    /// use esker::server::ServerConfig;
    ///
    /// let mut config = ServerConfig { max_connections: 100, ..ServerConfig::default() };
    /// config.set("auto.create.topics.enable", "false")?;
    /// assert!(config.set("max.connections", "none").is_err());
    /// # Ok::<(), esker::Error>(())
    /// ```
    ServerConfig, each "a broker config", checked when "the server starts", with
        /// What clients have to show before they are let in, by listener.
        security: SecurityConfig,
        held to validate_together;

    /// Where to listen. Kafka's default is every interface of the machine.
    listeners: Vec<Listener> = vec![Listener::plaintext("127.0.0.1", 9092)], "listeners", any();
    /// Where clients are told to connect to, by the names of the listeners. A listener that isn't named here advertises
    /// the address that it is bound to. If that is a wildcard, or no host is given here, it is the address that the
    /// client has connected to.
    advertised_listeners: Vec<Listener> = Vec::new(), "advertised.listeners", any();
    /// Where this broker is, for clients that prefer one that is near (KIP-392). Empty where nobody says so.
    broker_rack: String = String::new(), "broker.rack", any();
    /// Which security protocol each listener has, by the names of listeners: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or
    /// `SASL_SSL`, the names that it is by itself.
    listener_security_protocol_map: SecurityProtocolMap = SecurityProtocolMap::default(), "listener.security.protocol.map", any();
    /// The partitions of a topic that is created without saying how many.
    num_partitions: i32 = 1, "num.partitions", at_least(1);
    /// Whether a topic that a client asks for is created if it doesn't exist.
    auto_create_topics_enable: bool = true, "auto.create.topics.enable", any();
    /// Whether clients may delete topics.
    delete_topic_enable: bool = true, "delete.topic.enable", any();
    /// The most copies of each partition that a client may ask for who creates a topic. There is one all the same: more
    /// is for what was written with a cluster in mind, as many tests are. Kafka has as many as there are brokers.
    replication_factor_max: i32 = 1, "replication.factor.max", at_least(1);
    /// The largest request that is taken, in bytes.
    socket_request_max_bytes: usize = 104_857_600, "socket.request.max.bytes", between(1, i32::MAX as usize);
    /// The most bytes that requests may have in memory, in all. Nothing is read from clients while there are more. An
    /// eighth of it is for requests of up to 64 KiB alone, which don't wait for larger ones. A request that is larger
    /// than all is taken alone. What it takes once it is decoded counts too, until it is answered, where that is more
    /// than 64 KiB and four times as much as it takes on the wire; if there is not enough, the client loses its
    /// connection. So does one that is slow to send the rest of a request, or to take the response to a large one, or
    /// whose request waits for records or for other members of a group and takes more than 4 KiB, if others wait for
    /// the memory. Kafka's default is no limit, -1; here that is as much as is counted, 4 GiB.
    queued_max_request_bytes: usize = 536_870_912, "queued.max.request.bytes", at_least(1).or_no_limit_below(1);
    /// How many connections there may be. Further ones have to wait until one ends; of none, for ever.
    max_connections: i32 = i32::MAX, "max.connections", at_least(0);
    /// How many connections there may be from one address. Further ones are closed at once.
    max_connections_per_ip: i32 = i32::MAX, "max.connections.per.ip", at_least(0);
    /// From which addresses there may be more or fewer, `host:count` each, with names of hosts or addresses.
    max_connections_per_ip_overrides: Vec<(String, i32)> = Vec::new(), "max.connections.per.ip.overrides", any();
    /// How long a connection may do nothing before it is closed, in milliseconds: the client sends no request, or
    /// doesn't take its responses. It may do so for ever if this is below 0.
    connections_max_idle_ms: u64 = 600_000, "connections.max.idle.ms", at_least(1).or_no_limit_below(0);
    /// The most bytes of records in the response to a fetch, 1 MiB at most where the log's files aren't mapped. The
    /// first batch is in it however large it is.
    fetch_max_bytes: usize = 57_671_680, "fetch.max.bytes", between(1024, i32::MAX as usize);
    /// Whether records that are in memory go by `sendfile` to clients on the server's own machine too, as they do to
    /// others from 512 KiB on. A copy is faster there. Kafka has no such config.
    sendfile_to_local_clients: bool = false, "sendfile.to.local.clients", any();
    /// The most partitions that one request may name: to produce, to fetch records or committed offsets, to describe
    /// producers, or to write the markers of transactions. One with more is refused as a whole, with `INVALID_REQUEST`.
    /// Kafka has no such limit.
    request_partitions_max: usize = 100_000, "request.partitions.max", at_least(1);
    /// The most partitions that a page of topics describes, whatever the client asks for (KIP-966).
    max_request_partition_size_limit: usize = 2000, "max.request.partition.size.limit", between(1, i32::MAX as usize);
    /// How many fetch sessions there may be (KIP-227). Together they have at most 100 partitions for each of these. A
    /// client for whom there is no room fetches without one.
    max_incremental_fetch_session_cache_slots: usize = 1000, "max.incremental.fetch.session.cache.slots", at_least(0);
    /// The protocols by which clients may be members of groups: `classic`, which can't be left out, and `consumer`
    /// (KIP-848). `streams` and `share` may be named, and are not there. Members in process may use either. Kafka's
    /// default has `streams` too.
    group_coordinator_rebalance_protocols: Vec<String> = vec!["classic".to_owned(), "consumer".to_owned()], "group.coordinator.rebalance.protocols", any();
}

impl ServerConfig {
    fn validate_together(&self) -> Result<()> {
        self.validate_advertised_listeners()?;
        self.validate_rebalance_protocols()
    }

    /// What Kafka demands of what clients are told: that somebody listens there, and that it is an address.
    fn validate_advertised_listeners(&self) -> Result<()> {
        for advertised in &self.advertised_listeners {
            let refused = |expected| Err(invalid("advertised.listeners", &advertised.to_string(), expected));
            if !self.listeners.iter().any(|listener| listener.name == advertised.name) {
                return refused("names of listeners");
            }
            if advertised.host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_unspecified()) {
                return refused("addresses that clients can connect to");
            }
        }
        Ok(())
    }

    fn validate_rebalance_protocols(&self) -> Result<()> {
        let protocols = &self.group_coordinator_rebalance_protocols;
        let is_known = |name: &String| ["classic", "consumer", "streams", "share"].contains(&&**name);
        if protocols.iter().all(is_known) && self.has_rebalance_protocol("classic") {
            return Ok(());
        }
        let expected = "classic, and whichever of consumer, streams and share";
        Err(invalid("group.coordinator.rebalance.protocols", &protocols.join(","), expected))
    }

    /// Whether clients may be members of consumer groups (KIP-848).
    #[cfg(feature = "net")]
    pub(crate) fn has_consumer_protocol(&self) -> bool {
        self.has_rebalance_protocol("consumer")
    }

    fn has_rebalance_protocol(&self, name: &str) -> bool {
        self.group_coordinator_rebalance_protocols.iter().any(|protocol| protocol == name)
    }
}
