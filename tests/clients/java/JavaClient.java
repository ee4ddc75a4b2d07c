import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Kafka's own client. */
class JavaClient {
    static final int COUNT = 10_000;
    static final int PARTITIONS = 4;
    static final long FIRST_MS = System.currentTimeMillis() - 3_600_000;
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

    interface Action {
        void run() throws Exception;
    }

    final Map<String, Object> settings;
    final String topic;
    final Admin admin;

    JavaClient(Map<String, Object> settings, String topic) {
        this.settings = settings;
        this.topic = topic;
        this.admin = Admin.create(settings);
    }

    public static void main(String[] args) {
        JavaClient client = new JavaClient(Map.of("bootstrap.servers", args[0]), args[1]);
        operation("create", client::create);
        for (String codec : CODECS) operation(codec, () -> client.thereAndBack(codec));
        operation("by time", () -> CODECS.forEach(client::byTime));
        operation("commit", client::commitAndResume);
        operation("describe", client::describe);
        operation("delete", client::delete);
        System.exit(0);
    }

    static void operation(String name, Action action) {
        try {
            action.run();
            System.out.println(name + "\tok");
        } catch (Exception | AssertionError error) {
            error.printStackTrace();
            System.out.println(name + "\t" + error.toString().replace('\n', ' '));
        }
    }

    static void expect(boolean isSo, Object otherwise) {
        if (!isSo) throw new AssertionError(otherwise);
    }

    String name(String codec) {
        return topic + "-" + codec;
    }

    List<TopicPartition> partitions(String codec) {
        List<TopicPartition> partitions = new ArrayList<>();
        for (int partition = 0; partition < PARTITIONS; partition++) partitions.add(new TopicPartition(name(codec), partition));
        return partitions;
    }

    KafkaConsumer<String, String> consumer(String group) {
        Map<String, Object> config = new HashMap<>(settings);
        config.put("enable.auto.commit", false);
        config.put("auto.offset.reset", "earliest");
        if (group != null) config.put("group.id", group);
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    static List<ConsumerRecord<String, String>> poll(KafkaConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        while (records.size() < count) {
            var polled = consumer.poll(Duration.ofSeconds(30));
            expect(!polled.isEmpty(), "nothing comes");
            polled.forEach(records::add);
        }
        return records;
    }

    void create() throws Exception {
        List<NewTopic> topics = CODECS.stream().map(codec -> new NewTopic(name(codec), PARTITIONS, (short) 1)).toList();
        admin.createTopics(topics).all().get();
    }

    static ProducerRecord<String, String> record(String topic, int number) {
        var record = new ProducerRecord<>(topic, null, FIRST_MS + number, "key-" + number % 1000, ("value-" + number).repeat(4));
        record.headers().add("number", Integer.toString(number).getBytes(StandardCharsets.UTF_8));
        record.headers().add("number", "again".getBytes(StandardCharsets.UTF_8));
        record.headers().add("nothing", null);
        return record;
    }

    void thereAndBack(String codec) throws Exception {
        Map<String, Object> config = new HashMap<>(settings);
        config.put("compression.type", codec);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (int number = 0; number < COUNT; number++) sent.add(producer.send(record(name(codec), number)));
        }
        try (var consumer = consumer(null)) {
            consumer.assign(partitions(codec));
            Set<Integer> seen = new HashSet<>();
            for (var received : poll(consumer, COUNT)) {
                var headers = received.headers().toArray();
                int number = Integer.parseInt(new String(headers[0].value(), StandardCharsets.UTF_8));
                var expected = record(name(codec), number);
                var acknowledged = sent.get(number).get();
                expect(received.key().equals(expected.key()) && received.value().equals(expected.value())
                    && received.timestamp() == expected.timestamp() && received.headers().equals(expected.headers())
                    && received.partition() == acknowledged.partition() && received.offset() == acknowledged.offset(),
                    received);
                seen.add(number);
            }
            expect(seen.size() == COUNT, seen.size() + " records");
        }
    }

    void byTime(String codec) {
        try (var consumer = consumer(null)) {
            Map<TopicPartition, Long> times = new HashMap<>();
            for (TopicPartition partition : partitions(codec)) times.put(partition, FIRST_MS + COUNT / 2);
            consumer.assign(times.keySet());
            consumer.offsetsForTimes(times).forEach((partition, found) -> consumer.seek(partition, found.offset()));
            var late = poll(consumer, COUNT / 2);
            expect(late.size() == COUNT / 2, late.size());
            expect(late.stream().allMatch(record -> record.timestamp() >= FIRST_MS + COUNT / 2), "too early");
        }
    }

    void commitAndResume() {
        Map<TopicPartition, OffsetAndMetadata> ends = new HashMap<>();
        int count;
        try (var consumer = consumer(topic)) {
            consumer.assign(partitions("none"));
            count = poll(consumer, COUNT / 2).size();
            for (TopicPartition partition : partitions("none")) {
                ends.put(partition, new OffsetAndMetadata(consumer.position(partition), "so far"));
            }
            consumer.commitSync(ends);
        }
        try (var consumer = consumer(topic)) {
            consumer.assign(partitions("none"));
            var committed = consumer.committed(ends.keySet());
            ends.forEach((partition, end) -> expect(committed.get(partition).offset() == end.offset()
                && committed.get(partition).metadata().equals("so far"), committed));
            if (count < COUNT) expect(poll(consumer, COUNT - count).size() == COUNT - count, "not the rest");
        }
    }

    void describe() throws Exception {
        var described = admin.describeTopics(List.of(name("none"))).allTopicNames().get().get(name("none"));
        expect(described.partitions().size() == PARTITIONS, described);
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, name("none"));
        var configs = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        expect(configs.get("cleanup.policy").value().equals("delete"), configs);
        expect(admin.describeCluster().nodes().get().size() == 1, "one node");
        unsupported(admin.describeMetadataQuorum().quorumInfo());
        fails(admin.describeAcls(AclBindingFilter.ANY).values(), SecurityDisabledException.class);
        var quota = new ClientQuotaAlteration.Op("producer_byte_rate", 1.0);
        var anybody = new ClientQuotaEntity(Collections.singletonMap(ClientQuotaEntity.CLIENT_ID, null));
        unsupported(admin.alterClientQuotas(List.of(new ClientQuotaAlteration(anybody, List.of(quota)))).all());
    }

    /** What the server does not have, the client says by itself, and goes on. */
    static void unsupported(Future<?> answer) throws Exception {
        fails(answer, UnsupportedVersionException.class);
    }

    static void fails(Future<?> answer, Class<?> expected) throws Exception {
        try {
            expect(false, answer.get());
        } catch (ExecutionException error) {
            expect(expected.isInstance(error.getCause()), error);
        }
    }

    void delete() throws Exception {
        admin.deleteTopics(List.of(name("none"))).all().get();
        expect(!admin.listTopics().names().get().contains(name("none")), "it is still there");
    }
}
