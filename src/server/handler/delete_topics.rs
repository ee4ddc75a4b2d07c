//! DeleteTopics: by name, or from version 6 on by id.

use crate::net::ErrorCode;
use crate::net::messages::delete_topics::{DeletableTopicResult, DeleteTopicState};
use crate::net::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use crate::server::api_error::{ApiError, UNKNOWN_PARTITION, outcome};
use crate::server::broker::Broker;
use crate::server::duplicates::merge;
use crate::uuid::Uuid;

/// From this version on clients know that topics may be there to stay.
const DISABLED_VERSION: i16 = 3;

pub(in crate::server) fn answer(broker: &Broker, request: DeleteTopicsRequest, version: i16) -> DeleteTopicsResponse {
    let by_name = |name| DeleteTopicState { name: Some(name), ..Default::default() };
    let topics = request.topic_names.into_iter().map(by_name).chain(request.topics);
    // Whichever way it is named.
    let meant = |DeleteTopicState { name, topic_id }: &DeleteTopicState| match (name, *topic_id) {
        (Some(name), Uuid::ZERO) => {
            broker.store.topic_id(name).map_or_else(|| (Some(name.clone()), Uuid::ZERO), |id| (None, id))
        }
        (name, id) => (name.clone(), id),
    };
    let mut topics: Vec<_> = topics.map(|topic| (meant(&topic), topic)).collect();
    let twice = merge(&mut topics, |(meant, _)| meant.clone());
    let responses = topics.into_iter().map(|(meant, DeleteTopicState { name, topic_id })| {
        let mut response = DeletableTopicResult { name, topic_id, ..Default::default() };
        let deleted = if !broker.config.delete_topic_enable {
            Err(disabled(version))
        } else {
            check(&response, twice.contains(&meant)).and_then(|()| broker.delete(&mut response))
        };
        (response.error_code, response.error_message) = outcome(deleted);
        response
    });
    DeleteTopicsResponse { responses: responses.collect(), ..Default::default() }
}

fn disabled(version: i16) -> ApiError {
    let code = if version < DISABLED_VERSION { ErrorCode::INVALID_REQUEST } else { ErrorCode::TOPIC_DELETION_DISABLED };
    ApiError::new(code, "topics are not deleted here (delete.topic.enable)")
}

/// Refuses a topic that is not named in one way, and once.
fn check(topic: &DeletableTopicResult, is_there_twice: bool) -> Result<(), ApiError> {
    let message = match (topic.name.is_some(), topic.topic_id != Uuid::ZERO) {
        (true, true) => "You may not specify both topic name and topic id.",
        (false, false) => "Neither topic name nor id were specified.",
        (true, false) if is_there_twice => "Duplicate topic name.",
        (false, true) if is_there_twice => "Duplicate topic id.",
        _ => return Ok(()),
    };
    Err(ApiError::invalid_request(message))
}

impl Broker {
    /// Deletes the topic that has this name or this id, and says the other one too.
    fn delete(&self, topic: &mut DeletableTopicResult) -> Result<(), ApiError> {
        match &topic.name {
            Some(name) => {
                let unknown = || ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_PARTITION);
                topic.topic_id = self.store.topic_id(name).ok_or_else(unknown)?;
            }
            None => topic.name = self.store.topic_name(topic.topic_id).map(|name| name.to_string()),
        }
        let unknown = || ApiError::new(ErrorCode::UNKNOWN_TOPIC_ID, "This server does not host this topic ID.");
        let name = topic.name.as_ref().ok_or_else(unknown)?;
        Ok(self.store.delete_topic_with_id(name, topic.topic_id)?)
    }
}
