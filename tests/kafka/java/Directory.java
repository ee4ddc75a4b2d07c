// A data directory, opened as a broker opens it, and what can be done to its partitions.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Properties;

import kafka.log.LogManager;

import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordHelpers;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.OffsetAndMetadata;
import org.apache.kafka.metadata.ConfigRepository;
import org.apache.kafka.metadata.properties.MetaProperties;
import org.apache.kafka.server.common.RequestLocal;
import org.apache.kafka.server.common.TransactionVersion;
import org.apache.kafka.storage.internals.checkpoint.CleanShutdownFileHandler;
import org.apache.kafka.storage.internals.checkpoint.OffsetCheckpointFile;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.Cleaner;
import org.apache.kafka.storage.internals.log.CleanerConfig;
import org.apache.kafka.storage.internals.log.LogAppendInfo;
import org.apache.kafka.storage.internals.log.LogCleanerManager;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogStartOffsetIncrementReason;
import org.apache.kafka.storage.internals.log.LogToClean;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.SkimpyOffsetMap;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.log.VerificationGuard;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

import scala.jdk.javaapi.CollectionConverters;

class Directory {
    private static final int EXPIRATION_MS = 86_400_000;
    private static final int NEVER_MS = Integer.MAX_VALUE;

    private final File dir;
    private final ManualTime time;
    private final LogDirFailureChannel failures = new LogDirFailureChannel(1);
    private final BrokerTopicStats stats = new BrokerTopicStats();
    private final Map<String, Properties> configs = new HashMap<>();
    private final MetaProperties meta;
    private final LogManager manager;
    /** Where the high watermarks are, which the partition above a log keeps in Kafka. */
    private final OffsetCheckpointFile highWatermarks;
    private final boolean wasClean;

    Directory(String path, long nowMs, JsonNode topics) throws IOException {
        dir = new File(path);
        time = new ManualTime(nowMs);
        topics.properties().forEach(topic -> {
            Properties properties = new Properties();
            topic.getValue().properties().forEach(config -> properties.put(config.getKey(), config.getValue().asText()));
            configs.put(topic.getKey(), properties);
        });
        meta = MetaFile.load(dir);
        manager = new LogManager(
            CollectionConverters.asScala(List.of(dir)).toSeq(),
            CollectionConverters.asScala(List.<File>of()).toSeq(),
            new TopicConfigs(),
            new LogConfig(Map.of()),
            new CleanerConfig(false),
            1,
            NEVER_MS, NEVER_MS, NEVER_MS, NEVER_MS,
            EXPIRATION_MS,
            new ProducerStateManagerConfig(EXPIRATION_MS, false),
            NEVER_MS,
            new ImmediateScheduler(),
            stats,
            failures,
            time,
            false,
            0,
            LogManager.$lessinit$greater$default$20());
        wasClean = new CleanShutdownFileHandler(path).exists();
        scala.collection.Set<String> names = CollectionConverters.asScala(configs.keySet());
        manager.loadLogs(manager.currentDefaultConfig(),
            manager.fetchTopicConfigOverrides(manager.currentDefaultConfig(), names), log -> false);
        if (failures.hasOfflineLogDir(dir.getAbsolutePath())) {
            throw new IOException("Kafka took the directory offline");
        }
        highWatermarks = new OffsetCheckpointFile(new File(dir, "replication-offset-checkpoint"), failures);
        Map<TopicPartition, Long> checkpointed = highWatermarks.read();
        for (UnifiedLog log : logs()) {
            log.updateHighWatermark(checkpointed.getOrDefault(log.topicPartition(), 0L));
            // A lone leader advances it as soon as it leads.
            log.updateHighWatermark(log.logEndOffset());
        }
    }

    private class TopicConfigs implements ConfigRepository {
        @Override
        public Properties config(ConfigResource resource) {
            return configs.getOrDefault(resource.name(), new Properties());
        }
    }

    private List<UnifiedLog> logs() {
        return new ArrayList<>(CollectionConverters.asJavaCollection(manager.allLogs()));
    }

