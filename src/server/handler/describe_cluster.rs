//! DescribeCluster: this node is all of it.

use crate::net::ErrorCode;
use crate::net::messages::describe_cluster::DescribeClusterBroker;
use crate::net::messages::{DescribeClusterRequest, DescribeClusterResponse};
use crate::server::broker::Broker;
use crate::server::operations;

/// The endpoints that are asked for: of brokers, or of controllers, which there are none of to speak to.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(in crate::server) fn answer(broker: &Broker, request: DescribeClusterRequest, _: i16) -> DescribeClusterResponse {
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            let message =
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";
            return refuse(ErrorCode::MISMATCHED_ENDPOINT_TYPE, message.to_owned());
        }
        other => {
            return refuse(ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, format!("Unsupported endpoint type {other}"));
        }
    }
    let node_id = broker.store.node_id();
    let this = DescribeClusterBroker {
        broker_id: node_id,
        host: broker.host.clone(),
        port: broker.port.into(),
        rack: broker.rack(),
        ..Default::default()
    };
    DescribeClusterResponse {
        cluster_id: broker.store.cluster_id().to_owned(),
        controller_id: node_id,
        brokers: vec![this],
        cluster_authorized_operations: operations::told_of_cluster(request.include_cluster_authorized_operations),
        ..Default::default()
    }
}

fn refuse(error_code: ErrorCode, message: String) -> DescribeClusterResponse {
    DescribeClusterResponse { error_code, error_message: Some(message), ..Default::default() }
}
