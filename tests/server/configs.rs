//! Configs as clients describe and alter them.

use std::collections::BTreeMap;

use esker::net::messages::alter_configs::{self, AlterConfigsResource};
use esker::net::messages::create_acls::AclCreation;
use esker::net::messages::delete_acls::DeleteAclsFilter;
use esker::net::messages::describe_client_quotas::ComponentData;
use esker::net::messages::describe_configs::{DescribeConfigsResource, DescribeConfigsResourceResult};
use esker::net::messages::incremental_alter_configs;
use esker::net::messages::{
    AlterConfigsRequest, CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, DescribeClientQuotasRequest,
    DescribeConfigsRequest, IncrementalAlterConfigsRequest,
};
use esker::net::{Connection, ErrorCode};
use esker::server::{Server, ServerConfig, ServerProperties};
use esker::{Error, Store, StoreConfig, TopicConfig};

use super::{connections, serve};

pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const BROKER_LOGGER: i8 = 8;
pub const CLIENT_METRICS: i8 = 16;
pub const GROUP: i8 = 32;

pub const SET: i8 = 0;
pub const DELETE: i8 = 1;
pub const APPEND: i8 = 2;
pub const SUBTRACT: i8 = 3;

pub fn resource(resource_type: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResource {
    let configuration_keys = keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
    DescribeConfigsResource { resource_type, resource_name: name.into(), configuration_keys }
}

/// The configs of a topic that clients are told of: all but one for tests, which can be set all the same.
pub fn told_keys() -> impl Iterator<Item = &'static str> {
    TopicConfig::keys().filter(|key| *key != "internal.segment.bytes")
}

/// The configs of one resource by name, with all that there is to say of them.
pub async fn describe(
    connection: &Connection,
    resource: DescribeConfigsResource,
    version: i16,
) -> Result<BTreeMap<String, DescribeConfigsResourceResult>, ErrorCode> {
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: version >= 3,
    };
    let result = connection.send(&request, version).await.unwrap().results.remove(0);
    match result.error_code {
        ErrorCode::NONE => Ok(result.configs.into_iter().map(|config| (config.name.clone(), config)).collect()),
        code => Err(code),
    }
}

