//! IncrementalAlterConfigs: changes some configs of a resource.

use crate::net::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
};
use crate::net::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use crate::server::alteration::{Alteration, Change, Changes};
use crate::server::api_error::{ApiError, outcome};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: IncrementalAlterConfigsRequest,
    _: i16,
) -> IncrementalAlterConfigsResponse {
    let alterations = request.resources.into_iter().map(alteration).collect();
    let altered = broker.alter_configs(alterations, request.validate_only);
    IncrementalAlterConfigsResponse { responses: altered.into_iter().map(respond).collect(), ..Default::default() }
}

fn alteration(resource: AlterConfigsResource) -> Alteration {
    let AlterConfigsResource { resource_type, resource_name, configs } = resource;
    let change =
        |config: AlterableConfig| Change { name: config.name, operation: config.config_operation, value: config.value };
    Alteration {
        resource_type,
        resource_name,
        changes: Changes::Incremental(configs.into_iter().map(change).collect()),
    }
}

fn respond((alteration, altered): (Alteration, Result<(), ApiError>)) -> AlterConfigsResourceResponse {
    let (error_code, error_message) = outcome(altered);
    let Alteration { resource_type, resource_name, .. } = alteration;
    AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
}
