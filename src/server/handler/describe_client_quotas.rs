//! DescribeClientQuotas: there are none. What asks too much is refused or waits, whoever it comes from.

use std::collections::HashSet;

use crate::net::ErrorCode;
use crate::net::messages::describe_client_quotas::ComponentData;
use crate::net::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};
use crate::server::api_error::{ApiError, outcome};
use crate::server::broker::Broker;

const USER: &str = "user";
const CLIENT_ID: &str = "client-id";
const IP: &str = "ip";

/// How a name is meant.
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

pub(in crate::server) fn answer(
    _: &Broker,
    request: DescribeClientQuotasRequest,
    _: i16,
) -> DescribeClientQuotasResponse {
    let checked = check(&request.components);
    let entries = checked.is_ok().then(Vec::new);
    let (error_code, error_message) = outcome(checked);
    DescribeClientQuotasResponse { error_code, error_message, entries, ..Default::default() }
}

/// Refuses what could mean nothing, as Kafka does.
fn check(components: &[ComponentData]) -> Result<(), ApiError> {
    let mut types = HashSet::new();
    for ComponentData { entity_type, match_type, r#match } in components {
        let entity_type = entity_type.as_str();
        if ![USER, CLIENT_ID, IP].contains(&entity_type) && !entity_type.is_empty() {
            let message = format!("there are no entities of type {entity_type}");
            return Err(ApiError::new(ErrorCode::UNSUPPORTED_VERSION, message));
        }
        if entity_type.is_empty() || !types.insert(entity_type) {
            return Err(ApiError::invalid_request("an entity type is empty, or named twice"));
        }
        match (*match_type, r#match) {
            (EXACT, Some(_)) | (DEFAULT | ANY, None) => {}
            _ => return Err(ApiError::invalid_request("a name goes with match type 0, and with 1 and 2 none")),
        }
    }
    if types.contains(IP) && types.len() > 1 {
        return Err(ApiError::invalid_request("an address goes with no user and no client id"));
    }
    Ok(())
}
