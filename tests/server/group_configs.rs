//! Configs of groups, and the list of all that has configs, as clients see them.

use esker::net::messages::list_config_resources::ConfigResource;
use esker::net::messages::{
    AlterConfigsRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ListConfigResourcesRequest,
    ListConfigResourcesResponse,
};
use esker::net::{Connection, ErrorCode};
use esker::{AlterConfigOp, ConfigSource};

use super::configs::{
    BROKER, BROKER_LOGGER, CLIENT_METRICS, DELETE, GROUP, SET, TOPIC, alter, describe, replacement, resource,
};
use super::{connections, serve};

const ASSIGNMENT: &str = "consumer.assignment.interval.ms";
const SESSION: &str = "consumer.session.timeout.ms";
const HEARTBEAT: &str = "consumer.heartbeat.interval.ms";

async fn heartbeat(connection: &Connection, member_epoch: i32) -> ConsumerGroupHeartbeatResponse {
    let joins = member_epoch == 0;
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "a".into(),
        member_epoch,
        rebalance_timeout_ms: if joins { 60_000 } else { -1 },
        subscribed_topic_names: joins.then(|| vec!["t".into()]),
        topic_partitions: joins.then(Vec::new),
        ..Default::default()
    };
    connection.send(&request, 1).await.unwrap()
}

#[tokio::test]
async fn configs_of_a_group_are_told_and_altered_in_every_version_and_members_go_by_them() {
    let (store, server) = serve().await;
    let mut epoch = 0;
    for connection in connections(&server).await {
        for version in 1..=4 {
            let configs = describe(&connection, resource(GROUP, "g", None), version).await.unwrap();
            assert!(configs.keys().eq([ASSIGNMENT, HEARTBEAT, SESSION]));
            let interval = &configs[HEARTBEAT];
            assert_eq!((interval.value.as_deref(), interval.config_source), (Some("5000"), 5));
            assert!(!interval.read_only && !interval.is_sensitive);

            let alter_version = i16::from(version > 2);
            let set = [(HEARTBEAT, SET, Some("6000"))];
            assert_eq!(alter(&connection, (GROUP, "g"), &set, alter_version).await, (ErrorCode::NONE, None));
            let heard = heartbeat(&connection, epoch).await;
            assert_eq!((heard.error_code, heard.heartbeat_interval_ms), (ErrorCode::NONE, 6000));
            epoch = heard.member_epoch;
            let wanted = resource(GROUP, "g", Some(&[HEARTBEAT]));
            let configs = describe(&connection, wanted, version).await.unwrap();
            let interval = &configs[HEARTBEAT];
            assert_eq!((configs.len(), interval.value.as_deref(), interval.config_source), (1, Some("6000"), 8));
            let synonyms: Vec<_> = interval.synonyms.iter().map(|one| (&*one.name, one.source)).collect();
            assert_eq!(synonyms, [(HEARTBEAT, 8), ("group.consumer.heartbeat.interval.ms", 5)]);

            // By the older request, which takes back what it does not name.
            let resources = vec![replacement(GROUP, "g", &[(SESSION, Some("50000"))])];
            let request = AlterConfigsRequest { resources, validate_only: false };
            let replaced = connection.send(&request, version.min(2)).await.unwrap().responses;
            assert_eq!(replaced[0].error_code, ErrorCode::NONE);
            assert_eq!(heartbeat(&connection, epoch).await.heartbeat_interval_ms, 5000);
            let configs = store.describe_group_configs("g").unwrap();
            let set = configs.iter().filter(|config| config.source == ConfigSource::DynamicGroupConfig);
            assert_eq!(set.map(|config| (config.name, &*config.value)).collect::<Vec<_>>(), [(SESSION, "50000")]);
            let undo = [(SESSION, DELETE, None)];
            assert_eq!(alter(&connection, (GROUP, "g"), &undo, alter_version).await.0, ErrorCode::NONE);
        }
    }
}

