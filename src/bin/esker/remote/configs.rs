//! Configs of topics and groups of a cluster: changed and described.

use std::collections::HashMap;

use esker::net::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use esker::net::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use esker::net::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};
use esker::net::{ConfigResourceType, ErrorCode};
use esker::{AlterConfigOp, ConfigSource, ConfigType, Error};

use super::cluster::Cluster;
use super::topics::{check, nothing};
use super::trouble::Trouble;
use crate::failure::{Failure, Result};
use crate::source::{Config, Synonym};

const ALTER_CONFIGS_VERSION: i16 = 1;
const DESCRIBE_CONFIGS_VERSION: i16 = 4;

impl Cluster {
    pub(super) fn alter_configs(
        &mut self,
        resource: ConfigResourceType,
        name: &str,
        changes: &[AlterConfigOp],
    ) -> Result {
        self.check_deleted(resource, name, changes)?;
        let resource = AlterConfigsResource {
            resource_type: resource.id(),
            resource_name: name.to_owned(),
            configs: changes.iter().map(alterable).collect(),
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let controller = self.controller()?;
        let response = self.wire.ask(&controller, &request, ALTER_CONFIGS_VERSION)?;
        let result = response.responses.into_iter().next().ok_or_else(nothing)?;
        check(result.error_code, result.error_message, name)
    }

    /// Whether the configs that are to be taken back to their defaults are among those that the brokers tell of: they
    /// themselves say nothing about one that there isn't.
    fn check_deleted(&mut self, resource: ConfigResourceType, name: &str, changes: &[AlterConfigOp]) -> Result {
        let deleted = |change: &AlterConfigOp| match change {
            AlterConfigOp::Delete { key } => Some(key.clone()),
            _ => None,
        };
        let deleted: Vec<String> = changes.iter().filter_map(deleted).collect();
        if deleted.is_empty() {
            return Ok(());
        }
        // Who may not ask for them may still be let change them.
        let known = self.configs(resource, &[name.to_owned()]).ok().and_then(|mut configs| configs.remove(name));
        let is_unknown = |key: &String| known.iter().any(|known| known.iter().all(|config| config.name != *key));
        match deleted.into_iter().find(is_unknown) {
            Some(key) => {
                let expected = format!("a {} config", resource.name().to_lowercase());
                Err(Failure::misconfigured(Error::InvalidConfig { key, value: String::new(), expected }))
            }
            None => Ok(()),
        }
    }

    /// All configs of topics or groups, by their names.
    pub(super) fn configs(
        &mut self,
        resource: ConfigResourceType,
        names: &[String],
    ) -> Result<HashMap<String, Vec<Config>>, Trouble> {
        let mut configs = HashMap::new();
        for result in self.config_results(resource, names, None)? {
            let entries = result.configs.into_iter().map(config).collect();
            configs.insert(result.resource_name, entries);
        }
        Ok(configs)
    }

    /// The value of one config of a topic; None if whoever asks may not know it.
    pub(super) fn config_value(&mut self, topic: &str, key: &str) -> Result<Option<String>, Trouble> {
        match self.config_results(ConfigResourceType::Topic, &[topic.to_owned()], Some(vec![key.to_owned()])) {
            Ok(results) => Ok(results.into_iter().flat_map(|result| result.configs).find_map(|config| config.value)),
            Err(trouble @ Trouble::Lost(_)) => Err(trouble),
            Err(_) => Ok(None),
        }
    }

    fn config_results(
        &mut self,
        resource: ConfigResourceType,
        names: &[String],
        keys: Option<Vec<String>>,
    ) -> Result<Vec<DescribeConfigsResult>, Trouble> {
        let of = |name: &String| DescribeConfigsResource {
            resource_type: resource.id(),
            resource_name: name.clone(),
            configuration_keys: keys.clone(),
        };
        let resources = names.iter().map(of).collect();
        let request = DescribeConfigsRequest { resources, include_synonyms: true, include_documentation: true };
        let results = self.ask_any(&request, DESCRIBE_CONFIGS_VERSION)?.results;
        match results.iter().find(|result| result.error_code != ErrorCode::NONE) {
            Some(DescribeConfigsResult { error_code, error_message, resource_name, .. }) => {
                Err(Trouble::refused(*error_code, error_message.clone(), resource_name))
            }
            None => Ok(results),
        }
    }
}

fn alterable(change: &AlterConfigOp) -> AlterableConfig {
    AlterableConfig {
        name: change.key().to_owned(),
        config_operation: change.op_type().id(),
        value: change.value().map(str::to_owned),
    }
}

fn config(from: DescribeConfigsResourceResult) -> Config {
    let synonym = |from: DescribeConfigsSynonym| Synonym {
        name: from.name,
        value: from.value.unwrap_or_default(),
        source: source(from.source),
    };
    Config {
        name: from.name,
        value: from.value.unwrap_or_default(),
        source: source(from.config_source),
        r#type: ConfigType::from_id(from.config_type).map_or(UNKNOWN, ConfigType::name),
        synonyms: from.synonyms.into_iter().map(synonym).collect(),
        documentation: from.documentation.unwrap_or_default(),
    }
}

/// What is said of what a later Kafka has a number for.
const UNKNOWN: &str = "UNKNOWN";

fn source(id: i8) -> &'static str {
    ConfigSource::from_id(id).map_or(UNKNOWN, ConfigSource::name)
}
