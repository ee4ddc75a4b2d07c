// Everything that Kafka knows about a log, from its offsets to each record.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;

import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.server.storage.log.FetchIsolation;
import org.apache.kafka.storage.internals.log.AbortedTxn;
import org.apache.kafka.storage.internals.log.BatchMetadata;
import org.apache.kafka.storage.internals.log.EpochEntry;
import org.apache.kafka.storage.internals.log.FetchDataInfo;
import org.apache.kafka.storage.internals.log.LogSegment;
import org.apache.kafka.storage.internals.log.OffsetIndex;
import org.apache.kafka.storage.internals.log.ProducerStateEntry;
import org.apache.kafka.storage.internals.log.TimeIndex;
import org.apache.kafka.storage.internals.log.UnifiedLog;

class Description {
    /** All epochs of the tests are below. */
    private static final int EPOCHS = 30;

    static JsonNode of(UnifiedLog log, JsonNode timestamps) throws IOException {
        ObjectNode description = Kafka.JSON.createObjectNode()
            .put("log_start", log.logStartOffset())
            .put("high_watermark", log.highWatermark())
            .put("last_stable_offset", log.lastStableOffset())
            .put("log_end", log.logEndOffset())
            .put("recovery_point", log.recoveryPoint())
            .put("topic_id", log.topicId().map(Object::toString).orElse(null));
        ArrayNode segments = description.putArray("segments");
        for (LogSegment segment : log.logSegments()) {
            segments.add(segment(segment));
        }
        ArrayNode epochs = description.putArray("leader_epochs");
        for (EpochEntry entry : log.leaderEpochCache().epochEntries()) {
            epochs.addObject().put("epoch", entry.epoch()).put("start_offset", entry.startOffset());
        }
        ArrayNode ends = description.putArray("end_offsets_for_epochs");
        for (int epoch = 0; epoch < EPOCHS; epoch++) {
            log.endOffsetForEpoch(epoch).ifPresentOrElse(
                end -> ends.addArray().add(end.epoch()).add(end.offset()), ends::addNull);
        }
        ArrayNode producers = description.putArray("producers");
        new TreeMap<>(log.producerStateManager().activeProducers()).values()
            .forEach(entry -> producers.add(producer(entry)));
        ArrayNode batches = description.putArray("batches");
        long offset = log.logStartOffset();
        while (offset < log.logEndOffset()) {
            FetchDataInfo fetched = log.read(offset, 1 << 20, FetchIsolation.LOG_END, true);
            long before = offset;
            for (RecordBatch batch : fetched.records.batches()) {
                batch.ensureValid();
                batches.add(batch(batch));
                offset = batch.nextOffset();
            }
            if (offset == before) {
                break; // Nothing is left between the offset and the end.
            }
        }
        ArrayNode aborted = description.putArray("aborted_transactions");
        for (AbortedTxn txn : log.collectAbortedTransactions(log.logStartOffset(), log.lastStableOffset())) {
            aborted.add(aborted(txn));
        }
        ArrayNode lookups = description.putArray("offsets_for_timestamps");
        for (JsonNode timestamp : timestamps) {
            Optional<FileRecords.TimestampAndOffset> found =
                log.fetchOffsetByTimestamp(timestamp.asLong(), Optional.empty()).timestampAndOffsetOpt();
            if (found.isPresent()) {
                lookups.addObject().put("offset", found.get().offset).put("timestamp", found.get().timestamp);
            } else {
                lookups.addNull();
            }
        }
        return description;
    }

    private static ObjectNode segment(LogSegment segment) throws IOException {
        ObjectNode node = Kafka.JSON.createObjectNode()
            .put("base_offset", segment.baseOffset())
            .put("size", segment.size());
        ArrayNode offsets = node.putArray("offset_index");
        OffsetIndex offsetIndex = segment.offsetIndex();
        for (int i = 0; i < offsetIndex.entries(); i++) {
            offsets.addArray().add(offsetIndex.entry(i).offset()).add(offsetIndex.entry(i).position());
        }
        ArrayNode times = node.putArray("time_index");
        TimeIndex timeIndex = segment.timeIndex();
        for (int i = 0; i < timeIndex.entries(); i++) {
            times.addArray().add(timeIndex.entry(i).timestamp()).add(timeIndex.entry(i).offset());
        }
        ArrayNode transactions = node.putArray("transaction_index");
        for (AbortedTxn txn : segment.txnIndex().allAbortedTxns()) {
            transactions.add(aborted(txn));
        }
        return node;
    }

    private static ObjectNode aborted(AbortedTxn txn) {
        return Kafka.JSON.createObjectNode()
            .put("producer_id", txn.producerId())
            .put("first_offset", txn.firstOffset())
            .put("last_offset", txn.lastOffset())
            .put("last_stable_offset", txn.lastStableOffset());
    }

    static ObjectNode producer(ProducerStateEntry entry) {
        ObjectNode node = Kafka.JSON.createObjectNode()
            .put("producer_id", entry.producerId())
            .put("producer_epoch", entry.producerEpoch())
            .put("coordinator_epoch", entry.coordinatorEpoch())
            .put("last_timestamp", entry.lastTimestamp());
        entry.currentTxnFirstOffset().ifPresentOrElse(
            first -> node.put("current_transaction_first_offset", first),
            () -> node.putNull("current_transaction_first_offset"));
        node.put("last_sequence", -1).put("last_offset", -1);
        for (BatchMetadata batch : entry.batchMetadata()) {
            node.put("last_sequence", batch.lastSeq()).put("last_offset", batch.lastOffset());
        }
        return node;
    }

    private static ObjectNode batch(RecordBatch batch) {
        ObjectNode node = Kafka.JSON.createObjectNode()
            .put("base_offset", batch.baseOffset())
            .put("last_offset", batch.lastOffset())
            .put("size", batch.sizeInBytes())
            .put("leader_epoch", batch.partitionLeaderEpoch())
            .put("crc", batch.checksum())
            .put("codec", batch.compressionType().name)
            .put("log_append_time", batch.timestampType() == TimestampType.LOG_APPEND_TIME)
            .put("max_timestamp", batch.maxTimestamp())
            .put("producer_id", batch.producerId())
            .put("producer_epoch", batch.producerEpoch())
            .put("base_sequence", batch.baseSequence())
            .put("is_transactional", batch.isTransactional())
            .put("is_control", batch.isControlBatch());
        batch.deleteHorizonMs().ifPresentOrElse(
            horizon -> node.put("delete_horizon_ms", horizon), () -> node.putNull("delete_horizon_ms"));
        ArrayNode records = node.putArray("records");
        for (Record record : batch) {
            ObjectNode line = records.addObject().put("offset", record.offset()).put("timestamp", record.timestamp());
            line.put("key", text(record.key()));
            line.put("value", text(record.value()));
            ArrayNode headers = line.putArray("headers");
            for (Header header : record.headers()) {
                headers.addArray().add(header.key()).add(header.value() == null ? null
                    : HexFormat.of().formatHex(header.value()));
            }
        }
        return node;
    }

    private static String text(ByteBuffer bytes) {
        return bytes == null ? null : HexFormat.of().formatHex(Utils.toArray(bytes));
    }
}
