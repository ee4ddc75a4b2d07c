import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Moves records from one topic to another, each exactly once, until it is killed. What goes wrong ends it: run it again. */
class Transfer {
    public static void main(String[] args) {
        String server = args[0], from = args[1], to = args[2], id = args[3];
        Map<String, Object> producing = Map.of(
            "bootstrap.servers", server, "transactional.id", id, "transaction.timeout.ms", 10_000,
            "key.serializer", StringSerializer.class, "value.serializer", StringSerializer.class);
        Map<String, Object> consuming = new HashMap<>(Map.of(
            "bootstrap.servers", server, "group.id", from + "-transfer", "isolation.level", "read_committed",
            "enable.auto.commit", false, "auto.offset.reset", "earliest", "session.timeout.ms", 6_000,
            "max.poll.records", 200,
            "key.deserializer", StringDeserializer.class, "value.deserializer", StringDeserializer.class));
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(producing);
            KafkaConsumer<String, String> consumer = new KafkaConsumer<>(consuming)) {
            producer.initTransactions();
            consumer.subscribe(List.of(from));
            while (true) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
                if (!records.isEmpty()) move(records, producer, consumer, to);
            }
        } catch (KafkaException error) {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }

    static void move(
        ConsumerRecords<String, String> records, KafkaProducer<String, String> producer,
        KafkaConsumer<String, String> consumer, String to) {
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        for (ConsumerRecord<String, String> record : records) {
            producer.send(new ProducerRecord<>(to, record.key(), record.value()));
            next.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
        }
        producer.sendOffsetsToTransaction(next, consumer.groupMetadata());
        producer.commitTransaction();
    }
}
