//! A broker's whole configuration, as Kafka's `server.properties`, its environment and its command line have it.

use std::ffi::OsString;
use std::path::PathBuf;

use super::value::minus_one_or_between;
use super::{Listener, ServerConfig, StoreConfig, invalid, java_properties, without_meaning};
use crate::error::Result;

/// What a broker is configured with: the configs of its store and of its server, under the names and in the syntax of
/// Kafka's `server.properties`. What is set later counts.
///
/// A file that was written for Kafka will do: what is Kafka's business alone, such as its controllers, is left aside
/// and listed in [`ignored`](Self::ignored), and what Kafka doesn't know either in [`unknown`](Self::unknown). A class
/// of Java that would forbid clients something, such as `authorizer.class.name`, is an error.
///
/// ```
/// use esker::server::ServerProperties;
///
/// let mut properties = ServerProperties::new();
/// properties.read("log.dirs=/var/lib/esker\nnum.partitions = 4\nnum.io.threads: 8\n# a comment\nnum.partition=5\n")?;
/// properties.set("log.retention.hours", "24")?;
/// assert_eq!(properties.server.num_partitions, 4);
/// assert_eq!(properties.ignored, ["num.io.threads"]);
/// assert_eq!(properties.unknown, ["num.partition"]);
/// # Ok::<(), esker::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerProperties {
    /// The data directory (`log.dirs`, or `log.dir` if that isn't set). There can be one.
    pub log_dir: Option<PathBuf>,
    /// Which node it is (`node.id`, or `broker.id`), for [`StoreOptions::node_id`](crate::StoreOptions::node_id). −1 is
    /// none.
    pub node_id: Option<i32>,
    /// What the store is to be like.
    pub store: StoreConfig,
    /// What the server does with its clients.
    pub server: ServerConfig,
    /// What was set and has a meaning only to Kafka, in the order in which it came.
    pub ignored: Vec<String>,
    /// What was set and has a meaning neither here nor to Kafka, in the order in which it came: a mistake in writing,
    /// or for a plugin.
    pub unknown: Vec<String>,
    has_log_dirs: bool,
    /// What `node.id` and `broker.id` say.
    ids: [Option<i32>; 2],
    controllers: Vec<String>,
}

/// What is for neither the store nor the server alone.
const OWN: [&str; 5] = ["broker.id", "controller.listener.names", "log.dir", "log.dirs", "node.id"];
/// Classes of Java that forbid clients something. To leave them aside would let everybody do it.
const FORBIDDING: [&str; 3] =
    ["authorizer.class.name", "create.topic.policy.class.name", "alter.config.policy.class.name"];

impl ServerProperties {
    /// Nothing is set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what a file says: lines of `key=value`. Kafka's files are Java's properties, so a `:` or a space will do
    /// for the `=`, comments begin with `#` or `!`, a backslash at the end of a line joins the next to it, and
    /// elsewhere it takes the meaning from the character after it, or makes one of `\uXXXX`, or of two of these.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) for a value that isn't valid, and for a `\u` without four
    /// hexadecimal digits. What stands before it is set.
    pub fn read(&mut self, text: &str) -> Result<()> {
        java_properties::pairs(text).try_for_each(|pair| pair.and_then(|(key, value)| self.set(&key, &value)))
    }

