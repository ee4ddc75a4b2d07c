//! DescribeUserScramCredentials: who can log in, and how, without anything secret.

use std::collections::BTreeMap;

use crate::config::ScramMechanism;
use crate::net::ErrorCode;
use crate::net::messages::describe_user_scram_credentials::{CredentialInfo, DescribeUserScramCredentialsResult};
use crate::net::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};
use crate::server::api_error::{ApiError, outcome};
use crate::server::broker::Broker;
use crate::server::duplicates::duplicates;
use crate::store::ScramCredential;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: DescribeUserScramCredentialsRequest,
    _: i16,
) -> DescribeUserScramCredentialsResponse {
    let users = match broker.store.scram_users() {
        Ok(users) => users,
        Err(error) => {
            let (error_code, error_message) = outcome::<()>(Err(error.into()));
            return DescribeUserScramCredentialsResponse { error_code, error_message, ..Default::default() };
        }
    };
    let asked = request.users.unwrap_or_default();
    let asked: Vec<&str> = asked.iter().map(|user| &*user.name).collect();
    let twice = duplicates(asked.iter().copied());
    let wanted = if asked.is_empty() { users.keys().map(String::as_str).collect() } else { asked };
    let mut results = BTreeMap::new();
    for user in wanted {
        let found = match twice.contains(user) {
            true => Err(ApiError::new(
                ErrorCode::DUPLICATE_RESOURCE,
                format!("Cannot describe SCRAM credentials for the same user twice in a single request: {user}"),
            )),
            false => users.get(user).ok_or_else(|| {
                let message = format!("Attempt to describe a user credential that does not exist: {user}");
                ApiError::new(ErrorCode::RESOURCE_NOT_FOUND, message)
            }),
        };
        results.entry(user).or_insert_with(|| describe(user, found));
    }
    DescribeUserScramCredentialsResponse { results: results.into_values().collect(), ..Default::default() }
}

fn describe(
    user: &str,
    found: Result<&BTreeMap<ScramMechanism, ScramCredential>, ApiError>,
) -> DescribeUserScramCredentialsResult {
    let info = |(mechanism, credential): (&ScramMechanism, &ScramCredential)| CredentialInfo {
        mechanism: mechanism.id(),
        iterations: credential.iterations().cast_signed(),
    };
    let credential_infos = found.as_ref().map(|credentials| credentials.iter().map(info).collect()).unwrap_or_default();
    let (error_code, error_message) = outcome(found);
    DescribeUserScramCredentialsResult { user: user.to_owned(), error_code, error_message, credential_infos }
}
