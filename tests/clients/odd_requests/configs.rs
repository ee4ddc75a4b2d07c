//! Configs, users and quotas that there are not.

use bytes::Bytes;
use esker::net::messages::alter_user_scram_credentials::{ScramCredentialDeletion, ScramCredentialUpsertion};
use esker::net::messages::describe_client_quotas::ComponentData;
use esker::net::messages::describe_configs::DescribeConfigsResource;
use esker::net::messages::{
    AlterConfigsRequest, AlterUserScramCredentialsRequest, ApiVersionsRequest, DescribeClientQuotasRequest,
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, alter_configs, incremental_alter_configs,
};

use crate::{Anything, Brokers};

/// Kafka's numbers for resources, and for what is done with a config.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(super) async fn compare(brokers: &mut Brokers) -> Result<(), Anything> {
    alter(brokers).await?;
    describe(brokers).await?;
    users(brokers).await?;
    for (name, version) in [("a", "1"), ("-a", "1"), ("a", ""), ("a b", "1")] {
        let (client_software_name, client_software_version) = (name.to_owned(), version.to_owned());
        let request = ApiVersionsRequest { client_software_name, client_software_version };
        brokers.ask(&format!("{name} {version}"), &request, &[0, 2, 3, 4]).await?;
    }
    Ok(())
}

async fn alter(brokers: &mut Brokers) -> Result<(), Anything> {
    let set = ("retention.ms", SET, Some("1"));
    for (resource_type, name, changes) in [
        (TOPIC, "t", &[("retention.ms", SET, None)][..]),
        (TOPIC, "t", &[("retention.ms", SET, Some("soon"))]),
        (TOPIC, "t", &[("no.such.config", SET, Some("1"))]),
        (TOPIC, "t", &[("no.such.config", DELETE, None)]),
        (TOPIC, "t", &[("retention.ms", APPEND, Some("1"))]),
        (TOPIC, "t", &[("cleanup.policy", APPEND, Some("delete"))]),
        (TOPIC, "t", &[("cleanup.policy", SUBTRACT, Some("compact"))]),
        (TOPIC, "t", &[set, set]),
        (TOPIC, "t", &[]),
        (TOPIC, "nobody", &[set]),
        (TOPIC, "a/b", &[set]),
        (TOPIC, "", &[set]),
        (BROKER, "99", &[("log.cleaner.threads", SET, Some("1"))]),
        (BROKER, "x", &[("log.cleaner.threads", SET, Some("1"))]),
        (BROKER, "1", &[("broker.id", SET, Some("7"))]),
        (BROKER_LOGGER, "99", &[("root", SET, Some("INFO"))]),
        (CLIENT_METRICS, "", &[("interval.ms", SET, Some("x"))]),
        (GROUP, "g", &[("no.such.config", SET, Some("1"))]),
        (GROUP, "g", &[("consumer.session.timeout.ms", SET, Some("1"))]),
        (GROUP, "", &[("consumer.session.timeout.ms", SET, Some("50000"))]),
        (3, "t", &[set]),
    ] {
        let change = |(name, config_operation, value): &(&str, i8, Option<&str>)| {
            let (name, value) = ((*name).to_owned(), value.map(str::to_owned));
            incremental_alter_configs::AlterableConfig { name, config_operation: *config_operation, value }
        };
        let (resource_name, configs) = (name.to_owned(), changes.iter().map(change).collect());
        let resource = incremental_alter_configs::AlterConfigsResource { resource_type, resource_name, configs };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: true };
        brokers.ask(&format!("{resource_type} {name:?} {changes:?}"), &request, &[0, 1]).await?;
    }
    for (resource_type, name, changes) in [
        (TOPIC, "t", &[("retention.ms", None)][..]),
        (TOPIC, "t", &[("no.such.config", Some("1"))]),
        (TOPIC, "t", &[("retention.ms", Some("soon"))]),
        (TOPIC, "t", &[]),
        (TOPIC, "nobody", &[]),
        (BROKER, "1", &[("broker.id", Some("7"))]),
        (BROKER_LOGGER, "1", &[("root", Some("INFO"))]),
    ] {
        let change = |(name, value): &(&str, Option<&str>)| alter_configs::AlterableConfig {
            name: (*name).to_owned(),
            value: value.map(str::to_owned),
        };
        let (resource_name, configs) = (name.to_owned(), changes.iter().map(change).collect());
        let resource = alter_configs::AlterConfigsResource { resource_type, resource_name, configs };
        let request = AlterConfigsRequest { resources: vec![resource], validate_only: true };
        brokers.ask(&format!("{resource_type} {name:?} {changes:?}"), &request, &[0, 2]).await?;
    }
    Ok(())
}

async fn describe(brokers: &mut Brokers) -> Result<(), Anything> {
    for (resource_type, name) in [
        (TOPIC, "t"),
        (TOPIC, "nobody"),
        (TOPIC, "a/b"),
        (TOPIC, ""),
        (BROKER, "99"),
        (BROKER, "x"),
        (BROKER, ""),
        (BROKER_LOGGER, "99"),
        (BROKER_LOGGER, ""),
        (CLIENT_METRICS, ""),
        (GROUP, ""),
        (GROUP, "g"),
        (3, "t"),
    ] {
        let resource =
            DescribeConfigsResource { resource_type, resource_name: name.to_owned(), configuration_keys: None };
        let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
        brokers.ask(&format!("{resource_type} {name:?}"), &request, &[1, 4]).await?;
    }
    for components in [
        &[][..],
        &[("user", 0, Some("a"))],
        &[("user", 0, None)],
        &[("user", 1, Some("a"))],
        &[("user", 9, None)],
        &[("nobody", 0, Some("a"))],
        &[("", 0, Some("a"))],
        &[("user", 0, Some("a")), ("user", 0, Some("b"))],
        &[("user", 0, Some("a")), ("ip", 0, Some("127.0.0.1"))],
    ] {
        let component = |(entity_type, match_type, r#match): &(&str, i8, Option<&str>)| ComponentData {
            entity_type: (*entity_type).to_owned(),
            match_type: *match_type,
            r#match: r#match.map(str::to_owned),
        };
        let components_asked = components.iter().map(component).collect();
        let request = DescribeClientQuotasRequest { components: components_asked, strict: false };
        brokers.ask(&format!("{components:?}"), &request, &[0, 1]).await?;
    }
    Ok(())
}

async fn users(brokers: &mut Brokers) -> Result<(), Anything> {
    for (name, mechanism, iterations) in
        [("", 1, 4096), ("alice", 0, 4096), ("alice", 9, 4096), ("alice", 1, 4095), ("alice", 1, 16_385)]
    {
        let (name, secret) = (name.to_owned(), Bytes::from_static(&[7; 32]));
        let salt = secret.clone();
        let upsertion = ScramCredentialUpsertion { name, mechanism, iterations, salt, salted_password: secret };
        let request = AlterUserScramCredentialsRequest { upsertions: vec![upsertion], ..Default::default() };
        brokers.ask(&format!("{mechanism} {iterations}"), &request, &[0]).await?;
    }
    let deletions = vec![ScramCredentialDeletion { name: "alice".to_owned(), mechanism: 1 }];
    let request = AlterUserScramCredentialsRequest { deletions, ..Default::default() };
    brokers.ask("nobody is deleted", &request, &[0]).await
}