/// Alters one resource one by one.
pub async fn alter(
    connection: &Connection,
    (resource_type, name): (i8, &str),
    configs: &[(&str, i8, Option<&str>)],
    version: i16,
) -> (ErrorCode, Option<String>) {
    let config = |(name, config_operation, value): &(&str, i8, Option<&str>)| {
        let (name, value) = ((*name).to_owned(), value.map(str::to_owned));
        incremental_alter_configs::AlterableConfig { name, config_operation: *config_operation, value }
    };
    let resource = incremental_alter_configs::AlterConfigsResource {
        resource_type,
        resource_name: name.into(),
        configs: configs.iter().map(config).collect(),
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let response = connection.send(&request, version).await.unwrap().responses.remove(0);
    assert_eq!((response.resource_type, &*response.resource_name), (resource_type, name));
    (response.error_code, response.error_message)
}

pub fn replacement(resource_type: i8, name: &str, configs: &[(&str, Option<&str>)]) -> AlterConfigsResource {
    let config = |(name, value): &(&str, Option<&str>)| alter_configs::AlterableConfig {
        name: (*name).into(),
        value: value.map(str::to_owned),
    };
    AlterConfigsResource { resource_type, resource_name: name.into(), configs: configs.iter().map(config).collect() }
}

async fn replace(connection: &Connection, resources: Vec<AlterConfigsResource>, version: i16) -> Vec<ErrorCode> {
    let request = AlterConfigsRequest { resources, ..Default::default() };
    let responses = connection.send(&request, version).await.unwrap().responses;
    responses.into_iter().map(|response| response.error_code).collect()
}

fn synonyms(config: &DescribeConfigsResourceResult) -> Vec<(&str, i8)> {
    config.synonyms.iter().map(|one| (&*one.name, one.source)).collect()
}

#[tokio::test]
async fn all_configs_of_a_topic_are_told_in_every_version() {
    let (store, server) = serve().await;
    store.create_topic("own", TopicConfig::new().retention_ms(1000)).unwrap();
    for connection in connections(&server).await {
        for version in 1..=4 {
            let configs = describe(&connection, resource(TOPIC, "own", None), version).await.unwrap();
            assert!(configs.keys().map(String::as_str).eq(told_keys()));
            let retention = &configs["retention.ms"];
            assert_eq!((retention.value.as_deref(), retention.config_source), (Some("1000"), 1));
            assert_eq!(synonyms(retention), [("retention.ms", 1)], "only hours have a default");
            let segment_bytes = &configs["segment.bytes"];
            assert_eq!(synonyms(segment_bytes), [("log.segment.bytes", 5)]);
            let policy = &configs["cleanup.policy"];
            assert_eq!((policy.value.as_deref(), policy.config_source), (Some("delete"), 5));
            assert!(!policy.read_only && !policy.is_sensitive);
            if version >= 3 {
                assert_eq!((policy.config_type, retention.config_type), (7, 5));
                assert!(policy.documentation.as_ref().is_some_and(|text| text.contains("old records")));
            }
            let wanted = resource(TOPIC, "own", Some(&["segment.bytes", "no.such.config"]));
            let configs = describe(&connection, wanted, version).await.unwrap();
            assert!(configs.keys().eq(["segment.bytes"]));
        }
    }
    let request = DescribeConfigsRequest { resources: vec![resource(TOPIC, "own", None)], ..Default::default() };
    let response = server.connect().send(&request, 4).await.unwrap();
    let told = |config: &DescribeConfigsResourceResult| config.documentation.is_some() || !config.synonyms.is_empty();
    assert!(!response.results[0].configs.iter().any(told), "only what was asked for");
}

#[tokio::test]
async fn this_node_has_the_configs_of_its_store_and_its_server() {
    let mut config = StoreConfig { offset_metadata_max_bytes: 100, ..Default::default() };
    for (name, value) in [("log.retention.minutes", "5"), ("producer.id.expiration.check.interval.ms", "7")] {
        config.set(name, value).unwrap();
    }
    let store = Store::options().config(config).open_temporary().unwrap();
    let mut config = ServerConfig { auto_create_topics_enable: false, num_partitions: 3, ..ServerConfig::default() };
    config.set("connections.max.idle.ms", "-1").unwrap();
    let server = Server::builder(store.clone()).config(config).in_memory().unwrap();
    let connection = server.connect();
    let node = store.node_id().to_string();
    let configs = describe(&connection, resource(BROKER, &node, None), 4).await.unwrap();
    for (name, value, source) in [
        ("node.id", &*node, 4),
        ("auto.create.topics.enable", "false", 4),
        ("num.partitions", "3", 4),
        ("connections.max.idle.ms", "-1", 4),
        ("max.connections", "2147483647", 5),
        ("default.replication.factor", "1", 5),
        ("offset.metadata.max.bytes", "100", 4),
        ("offsets.retention.minutes", "10080", 5),
        ("log.retention.minutes", "5", 4),
        ("log.retention.hours", "168", 5),
        ("log.segment.bytes", "1073741824", 5),
        ("producer.id.expiration.check.interval.ms", "7", 4),
        ("sync", "always", 5),
    ] {
        let config = &configs[name];
        assert_eq!((config.value.as_deref(), config.config_source), (Some(value), source), "{name}");
        assert!(config.read_only, "none changes while the node runs");
        assert_eq!(config.synonyms[0].value.as_deref(), Some(value));
    }
    assert_eq!(synonyms(&configs["log.retention.minutes"]), [("log.retention.minutes", 4), ("log.retention.hours", 5)]);
    assert_eq!(synonyms(&configs["log.retention.hours"]), [("log.retention.hours", 5)]);
    assert!(!configs.contains_key("group.consumer.regex.refresh.interval.ms"), "it is internal, and not set");
    assert!(configs["log.dirs"].value.as_ref().is_some_and(|dir| dir.starts_with('/')));
    // What is set for all nodes: nothing is.
    assert!(describe(&connection, resource(BROKER, "", None), 4).await.unwrap().is_empty());
}

/// MirrorMaker copies the configs of a topic that are no defaults, and `kafka-topics.sh` prints them.
#[tokio::test]
async fn a_topics_config_is_from_the_broker_if_that_has_it_by_its_first_name() {
    let mut config = StoreConfig::default();
    for (key, value) in [("log.retention.hours", "24"), ("log.roll.ms", "5000"), ("log.roll.hours", "168")] {
        config.set(key, value).unwrap();
    }
    let store = Store::options().config(config).open_temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let server = Server::builder(store.clone()).in_memory().unwrap();
    let connection = server.connect();
    let configs = describe(&connection, resource(TOPIC, "t", None), 4).await.unwrap();
    let told = |name: &str| (configs[name].value.as_deref(), configs[name].config_source, synonyms(&configs[name]));
    assert_eq!(told("retention.ms"), (Some("86400000"), 5, vec![]));
    let roll = vec![("log.roll.ms", 4), ("log.roll.hours", 4), ("log.roll.hours", 5)];
    assert_eq!(told("segment.ms"), (Some("5000"), 4, roll.clone()));
    let broker = resource(BROKER, &store.node_id().to_string(), None);
    let configs = describe(&connection, broker, 4).await.unwrap();
    assert_eq!(synonyms(&configs["log.roll.ms"]), roll);
    assert_eq!(synonyms(&configs["log.roll.hours"]), roll[1..], "also a value that is the default");
    assert_eq!(synonyms(&configs["log.retention.hours"]), [("log.retention.hours", 4), ("log.retention.hours", 5)]);
    assert_eq!(configs["log.retention.ms"].value, None);
}

#[tokio::test]
async fn configs_of_a_node_have_the_types_and_the_nulls_of_kafka() {
    let (store, server) = serve().await;
    let node = store.node_id().to_string();
    let configs = describe(&server.connect(), resource(BROKER, &node, None), 4).await.unwrap();
    let (string, int, short, long, double, list, password) = (2, 3, 4, 5, 6, 7, 9);
    for (name, config_type, value) in [
        ("authorizer.class.name", string, ""),
        ("connection.failed.authentication.delay.ms", int, "100"),
        ("group.coordinator.rebalance.protocols", list, "classic,consumer"),
        ("log.cleaner.dedupe.buffer.size", long, "134217728"),
        ("log.cleaner.io.max.bytes.per.second", double, "1.7976931348623157E308"),
        ("log.flush.offset.checkpoint.interval.ms", int, "60000"),
        ("log.retention.hours", int, "168"),
        ("log.roll.hours", int, "168"),
        ("log.roll.jitter.hours", int, "0"),
        ("offsets.topic.replication.factor", short, "1"),
        ("process.roles", list, "broker"),
        ("producer.id.expiration.ms", int, "86400000"),
        ("queued.max.request.bytes", long, "536870912"),
        ("sasl.enabled.mechanisms", list, ""),
        ("security.inter.broker.protocol", string, "PLAINTEXT"),
        ("transaction.abort.timed.out.transaction.cleanup.interval.ms", int, "10000"),
        ("transaction.remove.expired.transaction.cleanup.interval.ms", int, "3600000"),
        ("transaction.state.log.min.isr", int, "1"),
        ("transaction.state.log.replication.factor", short, "1"),
    ] {
        let config = &configs[name];
        assert_eq!((config.config_type, config.value.as_deref()), (config_type, Some(value)), "{name}");
        assert_eq!(config.synonyms[0].value.as_deref(), Some(value), "{name}");
    }
    for (name, config_type) in [
        ("advertised.listeners", list),
        ("broker.rack", string),
        ("inter.broker.listener.name", string),
        ("log.flush.interval.ms", long),
        ("log.retention.minutes", int),
        ("log.retention.ms", long),
        ("log.roll.jitter.ms", long),
        ("log.roll.ms", long),
        ("ssl.keystore.certificate.chain", password),
        ("ssl.keystore.key", password),
        ("ssl.keystore.location", string),
        ("ssl.truststore.certificates", password),
        ("ssl.truststore.location", string),
    ] {
        let config = &configs[name];
        assert_eq!(
            (config.config_type, config.value.as_deref(), config.config_source),
            (config_type, None, 5),
            "{name}"
        );
        assert_eq!((&config.synonyms[..], config.is_sensitive), (&[][..], config_type == password), "{name}");
    }
    assert_eq!(configs["log.dir"].value, configs["log.dirs"].value);
}

#[tokio::test]
async fn certificates_are_not_told_as_keys_are_not() {
    let (store, mut config) = (Store::temporary().unwrap(), ServerConfig::default());
    for key in ["ssl.keystore.certificate.chain", "ssl.truststore.certificates"] {
        config.set(key, "-----BEGIN CERTIFICATE-----").unwrap();
    }
    assert!(!format!("{config:?}").contains("BEGIN"));
    let server = Server::builder(store.clone()).config(config).in_memory().unwrap();
    let node = store.node_id().to_string();
    let configs = describe(&server.connect(), resource(BROKER, &node, None), 4).await.unwrap();
    for key in ["ssl.keystore.certificate.chain", "ssl.truststore.certificates"] {
        let config = &configs[key];
        assert_eq!((config.value.as_deref(), config.is_sensitive, config.config_source), (None, true, 4), "{key}");
    }
}

#[tokio::test]
async fn what_has_no_configs_here_says_so() {
    let (store, server) = serve().await;
    let node = store.node_id().to_string();
    let connection = server.connect();
    for (wanted, expected) in [
        (resource(TOPIC, "nobody", None), Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
        (resource(TOPIC, "a/b", None), Err(ErrorCode::INVALID_TOPIC_EXCEPTION)),
        (resource(BROKER, "12345", None), Err(ErrorCode::INVALID_REQUEST)),
        (resource(BROKER, "one", None), Err(ErrorCode::INVALID_REQUEST)),
        (resource(BROKER_LOGGER, &node, None), Ok(0)),
        (resource(BROKER_LOGGER, "", None), Err(ErrorCode::INVALID_REQUEST)),
        (resource(CLIENT_METRICS, "m", None), Ok(0)),
        (resource(CLIENT_METRICS, "", None), Err(ErrorCode::INVALID_REQUEST)),
        (resource(GROUP, "g", None), Ok(3)),
        (resource(GROUP, "", None), Err(ErrorCode::INVALID_REQUEST)),
        (resource(99, "x", None), Err(ErrorCode::INVALID_REQUEST)),
    ] {
        let what = format!("{wanted:?}");
        let described = describe(&connection, wanted, 4).await;
        assert_eq!(described.map(|configs| configs.len()), expected, "{what}");
    }
}

#[tokio::test]
async fn a_resource_is_described_as_often_as_it_is_named_within_reason() {
    let (_store, server) = serve().await;
    let connection = server.connect();
    let keys = resource(TOPIC, "t", Some(&["segment.bytes"]));
    let resources = vec![resource(TOPIC, "t", None), keys];
    let request = DescribeConfigsRequest { resources, ..Default::default() };
    let results = connection.send(&request, 4).await.unwrap().results;
    let counts: Vec<_> = results.iter().map(|result| (result.error_code, result.configs.len())).collect();
    assert_eq!(counts, [(ErrorCode::NONE, told_keys().count()), (ErrorCode::NONE, 1)]);
    // Again and again would make a long answer to a short request.
    let resources = vec![resource(TOPIC, "t", None); 100];
    let request = DescribeConfigsRequest { resources, ..Default::default() };
    let results = connection.send(&request, 4).await.unwrap().results;
    let answered = results.iter().filter(|result| result.error_code == ErrorCode::NONE).count();
    let refused = results.iter().filter(|result| result.error_code == ErrorCode::INVALID_REQUEST).count();
    assert_eq!((answered, refused), (51, 49));
}

#[tokio::test]
async fn configs_are_altered_one_by_one_in_every_version() {
    let (store, server) = serve().await;
    let topic = (TOPIC, "t");
    let own = || store.describe_topic("t").unwrap().config.overrides();
    for connection in connections(&server).await {
        for version in 0..=1 {
            let retention = format!("{}", 1000 + version);
            let set = [("retention.ms", SET, Some(&*retention)), ("cleanup.policy", APPEND, Some("compact"))];
            assert_eq!(alter(&connection, topic, &set, version).await, (ErrorCode::NONE, None));
            assert_eq!(own(), [("cleanup.policy", "delete,compact".to_owned()), ("retention.ms", retention)]);
            let undo = [("retention.ms", DELETE, None), ("cleanup.policy", SUBTRACT, Some("compact"))];
            assert_eq!(alter(&connection, topic, &undo, version).await.0, ErrorCode::NONE);
            assert_eq!(own(), [("cleanup.policy", "delete".to_owned())]);
        }
    }
    let connection = server.connect();
    let untold = [("internal.segment.bytes", SET, Some("100"))];
    assert_eq!(alter(&connection, topic, &untold, 1).await, (ErrorCode::NONE, None));
    let before = own();
    let set = ("retention.ms", SET, Some("1"));
    for (resource, configs, expected) in [
        (topic, &[set, ("no.such.config", SET, Some("1"))][..], ErrorCode::INVALID_CONFIG),
        (topic, &[set, ("segment.bytes", SET, Some("1"))], ErrorCode::INVALID_CONFIG),
        (topic, &[set, ("segment.bytes", APPEND, Some("1"))], ErrorCode::INVALID_CONFIG),
        (topic, &[("no.such.config", DELETE, None)], ErrorCode::NONE),
        (topic, &[set, set], ErrorCode::INVALID_REQUEST),
        (topic, &[("retention.ms", SET, None)], ErrorCode::INVALID_REQUEST),
        (topic, &[("retention.ms", 9, Some("1"))], ErrorCode::INVALID_REQUEST),
        // There is nothing to delete.
        (topic, &[("no.such.config", DELETE, None)], ErrorCode::NONE),
        ((TOPIC, "nobody"), &[set], ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ((TOPIC, "no/topic"), &[set], ErrorCode::INVALID_TOPIC_EXCEPTION),
        ((TOPIC, ""), &[set], ErrorCode::INVALID_REQUEST),
        ((TOPIC, "__consumer_offsets"), &[set], ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ((BROKER, ""), &[("log.retention.ms", SET, Some("1"))], ErrorCode::INVALID_REQUEST),
        ((BROKER, ""), &[("log.retention.ms", DELETE, None)], ErrorCode::NONE),
        ((BROKER, "77"), &[], ErrorCode::INVALID_REQUEST),
        ((BROKER_LOGGER, &store.node_id().to_string()), &[("root", SET, Some("INFO"))], ErrorCode::INVALID_CONFIG),
        ((CLIENT_METRICS, "m"), &[("interval.ms", SET, Some("1"))], ErrorCode::INVALID_REQUEST),
        ((99, "x"), &[], ErrorCode::INVALID_REQUEST),
    ] {
        let (code, message) = alter(&connection, resource, configs, 1).await;
        assert_eq!((code, message.is_some()), (expected, expected != ErrorCode::NONE), "{resource:?} {configs:?}");
    }
    assert_eq!(own(), before, "all or nothing");
}

#[tokio::test]
async fn configs_are_replaced_as_a_whole_in_every_version() {
    let (store, server) = serve().await;
    let own = || store.describe_topic("t").unwrap().config.overrides();
    for connection in connections(&server).await {
        for version in 0..=2 {
            let value = (1000 + version).to_string();
            let both = &[("retention.ms", Some(&*value)), ("segment.ms", Some("5"))];
            assert_eq!(replace(&connection, vec![replacement(TOPIC, "t", both)], version).await, [ErrorCode::NONE]);
            assert_eq!(own(), [("retention.ms", value.clone()), ("segment.ms", "5".to_owned())]);
            let one = replacement(TOPIC, "t", &[("flush.ms", Some("7"))]);
            assert_eq!(replace(&connection, vec![one], version).await, [ErrorCode::NONE]);
            assert_eq!(own(), [("flush.ms", "7".to_owned())], "what isn't named has its default again");
        }
    }
    assert_eq!(store.partition_count("t").unwrap(), 2);
    let resources = vec![
        replacement(TOPIC, "t", &[("flush.ms", Some("never"))]),
        replacement(TOPIC, "nobody", &[]),
        replacement(BROKER, "", &[("log.retention.ms", Some("1"))]),
        replacement(BROKER, "", &[]),
        replacement(BROKER_LOGGER, &store.node_id().to_string(), &[]),
        replacement(GROUP, "g", &[("x", None)]),
    ];
    let expected = [
        ErrorCode::INVALID_CONFIG,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::INVALID_REQUEST,
        ErrorCode::INVALID_REQUEST,
        ErrorCode::INVALID_REQUEST,
        ErrorCode::INVALID_REQUEST,
    ];
    assert_eq!(replace(&server.connect(), resources, 2).await, expected);
    assert_eq!(own(), [("flush.ms", "7".to_owned())]);
}

#[tokio::test]
async fn altering_can_be_tried_without_doing_it() {
    let (store, server) = serve().await;
    let connection = server.connect();
    for (value, expected) in [("7", ErrorCode::NONE), ("never", ErrorCode::INVALID_CONFIG)] {
        let resources = vec![replacement(TOPIC, "t", &[("flush.ms", Some(value))])];
        let request = AlterConfigsRequest { resources, validate_only: true };
        assert_eq!(connection.send(&request, 2).await.unwrap().responses[0].error_code, expected);
        let config = incremental_alter_configs::AlterableConfig {
            name: "flush.ms".into(),
            config_operation: SET,
            value: Some(value.into()),
        };
        let resource = incremental_alter_configs::AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: "t".into(),
            configs: vec![config],
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: true };
        assert_eq!(connection.send(&request, 1).await.unwrap().responses[0].error_code, expected);
    }
    assert_eq!(store.describe_topic("t").unwrap().config.overrides(), []);
}

#[tokio::test]
async fn nobody_has_a_quota() {
    let (_store, server) = serve().await;
    let component = |entity_type: &str, match_type, name: Option<&str>| ComponentData {
        entity_type: entity_type.into(),
        match_type,
        r#match: name.map(str::to_owned),
    };
    let (exact, default, any) = (0, 1, 2);
    let (invalid, unknown) = (ErrorCode::INVALID_REQUEST, ErrorCode::UNSUPPORTED_VERSION);
    for (components, expected) in [
        (vec![], ErrorCode::NONE),
        (vec![component("user", any, None)], ErrorCode::NONE),
        (vec![component("user", exact, Some("alice")), component("client-id", default, None)], ErrorCode::NONE),
        (vec![component("ip", exact, Some("127.0.0.1"))], ErrorCode::NONE),
        (vec![component("", any, None)], invalid),
        (vec![component("group", any, None)], unknown),
        (vec![component("user", any, None), component("user", any, None)], invalid),
        (vec![component("user", any, None), component("ip", any, None)], invalid),
        (vec![component("user", exact, None)], invalid),
        (vec![component("user", default, Some("alice"))], invalid),
        (vec![component("user", any, Some("alice"))], invalid),
        (vec![component("user", 3, None)], invalid),
    ] {
        for version in 0..=1 {
            let request = DescribeClientQuotasRequest { components: components.clone(), strict: false };
            let response = server.connect().send(&request, version).await.unwrap();
            let entries = (expected == ErrorCode::NONE).then(Vec::new);
            assert_eq!((response.error_code, response.entries), (expected, entries), "{components:?}");
            let message = response.error_message.unwrap();
            assert_eq!(message.is_empty(), expected == ErrorCode::NONE, "{message}");
        }
    }
}

/// It is how tools find out that there is nothing to ask for.
#[tokio::test]
async fn without_an_authorizer_there_are_no_acls() {
    let (_store, server) = serve().await;
    let connection = server.connect();
    for version in 1..=3 {
        let described = connection.send(&DescribeAclsRequest::default(), version).await.unwrap();
        assert_eq!(described.error_code, ErrorCode::SECURITY_DISABLED);
        let created = CreateAclsRequest { creations: vec![AclCreation::default(); 2] };
        let created = connection.send(&created, version).await.unwrap().results;
        assert_eq!(created.iter().map(|one| one.error_code).collect::<Vec<_>>(), [ErrorCode::SECURITY_DISABLED; 2]);
        let deleted = DeleteAclsRequest { filters: vec![DeleteAclsFilter::default(); 2] };
        let deleted = connection.send(&deleted, version).await.unwrap().filter_results;
        assert_eq!(deleted.iter().map(|one| one.error_code).collect::<Vec<_>>(), [ErrorCode::SECURITY_DISABLED; 2]);
    }
}

#[test]
fn a_broker_is_configured_by_a_file_the_environment_and_overrides_in_this_order() {
    const NO_ENVIRONMENT: [(String, String); 0] = [];
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("server.properties");
    std::fs::write(&file, "num.partitions=1\nmax.connections=1\nfetch.max.bytes=1024\n").unwrap();
    let environment = ["KAFKA_NUM_PARTITIONS", "KAFKA_MAX_CONNECTIONS"].map(|name| (name.to_owned(), "2".to_owned()));
    let overrides = [("num.partitions".to_owned(), "3".to_owned())];
    let server = ServerProperties::load(Some(&file), environment, overrides).unwrap().server;
    assert_eq!((server.num_partitions, server.max_connections, server.fetch_max_bytes), (3, 2, 1024));
    std::fs::write(&file, b"\xff").unwrap();
    for unreadable in [dir.path().join("missing"), file] {
        let error = ServerProperties::load(Some(&unreadable), NO_ENVIRONMENT, []).expect_err("it can't be read");
        assert!(matches!(&error, Error::Io { path, .. } if *path == unreadable), "{error}");
    }
}

#[test]
#[cfg(unix)]
fn a_variable_need_not_be_text_unless_it_names_a_config() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let mut properties = ServerProperties::new();
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let variable = |name: &[u8]| (bytes(name), bytes(b"\xff"));
    properties.read_env([variable(b"LESS"), variable(b"\xff"), variable(b"KAFKA_OPTS")]).unwrap();
    let error = properties.read_env([variable(b"KAFKA_SSL_KEYSTORE_LOCATION")]).expect_err("no text").to_string();
    assert!(error.contains("ssl.keystore.location") && error.contains("UTF-8"), "{error}");
    assert_eq!(properties.server, ServerConfig::default());
}