    /** What a broker sees of the directory when it opens it. */
    JsonNode describe() {
        ObjectNode description = Kafka.JSON.createObjectNode()
            .put("cluster_id", meta.clusterId().get())
            .put("node_id", meta.nodeId().getAsInt())
            .put("directory_id", meta.directoryId().get().toString())
            .put("was_clean", wasClean);
        ArrayNode partitions = description.putArray("partitions");
        logs().stream().map(log -> log.topicPartition().toString()).sorted().forEach(partitions::add);
        return description;
    }

    UnifiedLog log(JsonNode request) {
        return manager.getLog(partition(request), false).get();
    }

    private static TopicPartition partition(JsonNode request) {
        return new TopicPartition(request.get("topic").asText(), request.get("partition").asInt());
    }

    /** Creates a partition unless it is there. */
    JsonNode create(JsonNode request) {
        if (manager.getLog(partition(request), false).isEmpty()) {
            Uuid id = Uuid.fromString(request.get("topic_id").asText());
            manager.getOrCreateLog(partition(request), true, false, Optional.of(id), scala.Option.empty());
        }
        return null;
    }

    JsonNode setTime(long nowMs) {
        time.nowMs = nowMs;
        return null;
    }

    JsonNode append(JsonNode request) throws IOException {
        MemoryRecords records = request.has("batch")
            ? MemoryRecords.readableRecords(ByteBuffer.wrap(bytes(request.get("batch"))))
            : build(request);
        return append(log(request), records, AppendOrigin.CLIENT);
    }

    private JsonNode append(UnifiedLog log, MemoryRecords records, AppendOrigin origin) throws IOException {
        int epoch = log.latestEpoch().orElse(0);
        LogAppendInfo appended = log.appendAsLeader(records, epoch, origin, RequestLocal.noCaching(),
            VerificationGuard.SENTINEL, TransactionVersion.TV_1.featureLevel());
        log.updateHighWatermark(log.logEndOffset());
        return Kafka.JSON.createObjectNode()
            .put("base_offset", appended.firstOffset())
            .put("last_offset", appended.lastOffset());
    }

