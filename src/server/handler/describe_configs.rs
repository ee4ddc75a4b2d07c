//! DescribeConfigs: all configs of topics, of groups and of this node, with where their values come from.

use std::collections::HashSet;

use crate::config::{ConfigEntry, ConfigResourceType, ConfigSynonym, ConfigType};
use crate::net::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use crate::net::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use crate::server::api_error::ApiError;
use crate::server::broker::Broker;
use crate::server::broker_configs::is_unset;
use crate::server::config_resource::{is_told, resource_type};
use crate::store::validate_topic_name;

/// How often a request is answered what it was answered already. Kafka has no such limit; a short request could ask for
/// a very long answer.
const REPEATS_MAX: usize = 50;

pub(in crate::server) fn answer(broker: &Broker, request: DescribeConfigsRequest, _: i16) -> DescribeConfigsResponse {
    let mut seen = HashSet::new();
    let mut repeats_left = REPEATS_MAX;
    let results = request.resources.iter().map(|resource| {
        // A number can be written in many ways.
        let number = resource.resource_name.parse::<i32>();
        let name = number.map_or_else(|_| resource.resource_name.clone(), |number| number.to_string());
        let is_new = seen.insert((resource.resource_type, name));
        let described = match is_new || repeats_left > 0 {
            true => broker.configs(resource),
            false => Err(ApiError::invalid_request("resources are named again and again")),
        };
        repeats_left = repeats_left.saturating_sub(usize::from(!is_new));
        let mut result = DescribeConfigsResult {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            // Where Kafka has nothing to say it says that, and not null.
            error_message: Some(String::new()),
            ..Default::default()
        };
        match described {
            Ok(configs) => result.configs = configs.into_iter().map(|config| describe(config, &request)).collect(),
            Err(error) => {
                result.error_code = error.code;
                result.error_message = error.message.or(result.error_message);
            }
        }
        result
    });
    DescribeConfigsResponse { results: results.collect(), ..Default::default() }
}

/// A config, and what there is to say of it beside.
struct Described {
    config: ConfigEntry,
    read_only: bool,
    /// Whether its value is null. That of a topic or a group never is.
    is_null: bool,
}

impl Broker {
    fn configs(&self, resource: &DescribeConfigsResource) -> Result<Vec<Described>, ApiError> {
        let name = &*resource.resource_name;
        let resource_type = resource_type(resource.resource_type)?;
        let (configs, read_only) = match resource_type {
            ConfigResourceType::Topic => {
                validate_topic_name(name)?;
                let configs = self.store.describe_topic_configs(name);
                let mut configs = configs.map_err(|error| ApiError::without_words(&error))?;
                configs.retain(is_told);
                (configs, false)
            }
            // What was set for all brokers while they run: nothing.
            ConfigResourceType::Broker if name.is_empty() => (Vec::new(), true),
            ConfigResourceType::Broker => {
                let refuse = |node_id, id| {
                    format!("Unexpected broker id, expected {node_id} or empty string, but received {id}")
                };
                self.check_node(name, "Broker", refuse)?;
                (self.describe_configs(), true)
            }
            ConfigResourceType::BrokerLogger if name.is_empty() => {
                return Err(ApiError::invalid_request("Broker id must not be empty"));
            }
            ConfigResourceType::BrokerLogger => {
                let refuse = |node_id, id| format!("Unexpected broker id, expected {node_id} but received {id}");
                self.check_node(name, "Broker", refuse)?;
                (Vec::new(), false)
            }
            ConfigResourceType::ClientMetrics if name.is_empty() => {
                return Err(ApiError::invalid_request("Client metrics subscription name must not be empty"));
            }
            ConfigResourceType::Group if name.is_empty() => {
                return Err(ApiError::invalid_request("Group name must not be empty"));
            }
            // None can be set.
            ConfigResourceType::ClientMetrics => (Vec::new(), false),
            ConfigResourceType::Group => (self.store.describe_group_configs(name)?, false),
        };
        let wanted = resource.configuration_keys.as_deref().unwrap_or_default();
        let is_wanted = |config: &ConfigEntry| wanted.is_empty() || wanted.iter().any(|key| key == config.name);
        let described = |config: ConfigEntry| Described {
            is_null: resource_type == ConfigResourceType::Broker && is_unset(&config),
            read_only,
            config,
        };
        Ok(configs.into_iter().filter(is_wanted).map(described).collect())
    }
}

fn describe(described: Described, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let Described { config, read_only, is_null } = described;
    let synonyms = if request.include_synonyms { config.synonyms } else { Vec::new() };
    let is_sensitive = config.config_type == ConfigType::Password;
    DescribeConfigsResourceResult {
        name: config.name.to_owned(),
        value: (!is_sensitive && !is_null).then_some(config.value),
        read_only,
        config_source: config.source.id(),
        is_sensitive,
        synonyms: synonyms.into_iter().map(|one| synonym(one, is_sensitive)).collect(),
        config_type: config.config_type.id(),
        documentation: request.include_documentation.then(|| config.documentation.to_owned()),
    }
}

fn synonym(synonym: ConfigSynonym, is_sensitive: bool) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym {
        name: synonym.name.to_owned(),
        value: (!is_sensitive).then_some(synonym.value),
        source: synonym.source.id(),
    }
}
