// Looks into files: by Kafka's DumpLogSegments, which returns what it prints, or by the reader of the file itself.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

import static java.nio.charset.StandardCharsets.UTF_8;

import org.apache.kafka.storage.internals.log.ProducerStateEntry;
import org.apache.kafka.storage.internals.log.ProducerStateManager;
import org.apache.kafka.tools.DumpLogSegments;

class Dump {
    static JsonNode run(JsonNode arguments) throws Exception {
        List<String> list = new ArrayList<>();
        arguments.forEach(argument -> list.add(argument.asText()));
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        ByteArrayOutputStream complaints = new ByteArrayOutputStream();
        try {
            System.setOut(new PrintStream(printed, true, UTF_8));
            System.setErr(new PrintStream(complaints, true, UTF_8));
            DumpLogSegments.main(list.toArray(String[]::new));
        } finally {
            System.out.flush();
            System.err.flush();
            System.setOut(out);
            System.setErr(err);
        }
        return Kafka.JSON.createObjectNode()
            .put("printed", printed.toString(UTF_8))
            .put("complaints", complaints.toString(UTF_8));
    }

    /** The producers in a snapshot, in the order of their ids. */
    static JsonNode snapshot(String file) throws IOException {
        ArrayNode producers = Kafka.JSON.createArrayNode();
        ProducerStateManager.readSnapshot(new File(file)).stream()
            .sorted(Comparator.comparingLong(ProducerStateEntry::producerId))
            .forEach(entry -> producers.add(Description.producer(entry)));
        return producers;
    }
}
