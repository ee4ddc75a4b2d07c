// What Kafka logs as a warning or an error, kept to be looked at.

import com.fasterxml.jackson.databind.node.ArrayNode;

import java.util.concurrent.ConcurrentLinkedQueue;

import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.Configuration;
import org.apache.logging.log4j.core.config.LoggerConfig;
import org.apache.logging.log4j.core.config.Property;

class KafkaMessages extends AbstractAppender {
    private static final ConcurrentLinkedQueue<String> MESSAGES = new ConcurrentLinkedQueue<>();

    private KafkaMessages() {
        super("messages", null, null, true, Property.EMPTY_ARRAY);
    }

    static void capture() {
        LoggerContext context = LoggerContext.getContext(false);
        Configuration configuration = context.getConfiguration();
        KafkaMessages appender = new KafkaMessages();
        appender.start();
        configuration.addAppender(appender);
        LoggerConfig root = configuration.getRootLogger();
        root.getAppenders().keySet().forEach(root::removeAppender);
        root.addAppender(appender, Level.WARN, null);
        root.setLevel(Level.WARN);
        context.updateLoggers();
    }

    static void clear() {
        MESSAGES.clear();
    }

    static ArrayNode take() {
        ArrayNode messages = Kafka.JSON.createArrayNode();
        for (String message = MESSAGES.poll(); message != null; message = MESSAGES.poll()) {
            messages.add(message);
        }
        return messages;
    }

    @Override
    public void append(LogEvent event) {
        String thrown = event.getThrown() == null ? "" : " (" + event.getThrown() + ")";
        MESSAGES.add(event.getLevel() + " " + event.getMessage().getFormattedMessage() + thrown);
    }
}
