// Kafka's messages: what they are defined as, and what its classes make of bytes.

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.HexFormat;

import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.message.ApiMessageType;

class Wire {
    private static final JsonMapper DEFINITIONS =
        JsonMapper.builder().enable(JsonReadFeature.ALLOW_JAVA_COMMENTS).build();

    /** The definition of a message, which Kafka's code is generated from. */
    static JsonNode definition(String name) throws IOException {
        try (InputStream file = ApiMessage.class.getResourceAsStream("/common/message/" + name + ".json")) {
            return DEFINITIONS.readTree(file);
        }
    }

    /** Reads each message and writes it again. */
    static JsonNode echo(JsonNode messages) {
        ArrayNode echoes = Kafka.JSON.createArrayNode();
        for (JsonNode message : messages) {
            ApiMessageType type = ApiMessageType.fromApiKey((short) message.get("api_key").asInt());
            short version = (short) message.get("version").asInt();
            byte[] bytes = HexFormat.of().parseHex(message.get("bytes").asText());
            ApiMessage read = message.get("is_response").asBoolean() ? type.newResponse() : type.newRequest();
            ByteBufferAccessor input = new ByteBufferAccessor(ByteBuffer.wrap(bytes));
            read.read(input, version);
            ObjectSerializationCache cache = new ObjectSerializationCache();
            ByteBuffer output = ByteBuffer.allocate(read.size(cache, version));
            read.write(new ByteBufferAccessor(output), cache, version);
            echoes.addObject()
                .put("left", input.remaining())
                .put("bytes", HexFormat.of().formatHex(output.array(), 0, output.position()));
        }
        return echoes;
    }

    static JsonNode errors() {
        ArrayNode errors = Kafka.JSON.createArrayNode();
        for (Errors error : Errors.values()) {
            errors.addObject()
                .put("code", error.code())
                .put("name", error.name())
                .put("is_retriable", error.exception() instanceof RetriableException);
        }
        return errors;
    }
}
