//! ListConfigResources: which topics and groups have configs, and this node.

use crate::config::ConfigResourceType;
use crate::net::ErrorCode;
use crate::net::messages::list_config_resources::ConfigResource;
use crate::net::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: ListConfigResourcesRequest,
    version: i16,
) -> ListConfigResourcesResponse {
    // Version 0 asks for nothing else.
    let listed = if version == 0 { &[ConfigResourceType::ClientMetrics] } else { ConfigResourceType::ALL };
    let is_listed = |id: &i8| listed.iter().any(|listed| listed.id() == *id);
    if !request.resource_types.iter().all(is_listed) {
        return refuse(ErrorCode::UNSUPPORTED_VERSION);
    }
    let is_wanted = |listed: &&ConfigResourceType| {
        request.resource_types.is_empty() || request.resource_types.contains(&listed.id())
    };
    let mut config_resources = Vec::new();
    for listed in listed.iter().filter(is_wanted) {
        match broker.names_of(*listed) {
            Ok(names) => config_resources.extend(
                names.into_iter().map(|resource_name| ConfigResource { resource_name, resource_type: listed.id() }),
            ),
            Err(error) => return refuse(ErrorCode::from(&error)),
        }
    }
    ListConfigResourcesResponse { config_resources, ..Default::default() }
}

fn refuse(error_code: ErrorCode) -> ListConfigResourcesResponse {
    ListConfigResourcesResponse { error_code, ..Default::default() }
}
