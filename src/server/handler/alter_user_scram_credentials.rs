//! AlterUserScramCredentials: lets users log in, and no more. What comes is a password that the client has salted
//! already.

use std::collections::BTreeMap;

use crate::config::ScramMechanism;
use crate::net::ErrorCode;
use crate::net::messages::alter_user_scram_credentials::{
    AlterUserScramCredentialsResult, ScramCredentialDeletion, ScramCredentialUpsertion,
};
use crate::net::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};
use crate::server::api_error::{ApiError, outcome};
use crate::server::broker::Broker;
use crate::server::duplicates::duplicates;
use crate::server::security::sasl::credentials::{ITERATIONS_MAX, ITERATIONS_MIN};
use crate::store::{ScramAlteration, ScramCredential, ScramUsers, USER_BYTES_MAX};

pub(in crate::server) fn answer(
    broker: &Broker,
    request: AlterUserScramCredentialsRequest,
    _: i16,
) -> AlterUserScramCredentialsResponse {
    let AlterUserScramCredentialsRequest { deletions, upsertions } = request;
    // Kafka takes a user once, whatever the mechanism; `kafka-configs` names one once for each.
    let deleted = deletions.iter().map(|one| (&*one.name, one.mechanism));
    let twice = duplicates(deleted.chain(upsertions.iter().map(|one| (&*one.name, one.mechanism))));
    let mut altered: BTreeMap<String, Result<(), ApiError>> = BTreeMap::new();
    for (user, _) in &twice {
        let error = ApiError::new(ErrorCode::DUPLICATE_RESOURCE, "a credential is named twice");
        altered.insert((*user).to_owned(), Err(error));
    }
    let users = broker.store.scram_users();
    let mut alterations: Vec<ScramAlteration> = Vec::new();
    let checked = deletions.iter().map(|one| (&one.name, delete(one, users.as_deref().ok())));
    for (user, checked) in checked.chain(upsertions.iter().map(|one| (&one.name, upsert(one)))) {
        let of_user = altered.entry(user.clone()).or_insert(Ok(()));
        // The first error is told.
        match checked {
            Ok(alteration) => alterations.push(alteration),
            Err(error) => *of_user = of_user.clone().and(Err(error)),
        }
    }
    // A user is altered as a whole or not at all.
    alterations.retain(|(user, ..)| altered.get(user).is_some_and(Result::is_ok));
    if let Err(error) = broker.store.alter_scram_credentials(alterations) {
        let error = ApiError::from(error);
        altered.values_mut().filter(|altered| altered.is_ok()).for_each(|altered| *altered = Err(error.clone()));
    }
    let results = altered.into_iter().map(|(user, altered)| {
        let (error_code, error_message) = outcome(altered);
        AlterUserScramCredentialsResult { user, error_code, error_message }
    });
    AlterUserScramCredentialsResponse { results: results.collect(), ..Default::default() }
}

fn delete(deletion: &ScramCredentialDeletion, users: Option<&ScramUsers>) -> Result<ScramAlteration, ApiError> {
    let mechanism = check(&deletion.name, deletion.mechanism)?;
    // Of users that can't be read it shows when they are altered.
    let is_there =
        users.is_none_or(|users| users.get(&deletion.name).is_some_and(|of_user| of_user.contains_key(&mechanism)));
    match is_there {
        true => Ok((deletion.name.clone(), mechanism, None)),
        false => {
            let message = "Attempt to delete a user credential that does not exist";
            Err(ApiError::new(ErrorCode::RESOURCE_NOT_FOUND, message))
        }
    }
}

fn upsert(upsertion: &ScramCredentialUpsertion) -> Result<ScramAlteration, ApiError> {
    let mechanism = check(&upsertion.name, upsertion.mechanism)?;
    let unacceptable = |message: String| Err(ApiError::new(ErrorCode::UNACCEPTABLE_CREDENTIAL, message));
    let iterations = u32::try_from(upsertion.iterations).unwrap_or(0);
    if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
        return unacceptable(format!("iterations are from {ITERATIONS_MIN} to {ITERATIONS_MAX}"));
    }
    let (salt, salted_password) = (&*upsertion.salt, &*upsertion.salted_password);
    if salt.is_empty() || salt.len() > USER_BYTES_MAX || salted_password.is_empty() {
        return unacceptable(format!("a salt has 1 to {USER_BYTES_MAX} bytes, and a password at least one"));
    }
    let credential = ScramCredential::from_salted_password(mechanism, salted_password, salt.to_vec(), iterations);
    Ok((upsertion.name.clone(), mechanism, Some(credential)))
}

fn check(user: &str, mechanism: i8) -> Result<ScramMechanism, ApiError> {
    if user.is_empty() || user.len() > USER_BYTES_MAX {
        let message = format!("a name has 1 to {USER_BYTES_MAX} bytes");
        return Err(ApiError::new(ErrorCode::UNACCEPTABLE_CREDENTIAL, message));
    }
    let unknown = || ApiError::new(ErrorCode::UNSUPPORTED_SASL_MECHANISM, "there is no such mechanism of SCRAM");
    ScramMechanism::from_id(mechanism).ok_or_else(unknown)
}
