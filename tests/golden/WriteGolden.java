// Writes the golden files beside it with Kafka's own classes. README.md says how to run it.

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.StringJoiner;
import java.util.function.Consumer;

import static java.nio.charset.StandardCharsets.UTF_8;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;

public class WriteGolden {
    static final long NOW = 1_700_000_000_000L;
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

    static Path directory;

    public static void main(String[] args) throws IOException {
        directory = Path.of(args[0]);
        Plain plain = new Plain();

        write("keyed", CODECS, plain, b -> {
            b.append(NOW, bytes("k1"), bytes("hello"), headers(header("h", "v")));
            b.append(NOW + 5, bytes("k2"), bytes("wörld"), headers(
                header("trace", "00-4bf92f3577b34da6a3ce929d0e0e4736"), header("trace", null), header("", ""),
                header("größe", "\u00fc")));
            b.append(NOW + 1000, bytes("k1"), bytes("again"), headers());
        });
        write("nulls", CODECS, plain, b -> {
            b.append(NOW, null, bytes("value only"));
            b.append(NOW, bytes("tombstone"), null);
            b.append(NOW, (byte[]) null, null);
            b.append(NOW, bytes(""), bytes(""));
            b.append(RecordBatch.NO_TIMESTAMP, bytes("k"), bytes("no timestamp"));
        });
        write("backwards", CODECS, plain, b -> {
            b.append(NOW, bytes("a"), bytes("1"));
            b.append(NOW - 1, bytes("b"), bytes("2"));
            b.append(NOW - 86_400_000, bytes("c"), bytes("3"));
            b.append(0, bytes("d"), bytes("4"));
            b.append(NOW + 3_000_000_000L, bytes("e"), bytes("5"));
        });
        write("log_append_time", CODECS, new Plain().type(TimestampType.LOG_APPEND_TIME), b -> {
            b.append(NOW, bytes("a"), bytes("1"));
            b.append(NOW + 7, bytes("b"), bytes("2"));
            b.append(NOW + 900, bytes("c"), bytes("3"));
        });
        write("idempotent", CODECS, new Plain().producer(4000, 2, 7), b -> {
            b.append(NOW, bytes("a"), bytes("1"));
            b.append(NOW + 1, bytes("b"), bytes("2"));
        });
        write("transactional", CODECS, new Plain().producer(Long.MAX_VALUE, Short.MAX_VALUE, Integer.MAX_VALUE)
            .transactional(), b -> {
                b.append(NOW, bytes("a"), bytes("1"));
                b.append(NOW + 1, bytes("b"), bytes("2"));
            });
        write("bulk", CODECS, plain, b -> {
            Random random = new Random(42);
            for (int i = 0; i < 300; i++) {
                String value = "{\"id\":" + i + ",\"page\":\"/items/" + random.nextInt(50) + "\",\"ms\":" + random.nextInt(9000)
                    + ",\"noise\":\"" + Long.toHexString(random.nextLong()) + "\"}";
                Header[] headers = i % 10 == 0 ? headers(header("n", Integer.toString(i))) : headers();
                b.append(NOW + i * 37L - random.nextInt(100), bytes("user-" + random.nextInt(20)), bytes(value), headers);
            }
        });
        byte[] big = new byte[150_000];
        for (int i = 0; i < big.length; i++) {
            big[i] = (byte) (i / 3 % 200);
        }
        // More than one block or chunk of every codec; plain, it would only be large.
        write("blocks", CODECS.subList(1, 5), plain, b -> {
            b.append(NOW, bytes("big"), big);
            b.append(NOW, bytes("after"), bytes("it"));
        });

        for (ControlRecordType type : List.of(ControlRecordType.ABORT, ControlRecordType.COMMIT)) {
            write("end_" + type.name().toLowerCase(Locale.ROOT), List.of("none"),
                new Plain().producer(4000, 2, RecordBatch.NO_SEQUENCE).transactional().control(),
                b -> b.appendEndTxnMarker(NOW + 100, new EndTransactionMarker(type, 5)));
        }
        write("leader_change", List.of("none"), new Plain().control(), b -> b.appendLeaderChangeMessage(NOW,
            new LeaderChangeMessage().setLeaderId(1).setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)))));
    }

    /** What a batch has besides records. */
    static class Plain {
        TimestampType type = TimestampType.CREATE_TIME;
        long producerId = RecordBatch.NO_PRODUCER_ID;
        short producerEpoch = RecordBatch.NO_PRODUCER_EPOCH;
        int baseSequence = RecordBatch.NO_SEQUENCE;
        boolean transactional = false;
        boolean control = false;

        Plain type(TimestampType type) {
            this.type = type;
            return this;
        }

        Plain producer(long id, int epoch, int sequence) {
            producerId = id;
            producerEpoch = (short) epoch;
            baseSequence = sequence;
            return this;
        }

        Plain transactional() {
            transactional = true;
            return this;
        }

        Plain control() {
            control = true;
            return this;
        }

        MemoryRecordsBuilder builder(Compression compression) {
            return new MemoryRecordsBuilder(ByteBuffer.allocate(1 << 20), RecordBatch.MAGIC_VALUE_V2, compression, type,
                10, type == TimestampType.LOG_APPEND_TIME ? NOW + 500 : RecordBatch.NO_TIMESTAMP,
                producerId, producerEpoch, baseSequence, transactional, control, 3, 1 << 20);
        }
    }

    /** One file of bytes per codec, and one that says how Kafka reads them. */
    static void write(String name, List<String> codecs, Plain settings, Consumer<MemoryRecordsBuilder> appends)
            throws IOException {
        String records = null;
        StringJoiner batches = new StringJoiner("\n");
        for (String codec : codecs) {
            MemoryRecordsBuilder builder = settings.builder(compression(codec));
            appends.accept(builder);
            MemoryRecords written = builder.build();
            ByteBuffer buffer = written.buffer();
            byte[] bytes = new byte[buffer.remaining()];
            buffer.duplicate().get(bytes);
            Files.createDirectories(directory.resolve(codec));
            Files.write(directory.resolve(codec).resolve(name + ".batch"), bytes);

            MutableRecordBatch batch = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches().iterator().next();
            batch.ensureValid();
            batches.add(describe(batch));
            StringJoiner lines = new StringJoiner("\n");
            for (Record record : batch) {
                lines.add(describe(record));
            }
            if (records != null && !records.equals(lines.toString())) {
                throw new IllegalStateException(name + " differs with " + codec);
            }
            records = lines.toString();
        }
        try (PrintWriter out = new PrintWriter(directory.resolve(name + ".txt").toFile(), UTF_8)) {
            out.print(batches + "\n" + records + "\n");
        }
    }

    static String describe(MutableRecordBatch batch) {
        return "batch " + batch.compressionType().name
            + " size " + batch.sizeInBytes()
            + " crc " + String.format("%08x", batch.checksum())
            + " offsets " + batch.baseOffset() + " " + batch.lastOffset() + " " + batch.nextOffset()
            + " epoch " + batch.partitionLeaderEpoch()
            + " " + batch.timestampType().name + " max " + batch.maxTimestamp()
            + " producer " + batch.producerId() + " " + batch.producerEpoch()
            + " sequence " + batch.baseSequence() + " " + batch.lastSequence()
            + " transactional " + batch.isTransactional() + " control " + batch.isControlBatch()
            + " count " + batch.countOrNull();
    }

    static String describe(Record record) {
        StringBuilder line = new StringBuilder("record " + record.offset() + " " + record.timestamp());
        line.append(" ").append(hex(record.hasKey() ? record.key() : null));
        line.append(" ").append(hex(record.hasValue() ? record.value() : null));
        for (Header header : record.headers()) {
            line.append(" ").append(hex(ByteBuffer.wrap(bytes(header.key())))).append("=");
            line.append(hex(header.value() == null ? null : ByteBuffer.wrap(header.value())));
        }
        return line.toString();
    }

    /** "null", or x and the bytes in hexadecimal; long ones by their length and CRC-32C. */
    static String hex(ByteBuffer buffer) {
        if (buffer == null) {
            return "null";
        }
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        if (bytes.length > 1000) {
            java.util.zip.CRC32C crc = new java.util.zip.CRC32C();
            crc.update(bytes);
            return bytes.length + "@" + String.format("%08x", crc.getValue());
        }
        return "x" + HexFormat.of().formatHex(bytes);
    }

    static Compression compression(String codec) {
        return switch (codec) {
            case "none" -> Compression.NONE;
            case "gzip" -> Compression.gzip().build();
            case "snappy" -> Compression.snappy().build();
            case "lz4" -> Compression.lz4().build();
            case "zstd" -> Compression.zstd().build();
            default -> throw new IllegalArgumentException(codec);
        };
    }

    static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    static Header header(String key, String value) {
        return new RecordHeader(key, value == null ? null : bytes(value));
    }

    static Header[] headers(Header... headers) {
        return headers;
    }
}