    /** Appends batches as they are, offsets and epochs included. */
    JsonNode appendAsFollower(JsonNode request) throws IOException {
        UnifiedLog log = log(request);
        MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes(request.get("batch"))));
        log.appendAsFollower(records, Integer.MAX_VALUE);
        log.updateHighWatermark(log.logEndOffset());
        return null;
    }

    private static MemoryRecords build(JsonNode request) {
        Compression codec = Compression.of(CompressionType.forName(request.get("codec").asText())).build();
        JsonNode producer = request.get("producer");
        boolean none = producer == null || producer.isNull();
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 16), RecordBatch.MAGIC_VALUE_V2, codec,
            TimestampType.CREATE_TIME, 0, RecordBatch.NO_TIMESTAMP,
            none ? RecordBatch.NO_PRODUCER_ID : producer.get("id").asLong(),
            none ? RecordBatch.NO_PRODUCER_EPOCH : (short) producer.get("epoch").asInt(),
            none ? RecordBatch.NO_SEQUENCE : producer.get("sequence").asInt(),
            !none && producer.get("transactional").asBoolean(), RecordBatch.NO_PARTITION_LEADER_EPOCH);
        for (JsonNode record : request.get("records")) {
            List<Header> headers = new ArrayList<>();
            record.get("headers").forEach(header ->
                headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1)))));
            builder.append(new SimpleRecord(record.get("timestamp").asLong(), bytes(record.get("key")),
                bytes(record.get("value")), headers.toArray(Header[]::new)));
        }
        return builder.build();
    }

    static byte[] bytes(JsonNode text) {
        return text.isNull() ? null : HexFormat.of().parseHex(text.asText());
    }

    JsonNode endTransaction(JsonNode request) throws IOException {
        ControlRecordType type = request.get("commit").asBoolean() ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
        EndTransactionMarker marker = new EndTransactionMarker(type, request.get("coordinator_epoch").asInt());
        MemoryRecords records = MemoryRecords.withEndTransactionMarker(time.milliseconds(),
            request.get("producer_id").asLong(), (short) request.get("producer_epoch").asInt(), marker);
        return append(log(request), records, AppendOrigin.COORDINATOR);
    }

    JsonNode commitOffset(JsonNode request) throws IOException {
        JsonNode epoch = request.get("leader_epoch");
        OffsetAndMetadata committed = new OffsetAndMetadata(request.get("offset").asLong(),
            epoch.isNull() ? OptionalInt.empty() : OptionalInt.of(epoch.asInt()), request.get("metadata").asText(),
            time.milliseconds(), OptionalLong.empty(), Uuid.ZERO_UUID);
        CoordinatorRecord record = GroupCoordinatorRecordHelpers.newOffsetCommitRecord(request.get("group").asText(),
            request.get("of_topic").asText(), request.get("of_partition").asInt(), committed);
        GroupCoordinatorRecordSerde serde = new GroupCoordinatorRecordSerde();
        MemoryRecords records = MemoryRecords.withRecords(Compression.NONE,
            new SimpleRecord(time.milliseconds(), serde.serializeKey(record), serde.serializeValue(record)));
        return append(log(request), records, AppendOrigin.COORDINATOR);
    }

    JsonNode setLeaderEpoch(JsonNode request) {
        UnifiedLog log = log(request);
        log.assignEpochStartOffset(request.get("epoch").asInt(), log.logEndOffset());
        return null;
    }

    JsonNode roll(JsonNode request) throws IOException {
        log(request).roll();
        return null;
    }

    JsonNode flush(JsonNode request) {
        log(request).flush(true);
        return null;
    }

    JsonNode deleteRecords(JsonNode request) {
        log(request).maybeIncrementLogStartOffset(request.get("offset").asLong(),
            LogStartOffsetIncrementReason.ClientRecordDeletion);
        return null;
    }

    JsonNode truncate(JsonNode request) {
        Map<TopicPartition, Object> offsets = Map.of(partition(request), request.get("offset").asLong());
        manager.truncateTo(CollectionConverters.asScala(offsets), false);
        return null;
    }

    /** One run of the log cleaner over the whole log up to its active segment, or to an open transaction. */
    JsonNode clean(JsonNode request) throws Exception {
        UnifiedLog log = log(request);
        long end = Math.min(log.activeSegment().baseOffset(), log.lastStableOffset());
        long from = request.get("first_dirty_offset").asLong();
        Cleaner cleaner = new Cleaner(0, new SkimpyOffsetMap(1 << 20), 1 << 16, 1 << 20, 0.9,
            new Throttler(Double.MAX_VALUE, Long.MAX_VALUE, "throttler", "entries", time), time, partition -> { });
        long cleanedTo = cleaner.clean(new LogToClean(log, from, end, true)).getKey();
        LogCleanerManager checkpoints = new LogCleanerManager(List.of(dir), new java.util.concurrent.ConcurrentHashMap<>(),
            failures);
        checkpoints.updateCheckpoints(dir, Optional.of(Map.entry(log.topicPartition(), cleanedTo)), Optional.empty());
        checkpoints.removeMetrics();
        return Kafka.JSON.createObjectNode().put("cleaned_to", cleanedTo);
    }

    /** What a broker's threads do from time to time. */
    JsonNode maintain() throws IOException {
        for (UnifiedLog log : logs()) {
            if (!log.config().compact || log.config().delete) {
                log.deleteOldSegments();
            }
        }
        checkpoint();
        return null;
    }

    private void checkpoint() {
        manager.checkpointLogRecoveryOffsets();
        manager.checkpointLogStartOffsets();
        Map<TopicPartition, Long> offsets = new HashMap<>();
        logs().forEach(log -> offsets.put(log.topicPartition(), log.highWatermark()));
        highWatermarks.write(offsets);
    }

    JsonNode close() {
        checkpoint();
        manager.shutdown(-1);
        stats.close();
        return null;
    }
}
