//! Which brokers there are and who of them is asked for what: the leader of a partition, the coordinator of a group.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use esker::net::messages::metadata::{MetadataRequestTopic, MetadataResponse, MetadataResponseTopic};
use esker::net::messages::{FindCoordinatorRequest, MetadataRequest, Request};
use esker::net::{Connector, ErrorCode};
use esker::{Error, TopicPartition};

use super::outage::Outage;
use super::trouble::Trouble;
use super::wire::{Peer, Wire};
use crate::failure::{Failure, Result};

/// For how long what passes by itself is tried again, unless somebody has more patience: brokers that restart, leaders
/// that are elected, coordinators that load (`default.api.timeout.ms`).
const PATIENCE: Duration = Duration::from_secs(60);
/// Topics by name, which later versions may leave out.
const METADATA_VERSION: i16 = 12;
/// One key a request.
const FIND_COORDINATOR_VERSION: i16 = 3;

/// What there is a coordinator for, by Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Coordinated {
    Group = 0,
    TransactionalId = 1,
}

/// A cluster of brokers, from one or more of which the others are known.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(super) wire: Wire,
    bootstrap: Vec<String>,
    /// The addresses of the brokers, by id.
    brokers: BTreeMap<i32, String>,
    /// Whether they are to be asked for, before anything goes by them.
    is_outdated: bool,
    controller: i32,
    peers: HashMap<String, Arc<Peer>>,
    topics: HashMap<String, MetadataResponseTopic>,
    coordinators: HashMap<(Coordinated, String), String>,
    outage: Outage,
}

impl Cluster {
    /// Connects, as `connector` does, to the first of these addresses that can be connected to.
    pub(crate) fn connect(bootstrap: &[String], connector: Connector) -> Result<Self> {
        let mut cluster = Self {
            wire: Wire::new(connector)?,
            bootstrap: bootstrap.to_vec(),
            brokers: BTreeMap::new(),
            is_outdated: true,
            controller: -1,
            peers: HashMap::new(),
            topics: HashMap::new(),
            coordinators: HashMap::new(),
            outage: Outage::new(Some(PATIENCE)),
        };
        // Whether it can be connected to shows now, before anything else is looked at.
        cluster.any()?;
        Ok(cluster)
    }

    /// From now on has patience for so long with what keeps something from being done, or for ever.
    pub(super) fn have_patience(&mut self, patience: Option<Duration>) {
        self.outage = Outage::new(patience);
    }

    /// Does something, again while what keeps it from being done may pass, as long as there is patience. What is known
    /// of the cluster is found out anew for each further try.
    pub(super) fn retry<T>(&mut self, mut attempt: impl FnMut(&mut Self) -> Result<T, Trouble>) -> Result<T> {
        loop {
            match attempt(self) {
                Err(trouble) if trouble.is_passing() => self.wait_out(trouble)?,
                result => return self.done(result),
            }
        }
    }

    /// The same for who has something else to do: None if that could not be done within this time.
    pub(super) fn retry_within<T>(
        &mut self,
        time: Duration,
        mut attempt: impl FnMut(&mut Self) -> Result<T, Trouble>,
    ) -> Result<Option<T>> {
        let deadline = Instant::now() + time;
        loop {
            let (wait, left) = (self.outage.wait(Instant::now()), deadline.saturating_duration_since(Instant::now()));
            std::thread::sleep(wait.min(left));
            if wait > left {
                return Ok(None);
            }
            match attempt(self) {
                Err(trouble) if trouble.is_passing() => self.forget(trouble)?,
                result => return self.done(result).map(Some),
            }
        }
    }

    /// Waits until it is time for another try, after one that failed. Fails if there is no patience left.
    pub(super) fn wait_out(&mut self, trouble: Trouble) -> Result {
        self.forget(trouble)?;
        std::thread::sleep(self.outage.wait(Instant::now()));
        Ok(())
    }

    /// Takes in that nothing is wrong any more.
    pub(super) fn end_outage(&mut self) {
        self.outage.end();
    }

    fn done<T>(&mut self, result: Result<T, Trouble>) -> Result<T> {
        if result.is_ok() {
            self.end_outage();
        }
        Ok(result?)
    }

    /// Forgets what may be wrong by now.
    fn forget(&mut self, trouble: Trouble) -> Result {
        self.topics.clear();
        self.coordinators.clear();
        self.is_outdated = true;
        if let Trouble::Lost(_) = trouble {
            self.peers.clear();
        }
        self.outage.go_on(trouble, Instant::now())
    }

    /// A broker, whichever.
    pub(super) fn any(&mut self) -> Result<Arc<Peer>, Trouble> {
        if let Some(peer) = self.peers.values().find(|peer| !peer.is_expiring()) {
            return Ok(peer.clone());
        }
        let mut failed = None;
        let addresses: Vec<_> = self.bootstrap.iter().chain(self.brokers.values()).cloned().collect();
        for address in addresses {
            match self.peer(&address) {
                Ok(peer) => return Ok(peer),
                Err(trouble) => _ = failed.get_or_insert(trouble),
            }
        }
        Err(failed.unwrap_or_else(|| Trouble::Final(Failure::new("there is no broker to connect to"))))
    }

    /// The broker that looks after topics and their configs: any, since all pass on what only one can do, but that one
    /// if it is known.
    pub(super) fn controller(&mut self) -> Result<Arc<Peer>, Trouble> {
        self.know_brokers()?;
        match self.brokers.get(&self.controller).cloned() {
            Some(address) => self.peer(&address),
            None => self.any(),
        }
    }

