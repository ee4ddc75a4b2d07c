import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.serialization.StringSerializer;

/** Kafka's own client, with TLS and a password. */
class SecuredClient {
    public static void main(String[] args) {
        String server = args[0], topic = args[1], authority = args[2];
        for (String mechanism : List.of("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")) {
            JavaClient.operation("Java, " + mechanism, () -> {
                var settings = settings(server, authority, mechanism, "alice-secret");
                thereAndBack(new JavaClient(settings, topic + "-" + mechanism));
                wrong(settings(server, authority, mechanism, "wrong"));
            });
        }
        System.exit(0);
    }

    static Map<String, Object> settings(String server, String authority, String mechanism, String password) {
        String module = mechanism.equals("PLAIN") ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", server);
        settings.put("security.protocol", "SASL_SSL");
        settings.put("ssl.truststore.type", "PEM");
        settings.put("ssl.truststore.location", authority);
        settings.put("sasl.mechanism", mechanism);
        settings.put("sasl.jaas.config", "org.apache.kafka.common.security." + module
            + " required username=\"alice\" password=\"" + password + "\";");
        return settings;
    }

    static void thereAndBack(JavaClient client) throws Exception {
        try (var producer = new KafkaProducer<>(client.settings, new StringSerializer(), new StringSerializer())) {
            producer.send(new ProducerRecord<>(client.topic, 0, "key", "value")).get();
        }
        try (var consumer = client.consumer(null)) {
            consumer.assign(List.of(new TopicPartition(client.topic, 0)));
            JavaClient.expect(JavaClient.poll(consumer, 1).get(0).value().equals("value"), "another record");
        }
    }

    static void wrong(Map<String, Object> settings) throws Exception {
        try (var admin = Admin.create(settings)) {
            admin.describeCluster().nodes().get();
            throw new AssertionError("a wrong password is taken");
        } catch (ExecutionException error) {
            JavaClient.expect(error.getCause() instanceof SaslAuthenticationException, error.getCause());
        }
    }
}
