//! DeleteTopics: by name, or from version 6 on by id.

use crate::net::ErrorCode;
use crate::net::messages::delete_topics::{DeletableTopicResult, DeleteTopicState};
use crate::net::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use crate::server::api_error::{ApiError, outcome};
use crate::server::broker::Broker;
use crate::server::duplicates::duplicates;
use crate::uuid::Uuid;

pub(in crate::server) fn answer(broker: &Broker, request: DeleteTopicsRequest, _: i16) -> DeleteTopicsResponse {
    let by_name = |name| DeleteTopicState { name: Some(name), ..Default::default() };
    let topics: Vec<_> = request.topic_names.into_iter().map(by_name).chain(request.topics).collect();
    let twice = duplicates(topics.iter().map(|topic| (topic.name.as_deref(), topic.topic_id)));
    let responses = topics.iter().map(|topic| {
        let (name, topic_id) = (topic.name.clone(), topic.topic_id);
        let mut response = DeletableTopicResult { name, topic_id, ..Default::default() };
        let deleted = match twice.contains(&(topic.name.as_deref(), topic.topic_id)) {
            true => Err(ApiError::invalid_request("the topic is named twice")),
            false => broker.delete(&mut response),
        };
        (response.error_code, response.error_message) = outcome(deleted);
        response
    });
    DeleteTopicsResponse { responses: responses.collect(), ..Default::default() }
}

impl Broker {
    /// Deletes the topic that has this name or this id, and says the other one too.
    fn delete(&self, topic: &mut DeletableTopicResult) -> Result<(), ApiError> {
        let nil = Uuid::default();
        match &topic.name {
            Some(_) if topic.topic_id != nil => {
                return Err(ApiError::invalid_request("a topic is named by its name or by its id, not by both"));
            }
            Some(name) => {
                let unknown = || ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("unknown topic {name}"));
                topic.topic_id = self.store.topic_id(name).ok_or_else(unknown)?;
            }
            None if topic.topic_id == nil => {
                return Err(ApiError::invalid_request("which topic? There is neither a name nor an id"));
            }
            None => topic.name = self.store.topic_name(topic.topic_id).map(|name| name.to_string()),
        }
        let unknown = || ApiError::new(ErrorCode::UNKNOWN_TOPIC_ID, "no topic has this id");
        let name = topic.name.as_ref().ok_or_else(unknown)?;
        Ok(self.store.delete_topic_with_id(name, topic.topic_id)?)
    }
}
