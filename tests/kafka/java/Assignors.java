// Kafka's assignors on groups that they are given.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;

import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.utils.Utils;

class Assignors {
    private static final Map<String, Supplier<AbstractPartitionAssignor>> ALL = Map.of(
        "range", RangeAssignor::new, "roundrobin", RoundRobinAssignor::new,
        "sticky", StickyAssignor::new, "cooperative-sticky", CooperativeStickyAssignor::new);

    /** What each member of each group is assigned, and what it tells the leader of the next generation. */
    static JsonNode assign(JsonNode request) {
        ArrayNode answers = Kafka.JSON.createArrayNode();
        for (JsonNode group : request.get("groups")) {
            answers.add(assign(ALL.get(request.get("assignor").asText()), group));
        }
        return answers;
    }

    private static ObjectNode assign(Supplier<AbstractPartitionAssignor> assignor, JsonNode group) {
        Map<String, Integer> counts = new TreeMap<>();
        group.get("counts").properties().forEach(topic -> counts.put(topic.getKey(), topic.getValue().asInt()));
        Map<String, Subscription> members = new TreeMap<>();
        for (JsonNode member : group.get("members")) {
            byte[] bytes = HexFormat.of().parseHex(member.get("subscription").asText());
            Subscription subscription = ConsumerProtocol.deserializeSubscription(ByteBuffer.wrap(bytes));
            subscription.setGroupInstanceId(Optional.ofNullable(member.get("name").textValue()));
            members.put(member.get("id").asText(), subscription);
        }
        ObjectNode answer = Kafka.JSON.createObjectNode();
        assignor.get().assign(counts, members).forEach((id, partitions) -> {
            ObjectNode assigned = answer.putObject(id);
            ArrayNode array = assigned.putArray("partitions");
            partitions.forEach(partition -> array.addArray().add(partition.topic()).add(partition.partition()));
            int generation = group.get("generation").asInt();
            assigned.put("user_data", userData(assignor.get(), id, members.get(id), partitions, generation));
        });
        return answer;
    }

    // What is to take the place of this constructor is not public.
    @SuppressWarnings("removal")
    private static String userData(AbstractPartitionAssignor assignor, String id, Subscription subscription,
                                   List<TopicPartition> partitions, int generation) {
        assignor.onAssignment(
            new Assignment(partitions), new ConsumerGroupMetadata("group", generation, id, Optional.empty()));
        ByteBuffer userData = assignor.subscriptionUserData(new HashSet<>(subscription.topics()));
        return userData == null ? null : HexFormat.of().formatHex(Utils.toArray(userData));
    }
}
