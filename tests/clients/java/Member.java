import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A member of a group that works until it is told to end: see member_log.py for what it says about that. */
class Member implements ConsumerRebalanceListener {
    private final OutputStream log;
    private final TreeSet<Integer> owned = new TreeSet<>();
    private volatile boolean ending = false;
    private volatile boolean hasEndedWell = false;

    Member(OutputStream log) {
        this.log = log;
    }

    public static void main(String[] args) throws IOException {
        Map<String, Object> config = new HashMap<>(Map.of(
            "bootstrap.servers", args[0], "enable.auto.commit", false, "auto.offset.reset", "earliest",
            "max.poll.records", 20, "key.deserializer", ByteArrayDeserializer.class,
            "value.deserializer", ByteArrayDeserializer.class));
        for (String pair : List.of(args).subList(3, args.length)) {
            String[] keyAndValue = pair.split("=", 2);
            config.put(keyAndValue[0], keyAndValue[1]);
        }
        // It wants a class where others want the name that it has.
        config.replace("partition.assignment.strategy", "range", RangeAssignor.class.getName());
        try (OutputStream log = new FileOutputStream(args[2], true)) {
            new Member(log).work(config, args[1]);
        }
    }

    void work(Map<String, Object> config, String topic) {
        Thread worker = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            ending = true;
            try {
                worker.join();
            } catch (InterruptedException interrupted) {
                throw new IllegalStateException(interrupted);
            }
            // Of itself it would tell by its exit code that there was a signal, and nothing else.
            Runtime.getRuntime().halt(hasEndedWell ? 0 : 1);
        }));
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config)) {
            consumer.subscribe(List.of(topic), this);
            while (!ending) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
                if (!records.isEmpty()) process(records, consumer);
            }
        }
        hasEndedWell = true;
    }

    private void process(ConsumerRecords<byte[], byte[]> records, KafkaConsumer<byte[], byte[]> consumer) {
        StringBuilder processed = new StringBuilder();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            processed.append(line("processed", record.partition() + "\t" + record.offset()));
        }
        write(processed.toString());
        try {
            consumer.commitSync();
            write(line("committed", ""));
        } catch (KafkaException refused) {
            write(line("refused", refused.toString().replace('\n', ' ')));
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        partitions.forEach(partition -> owned.add(partition.partition()));
        writeOwned();
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        partitions.forEach(partition -> owned.remove(partition.partition()));
        writeOwned();
    }

    private void writeOwned() {
        write(line("owned", owned.stream().map(String::valueOf).collect(Collectors.joining(","))));
    }

    private static String line(String event, String details) {
        return System.currentTimeMillis() + "\t" + event + "\t" + details + "\n";
    }

    /** At once, so that whoever kills it finds what it has done. */
    private void write(String lines) {
        try {
            log.write(lines.getBytes(StandardCharsets.UTF_8));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
