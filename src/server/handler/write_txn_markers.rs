//! WriteTxnMarkers: how a transaction ends in single partitions. Among brokers a coordinator says so; here its markers
//! need no request, and it is an administrator who ends what nobody accounts for (`kafka-transactions --abort`).

use crate::error::Error;
use crate::log::MarkerEpoch;
use crate::net::ErrorCode;
use crate::net::messages::write_txn_markers::{
    WritableTxnMarker, WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopic,
    WritableTxnMarkerTopicResult,
};
use crate::net::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use crate::record::{EndTransactionMarker, TransactionResult};
use crate::server::broker::Broker;
use crate::types::{Acks, ProducerIdAndEpoch};

/// From this version of transactions on a marker has the epoch after that of the records (KIP-890).
const NEXT_EPOCH_VERSION: i8 = 2;

/// The markers are on the device then, each after a sync of its own: there are not to be too many.
pub(in crate::server) fn answer(broker: &Broker, request: WriteTxnMarkersRequest, _: i16) -> WriteTxnMarkersResponse {
    let topics = request.markers.iter().flat_map(|marker| &marker.topics);
    let checked = broker.check_partitions(topics.map(|topic| topic.partition_indexes.len()));
    let write = |marker: WritableTxnMarker| {
        let write = |topic: &WritableTxnMarkerTopic| {
            let write = |index: &i32| {
                let write = || Ok(broker.write_marker(&topic.name, *index, &marker)?);
                let error_code = checked.and_then(|()| write()).err().unwrap_or(ErrorCode::NONE);
                WritableTxnMarkerPartitionResult { partition_index: *index, error_code }
            };
            let partitions = topic.partition_indexes.iter().map(write).collect();
            WritableTxnMarkerTopicResult { name: topic.name.clone(), partitions }
        };
        let topics = marker.topics.iter().filter(|topic| !topic.partition_indexes.is_empty()).map(write).collect();
        WritableTxnMarkerResult { producer_id: marker.producer_id, topics }
    };
    let written = request.markers.into_iter().map(write).filter(|marker| !marker.topics.is_empty());
    WriteTxnMarkersResponse { markers: written.collect() }
}

impl Broker {
    fn write_marker(&self, topic: &str, partition: i32, marker: &WritableTxnMarker) -> Result<(), Error> {
        let result = if marker.transaction_result { TransactionResult::Commit } else { TransactionResult::Abort };
        let end = EndTransactionMarker { result, coordinator_epoch: marker.coordinator_epoch };
        let log = self.partition(topic, partition)?;
        let epoch = match marker.transaction_version {
            NEXT_EPOCH_VERSION.. => MarkerEpoch::AfterRecords,
            _ => MarkerEpoch::OfRecords,
        };
        let producer = ProducerIdAndEpoch::new(marker.producer_id, marker.producer_epoch);
        log.append_marker(producer, epoch, end, Acks::All)?;
        Ok(())
    }
}
