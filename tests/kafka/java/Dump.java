// Runs Kafka's DumpLogSegments and returns what it prints.

import com.fasterxml.jackson.databind.JsonNode;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

import static java.nio.charset.StandardCharsets.UTF_8;

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
}