    /// Sets what the environment says, as Kafka's container images read it: `KAFKA_LOG_RETENTION_HOURS` is
    /// `log.retention.hours`, two underscores are one, three are a hyphen. Variables that name no config are left
    /// alone, whatever they are: [`std::env::vars_os`] will do.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn read_env<N, V>(&mut self, variables: impl IntoIterator<Item = (N, V)>) -> Result<()>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        for (name, value) in variables {
            let (name, value) = (name.into(), value.into());
            // No config has a name that is not text.
            let Some(name) = name.to_str().and_then(|name| name.strip_prefix("KAFKA_")) else { continue };
            let key = name.to_ascii_lowercase().replace("___", "-").replace("__", "\0").replace('_', ".");
            let key = key.replace('\0', "_");
            if Self::has(&key) {
                // It may be a secret.
                let value = value.to_str().ok_or_else(|| invalid(&key, "[hidden]", "text in UTF-8"))?;
                self.set_known(&key, value)?;
            }
        }
        Ok(())
    }

    /// Sets one of a broker's configs. One that has no meaning here is no error, for a file of Kafka's has many: it is
    /// [`ignored`](Self::ignored) or, where Kafka has none of that name, [`unknown`](Self::unknown).
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) if the value isn't one of its values.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        if Self::has(key) {
            return self.set_known(key, value);
        }
        let left_aside = if without_meaning::is_kafkas(key) { &mut self.ignored } else { &mut self.unknown };
        left_aside.push(key.to_owned());
        Ok(())
    }

    /// Whether there is a config of this name that has a meaning here.
    fn has(key: &str) -> bool {
        OWN.contains(&key) || FORBIDDING.contains(&key) || ServerConfig::has(key) || StoreConfig::has(key)
    }

    fn set_known(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "log.dirs" | "log.dir" => {
                let value = value.trim();
                if value.is_empty() || value.contains(',') {
                    return Err(invalid(key, value, "one directory"));
                }
                let is_list = key == "log.dirs";
                if is_list || !self.has_log_dirs {
                    self.log_dir = Some(value.into());
                }
                self.has_log_dirs |= is_list;
            }
            "node.id" | "broker.id" => {
                let id = minus_one_or_between(0, i32::MAX).parse(key, value)?;
                let [node_id, broker_id] = &mut self.ids;
                *(if key == "node.id" { node_id } else { broker_id }) = Some(id).filter(|id| *id >= 0);
                self.node_id = match self.ids {
                    [Some(node_id), Some(broker_id)] if node_id != broker_id => {
                        return Err(invalid(key, value, "what the other of node.id and broker.id is"));
                    }
                    [node_id, broker_id] => node_id.or(broker_id),
                };
            }
            "controller.listener.names" => {
                self.controllers = value.split(',').map(|name| name.trim().to_ascii_uppercase()).collect();
            }
            _ if FORBIDDING.contains(&key) => {
                if !value.trim().is_empty() {
                    return Err(invalid(
                        key,
                        value,
                        "nothing: it would forbid clients something, and nobody would look",
                    ));
                }
            }
            _ if ServerConfig::has(key) => self.server.set(key, value)?,
            _ => self.store.set(key, value)?,
        }
        // Whether they were named before the listeners or after.
        let controllers = &self.controllers;
        let is_for_clients = |listener: &Listener| !controllers.contains(&listener.name);
        self.server.listeners.retain(is_for_clients);
        self.server.advertised_listeners.retain(is_for_clients);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_for_kafka_will_do() {
        let mut properties = ServerProperties::new();
        let text = "process.roles=broker,controller\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9093\n\
            advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
            controller.listener.names=CONTROLLER\nnode.id=7\nlog.dirs=/tmp/logs\nlog.dir=/elsewhere\n\
            log.retention.\\\n   hours=1\n";
        properties.read(text).expect("a file of Kafka's");
        assert_eq!((properties.server.listeners.len(), properties.server.advertised_listeners.len()), (1, 1));
        assert_eq!((properties.node_id, properties.log_dir.clone()), (Some(7), Some("/tmp/logs".into())));
        assert_eq!(properties.store.topic_defaults.get("log.retention.hours"), Some("1"));
        assert_eq!(properties.ignored, ["process.roles"]);
        assert!(properties.read("log.dirs=/a,/b").is_err());
        assert!(properties.set("num.partitions", "0").is_err());
        assert!(properties.set("node.id", "-2").is_err());
        properties.read("broker.id=-1\nbroker.id=7\n").expect("it says nothing, and the same");
        assert!(properties.set("broker.id", "8").is_err(), "it can't be two nodes");
        assert_eq!(properties.node_id, Some(7));
        let authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
        assert!(properties.set("authorizer.class.name", authorizer).is_err(), "everybody would be let do everything");
        assert!(properties.set("authorizer.class.name", "").is_ok());
    }

    #[test]
    fn what_kafka_has_is_told_from_what_nobody_knows() {
        let kafkas = [
            "super.users",
            "config.providers.env.class",
            "listener.name.a.ssl.cipher.suites",
            "listener.name.a.gssapi.sasl.jaas.config",
            "listener.name.a.max.connections",
        ];
        let nobodys = [
            "",
            "nonsense.key",
            "zookeeper.connect",
            "num.partition",
            "Num.Partitions",
            "listener.name.a.nonsense",
            "listener.name.a",
        ];
        let mut properties = ServerProperties::new();
        kafkas.iter().chain(&nobodys).for_each(|key| properties.set(key, "1").expect("neither is an error"));
        assert_eq!(
            (&*properties.ignored, &*properties.unknown),
            (&kafkas.map(str::to_owned)[..], &nobodys.map(str::to_owned)[..])
        );
    }

    #[test]
    fn characters_are_escaped_as_in_java() {
        let mut properties = ServerProperties::new();
        properties.read("log.dirs=/\\u00e9/\\ud83d\\ude00").expect("what Java writes");
        assert_eq!(properties.log_dir, Some("/\u{e9}/\u{1f600}".into()));
        for wrong in ["\\u12zz", "\\u+123", "\\u123", "\\u"] {
            let text = format!("# a comment\nnode.id=7\nlog.dirs=/a\\\n  {wrong}\nbroker.id=8");
            let error = properties.read(&text).expect_err(wrong).to_string();
            assert!(error.contains("log.dirs") && error.ends_with("line 3"), "{error}");
        }
        assert_eq!(properties.node_id, Some(7), "what stands before it counts");
    }

    #[test]
    fn the_environment_is_read_as_kafkas_images_do() {
        let mut properties = ServerProperties::new();
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let variables =
            [variable("KAFKA_NUM_PARTITIONS", "3"), variable("KAFKA_HEAP_OPTS", "-Xmx1G"), variable("A", "b")];
        properties.read_env(variables).expect("valid values");
        assert_eq!((properties.server.num_partitions, properties.ignored.len()), (3, 0));
        assert!(properties.read_env([variable("KAFKA_NUM_PARTITIONS", "x")]).is_err());
    }
}
