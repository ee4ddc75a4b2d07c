//! AlterConfigs: replaces all configs of a resource, as clients did before IncrementalAlterConfigs.

use crate::net::messages::alter_configs::{AlterConfigsResource, AlterConfigsResourceResponse};
use crate::net::messages::{AlterConfigsRequest, AlterConfigsResponse};
use crate::server::alteration::{Alteration, Change, Changes};
use crate::server::api_error::{ApiError, outcome};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(broker: &Broker, request: AlterConfigsRequest, _: i16) -> AlterConfigsResponse {
    let alterations = request.resources.into_iter().map(alteration).collect();
    let altered = broker.alter_configs(alterations, request.validate_only);
    AlterConfigsResponse { responses: altered.into_iter().map(respond).collect(), ..Default::default() }
}

fn alteration(resource: AlterConfigsResource) -> Alteration {
    let AlterConfigsResource { resource_type, resource_name, configs } = resource;
    let changes = configs.into_iter().map(|config| Change::set(config.name, config.value)).collect();
    Alteration { resource_type, resource_name, changes: Changes::All(changes) }
}

fn respond((alteration, altered): (Alteration, Result<(), ApiError>)) -> AlterConfigsResourceResponse {
    let (error_code, error_message) = outcome(altered);
    let Alteration { resource_type, resource_name, .. } = alteration;
    AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
}