    /// All brokers.
    pub(super) fn all(&mut self) -> Result<Vec<Arc<Peer>>, Trouble> {
        self.know_brokers()?;
        let addresses: Vec<_> = self.brokers.values().cloned().collect();
        addresses.iter().map(|address| self.peer(address)).collect()
    }

    /// The broker with this id.
    pub(super) fn broker(&mut self, id: i32) -> Result<Arc<Peer>, Trouble> {
        self.know_brokers()?;
        match self.brokers.get(&id).cloned() {
            Some(address) => self.peer(&address),
            None => Err(Trouble::refused(ErrorCode::LEADER_NOT_AVAILABLE, None, &format!("broker {id}"))),
        }
    }

    /// The broker that looks after a group or a transactional id.
    pub(super) fn coordinator(&mut self, of: Coordinated, key: &str) -> Result<Arc<Peer>, Trouble> {
        let found = (of, key.to_owned());
        if let Some(address) = self.coordinators.get(&found).cloned() {
            return self.peer(&address);
        }
        let request = FindCoordinatorRequest { key: key.to_owned(), key_type: of as i8, ..Default::default() };
        let response = self.ask_any(&request, FIND_COORDINATOR_VERSION)?;
        match response.error_code {
            ErrorCode::NONE => {
                let address = address(&response.host, response.port);
                self.coordinators.insert(found, address.clone());
                self.peer(&address)
            }
            code if of == Coordinated::Group => Err(Trouble::of_group(code, response.error_message, key)),
            code => Err(Trouble::refused(code, response.error_message, key)),
        }
    }

    /// Asks any broker.
    pub(super) fn ask_any<R: Request>(&mut self, request: &R, max_version: i16) -> Result<R::Response, Trouble> {
        let peer = self.any()?;
        self.wire.ask(&peer, request, max_version)
    }

    /// What is known of a topic, which exists.
    pub(super) fn topic(&mut self, name: &str) -> Result<&MetadataResponseTopic, Trouble> {
        if !self.topics.contains_key(name) {
            let wanted = MetadataRequestTopic { name: Some(name.to_owned()), ..Default::default() };
            let response = self.metadata(Some(vec![wanted]))?;
            let topic = response.topics.into_iter().next();
            let topic = topic.ok_or_else(|| Trouble::Final(Failure::new(format!("no broker knows of {name}"))))?;
            if topic.error_code != ErrorCode::NONE {
                return Err(Trouble::of_partition(topic.error_code, None, &TopicPartition::new(name, 0)));
            }
            self.topics.insert(name.to_owned(), topic);
        }
        Ok(&self.topics[name])
    }

    /// How many partitions a topic, which exists, has by now.
    pub(super) fn partitions_by_now(&mut self, name: &str) -> Result<i32, Trouble> {
        self.topics.remove(name);
        Ok(self.topic(name)?.partitions.len() as i32)
    }

    /// All topics that there are.
    pub(super) fn all_topics(&mut self) -> Result<Vec<MetadataResponseTopic>, Trouble> {
        let mut topics = self.metadata(None)?.topics;
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(topics)
    }

    /// The id of the broker that leads a partition, which exists.
    pub(super) fn leader(&mut self, partition: &TopicPartition) -> Result<i32, Trouble> {
        let topic = self.topic(&partition.topic)?;
        let found = topic.partitions.iter().find(|found| found.partition_index == partition.partition);
        let unknown = || Error::UnknownTopicOrPartition { topic_partition: partition.clone() };
        let found = found.ok_or_else(|| Trouble::error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, unknown()))?;
        match found.leader_id {
            0.. => Ok(found.leader_id),
            _ => Err(Trouble::of_partition(ErrorCode::LEADER_NOT_AVAILABLE, None, partition)),
        }
    }

    /// These partitions by the brokers that lead them.
    pub(super) fn by_leader(
        &mut self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<BTreeMap<i32, Vec<TopicPartition>>, Trouble> {
        let mut led: BTreeMap<i32, Vec<TopicPartition>> = BTreeMap::new();
        for partition in partitions {
            led.entry(self.leader(&partition)?).or_default().push(partition);
        }
        Ok(led)
    }

    /// Waits until the brokers that are connected to have all that was sent to them.
    pub(super) fn settle(&mut self) {
        let request = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
        for peer in self.peers.values() {
            // They answer in order. Whoever sent what has no answer does not want to know.
            let _ = self.wire.ask(peer, &request, METADATA_VERSION);
        }
    }

    fn metadata(&mut self, topics: Option<Vec<MetadataRequestTopic>>) -> Result<MetadataResponse, Trouble> {
        let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
        let response = self.ask_any(&request, METADATA_VERSION)?;
        let brokers = response.brokers.iter().map(|broker| (broker.node_id, address(&broker.host, broker.port)));
        self.brokers = brokers.collect();
        self.controller = response.controller_id;
        self.is_outdated = false;
        Ok(response)
    }

    fn know_brokers(&mut self) -> Result<(), Trouble> {
        if self.is_outdated {
            self.metadata(Some(Vec::new()))?;
        }
        Ok(())
    }

    fn peer(&mut self, address: &str) -> Result<Arc<Peer>, Trouble> {
        if let Some(peer) = self.peers.get(address).filter(|peer| !peer.is_expiring()) {
            return Ok(peer.clone());
        }
        let peer = Arc::new(self.wire.connect(address)?);
        self.peers.insert(address.to_owned(), peer.clone());
        Ok(peer)
    }
}

/// As people write it, and as it is looked up.
fn address(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
