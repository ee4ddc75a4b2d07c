//! Who looks after what, and who a producer is.

use std::collections::HashSet;

use esker::net::ErrorCode;
use esker::net::messages::{FindCoordinatorRequest, InitProducerIdRequest};

use super::{connections, serve};

#[tokio::test]
async fn this_node_coordinates_every_group_and_transactional_id() {
    let (store, server) = serve().await;
    let port = i32::from(server.local_addr().unwrap().port());
    for connection in connections(&server).await {
        for version in 0..=6 {
            for key_type in if version == 0 { vec![0] } else { vec![0, 1] } {
                let request = match version {
                    0..=3 => FindCoordinatorRequest { key: "g".into(), key_type, ..Default::default() },
                    _ => FindCoordinatorRequest {
                        coordinator_keys: vec!["g".into(), "h".into()],
                        key_type,
                        ..Default::default()
                    },
                };
                let response = connection.send(&request, version).await.unwrap();
                let told = match version {
                    0..=3 => response.error_message.clone(),
                    _ => response.coordinators[0].error_message.clone(),
                };
                let expected = [None, Some("NONE"), Some("")][usize::from(version > 0) + usize::from(version > 3)];
                assert_eq!(told.as_deref(), expected, "as Kafka says it in version {version}");
                let found = match version {
                    0..=3 => vec![(response.error_code, response.node_id, response.host, response.port)],
                    _ => {
                        let keys: Vec<_> = response.coordinators.iter().map(|found| &*found.key).collect();
                        assert_eq!(keys, ["g", "h"]);
                        let found = response.coordinators.into_iter();
                        found.map(|found| (found.error_code, found.node_id, found.host, found.port)).collect()
                    }
                };
                for coordinator in found {
                    assert_eq!(coordinator, (ErrorCode::NONE, store.node_id(), "127.0.0.1".to_owned(), port));
                }
            }
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn nobody_coordinates_share_groups() {
    let (_store, server) = serve().await;
    let connection = server.connect();
    let request = FindCoordinatorRequest { key: "g".into(), key_type: 2, ..Default::default() };
    let response = connection.send(&request, 3).await.unwrap();
    assert_eq!((response.error_code, response.node_id), (ErrorCode::INVALID_REQUEST, -1));
    for key_type in [2, 3, -1] {
        let request = FindCoordinatorRequest { coordinator_keys: vec!["g:a:0".into()], key_type, ..Default::default() };
        let response = connection.send(&request, 6).await.unwrap();
        let refused = &response.coordinators[0];
        assert_eq!((&*refused.key, refused.error_code, refused.node_id), ("g:a:0", ErrorCode::INVALID_REQUEST, -1));
        assert!(refused.error_message.is_some());
    }
}

#[tokio::test]
async fn every_idempotent_producer_is_somebody_else() {
    let (_store, server) = serve().await;
    let mut ids = HashSet::new();
    for connection in connections(&server).await {
        for version in 0..=5 {
            let response = connection.send(&InitProducerIdRequest::default(), version).await.unwrap();
            assert_eq!((response.error_code, response.producer_epoch), (ErrorCode::NONE, 0));
            assert!(response.producer_id >= 0 && ids.insert(response.producer_id));
        }
        // One that goes on after an error is somebody new (KIP-360), if it says who it was and not half of it.
        let again = InitProducerIdRequest { producer_id: 7, producer_epoch: 3, ..Default::default() };
        let response = connection.send(&again, 3).await.unwrap();
        assert_eq!((response.error_code, response.producer_epoch), (ErrorCode::NONE, 0));
        assert!(ids.insert(response.producer_id));
        for (producer_id, producer_epoch) in [(7, -1), (-1, 3)] {
            let half = InitProducerIdRequest { producer_id, producer_epoch, ..Default::default() };
            let response = connection.send(&half, 5).await.unwrap();
            assert_eq!((response.error_code, response.producer_id), (ErrorCode::INVALID_REQUEST, -1));
        }
    }
}
