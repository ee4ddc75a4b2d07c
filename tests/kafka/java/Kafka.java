// Kafka's storage engine behind a pipe: takes a request a line from standard input and answers each with a line, both in
// JSON. One process serves all tests, because starting it is what takes long.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.HashMap;
import java.util.Map;

import static java.nio.charset.StandardCharsets.UTF_8;

public class Kafka {
    static final ObjectMapper JSON = new ObjectMapper();

    /** The data directories that are open, by path. */
    static final Map<String, Directory> DIRECTORIES = new HashMap<>();

    public static void main(String[] args) throws Exception {
        // What the tools print is part of an answer, and must not get between the answers.
        PrintStream answers = System.out;
        System.setOut(System.err);
        KafkaMessages.capture();
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            JsonNode request = JSON.readTree(line);
            ObjectNode answer = JSON.createObjectNode();
            KafkaMessages.clear();
            try {
                answer.set("ok", answer(request));
            } catch (Throwable failure) {
                failure.printStackTrace();
                answer.put("error", failure.toString());
            }
            answer.set("messages", KafkaMessages.take());
            answers.write((JSON.writeValueAsString(answer) + "\n").getBytes(UTF_8));
            answers.flush();
        }
        System.exit(0);
    }

    static JsonNode answer(JsonNode request) throws Exception {
        String command = request.get("command").asText();
        if (command.equals("dump")) {
            return Dump.run(request.get("arguments"));
        }
        if (command.equals("read_snapshot")) {
            return Dump.snapshot(request.get("file").asText());
        }
        if (command.equals("message_definition")) {
            return Wire.definition(request.get("name").asText());
        }
        if (command.equals("echo_messages")) {
            return Wire.echo(request.get("messages"));
        }
        if (command.equals("errors")) {
            return Wire.errors();
        }
        if (command.equals("assign")) {
            return Assignors.assign(request);
        }
        String dir = request.get("dir").asText();
        if (command.equals("open")) {
            Directory opened = new Directory(dir, request.get("now_ms").asLong(), request.get("topics"));
            DIRECTORIES.put(dir, opened);
            return opened.describe();
        }
        Directory directory = DIRECTORIES.get(dir);
        return switch (command) {
            case "create" -> directory.create(request);
            case "set_time" -> directory.setTime(request.get("now_ms").asLong());
            case "describe" -> Description.of(directory.log(request), request.get("timestamps"));
            case "append" -> directory.append(request);
            case "append_as_follower" -> directory.appendAsFollower(request);
            case "end_transaction" -> directory.endTransaction(request);
            case "commit_offset" -> directory.commitOffset(request);
            case "set_leader_epoch" -> directory.setLeaderEpoch(request);
            case "roll" -> directory.roll(request);
            case "flush" -> directory.flush(request);
            case "delete_records" -> directory.deleteRecords(request);
            case "truncate" -> directory.truncate(request);
            case "clean" -> directory.clean(request);
            case "maintain" -> directory.maintain();
            case "close" -> DIRECTORIES.remove(dir).close();
            default -> throw new IllegalArgumentException("no command " + command);
        };
    }
}
