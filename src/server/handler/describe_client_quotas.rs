//! DescribeClientQuotas: there are none. What asks too much is refused or waits, whoever it comes from.

use std::collections::HashSet;

use crate::net::ErrorCode;
use crate::net::messages::describe_client_quotas::ComponentData;
use crate::net::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};
use crate::server::api_error::ApiError;
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
    match check(&request.components) {
        // Where Kafka has nothing to say it says that, and not null.
        Ok(()) => DescribeClientQuotasResponse {
            error_message: Some(String::new()),
            entries: Some(Vec::new()),
            ..Default::default()
        },
        Err(ApiError { code: error_code, message: error_message }) => {
            DescribeClientQuotasResponse { error_code, error_message, entries: None, ..Default::default() }
        }
    }
}

/// Refuses what could mean nothing, as Kafka does.
fn check(components: &[ComponentData]) -> Result<(), ApiError> {
    let mut types = HashSet::new();
    for ComponentData { entity_type, match_type, r#match } in components {
        let entity_type = entity_type.as_str();
        if entity_type.is_empty() {
            return Err(ApiError::invalid_request("Invalid empty entity type."));
        }
        if ![USER, CLIENT_ID, IP].contains(&entity_type) {
            let message = format!("Unsupported entity type {entity_type}");
            return Err(ApiError::new(ErrorCode::UNSUPPORTED_VERSION, message));
        }
        if !types.insert(entity_type) {
            let message = format!("Entity type {entity_type} cannot appear more than once in the filter.");
            return Err(ApiError::invalid_request(message));
        }
        let message = match (*match_type, r#match) {
            (EXACT, Some(_)) | (DEFAULT | ANY, None) => continue,
            (EXACT, None) => "Request specified MATCH_TYPE_EXACT, but set match string to null.",
            (DEFAULT, _) => "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.",
            (ANY, _) => "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.",
            (other, _) => &*format!("Unknown match type {other}"),
        };
        return Err(ApiError::invalid_request(message));
    }
    if types.contains(IP) && types.len() > 1 {
        return Err(ApiError::invalid_request(
            "Invalid entity filter component combination. IP filter component should not be used with user or clientId \
             filter component.",
        ));
    }
    Ok(())
}