#[tokio::test]
async fn what_a_group_can_not_have_is_refused() {
    let (store, server) = serve().await;
    let connection = server.connect();
    for (config, value, expected) in [
        (SESSION, Some("44999"), ErrorCode::INVALID_CONFIG),
        (HEARTBEAT, Some("15001"), ErrorCode::INVALID_CONFIG),
        (SESSION, Some("soon"), ErrorCode::INVALID_CONFIG),
        (SESSION, None, ErrorCode::INVALID_REQUEST),
        (ASSIGNMENT, Some("15001"), ErrorCode::INVALID_CONFIG),
        ("consumer.assignor.offload.enable", Some("true"), ErrorCode::INVALID_CONFIG),
        ("share.record.lock.duration.ms", Some("30000"), ErrorCode::INVALID_CONFIG),
        ("streams.heartbeat.interval.ms", Some("5000"), ErrorCode::INVALID_CONFIG),
        ("no.such.config", Some("1"), ErrorCode::INVALID_CONFIG),
    ] {
        let (code, message) = alter(&connection, (GROUP, "g"), &[(config, SET, value)], 1).await;
        assert_eq!(code, expected, "{config} {value:?}");
        assert!(message.is_some_and(|message| message.contains(config)));
    }
    // Nobody has set it, so there is nothing to take back.
    for config in ["no.such.config", "share.record.lock.duration.ms"] {
        assert_eq!(alter(&connection, (GROUP, "g"), &[(config, DELETE, None)], 1).await, (ErrorCode::NONE, None));
    }
    let (code, _) = alter(&connection, (GROUP, ""), &[(SESSION, SET, Some("50000"))], 1).await;
    assert_eq!(code, ErrorCode::INVALID_REQUEST, "the defaults of all are configs of the broker");
    for (value, expected) in [("50000", ErrorCode::NONE), ("1", ErrorCode::INVALID_CONFIG)] {
        let resources = vec![replacement(GROUP, "g", &[(SESSION, Some(value))])];
        let request = AlterConfigsRequest { resources, validate_only: true };
        assert_eq!(connection.send(&request, 2).await.unwrap().responses[0].error_code, expected);
    }
    assert_eq!(store.configured_groups().unwrap(), [] as [&str; 0]);
}

#[tokio::test]
async fn all_that_has_configs_is_listed_by_its_type() {
    let (store, server) = serve().await;
    store.alter_group_configs("g", &[AlterConfigOp::set(SESSION, "50000")]).unwrap();
    let node = store.node_id().to_string();
    let list = async |resource_types: &[i8], version| -> ListConfigResourcesResponse {
        let request = ListConfigResourcesRequest { resource_types: resource_types.to_vec() };
        server.connect().send(&request, version).await.unwrap()
    };
    for (types, expected) in [
        (&[GROUP][..], vec![("g", GROUP)]),
        (&[TOPIC, GROUP], vec![("t", TOPIC), ("g", GROUP)]),
        (&[CLIENT_METRICS], vec![]),
        (&[], vec![("t", TOPIC), (&*node, BROKER), (&*node, BROKER_LOGGER), ("g", GROUP)]),
    ] {
        let listed = list(types, 1).await;
        let found = |one: &ConfigResource| (one.resource_name.clone(), one.resource_type);
        let expected: Vec<_> = expected.into_iter().map(|(name, of)| (name.to_owned(), of)).collect();
        let listed = (listed.error_code, listed.config_resources.iter().map(found).collect::<Vec<_>>());
        assert_eq!(listed, (ErrorCode::NONE, expected), "{types:?}");
    }
    assert_eq!(list(&[TOPIC, 99], 1).await.error_code, ErrorCode::UNSUPPORTED_VERSION);
    // Version 0 knows client metrics alone, of which there are none.
    assert_eq!(list(&[], 0).await, ListConfigResourcesResponse::default());
}
