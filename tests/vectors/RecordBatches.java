// Writes record-batches.bin.gz: batches that Kafka's own classes built, each after what went into it.
//
//   javac -cp 'LIBS/*' -d OUT RecordBatches.java && java -cp 'OUT:LIBS/*' RecordBatches record-batches.bin.gz
//
// LIBS holds kafka-clients 4.4.0 and its compression libraries. Given a second file of the same form, it
// only reads each batch in it with Kafka's classes and compares the records; the tests write such a file when
// KLAMM_VECTORS_OUT names one.
//
// All integers are big-endian; the file is gzipped. A vector count i32, then vectors. One vector:
//   name (writeUTF) | compression u8 | base offset i64 | leader epoch i32 | log-append time i64, -1 none
//   | transactional u8 | producer id i64 | producer epoch i16 | base sequence i32 | record count i32
//   | records | batch length i32 | batch
// One record: timestamp i64 | key | value | header count i32 | header key, value ...; a byte field is
// its length i32, -1 for null, and the bytes.

import java.io.*;
import java.nio.ByteBuffer;
import java.nio.file.*;
import java.util.*;
import java.util.zip.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;

public class RecordBatches {
    record Case(String name, CompressionType codec, long baseOffset, int leaderEpoch, long appendTime,
                boolean transactional, long producerId, short producerEpoch, int baseSequence,
                List<SimpleRecord> records) {}

    static final long TIME = 1_700_000_000_000L;

    public static void main(String[] args) throws Exception {
        if (args.length > 1) {
            compare(args[1]);
            return;
        }
        try (DataOutputStream out = new DataOutputStream(new GZIPOutputStream(
                new FileOutputStream(args[0])))) {
            List<Case> cases = cases();
            out.writeInt(cases.size());
            for (Case c : cases) write(out, c);
        }
    }

    static List<Case> cases() {
        List<Case> cases = new ArrayList<>();
        Map<String, List<SimpleRecord>> sets = new LinkedHashMap<>();
        sets.put("one", List.of(new SimpleRecord(TIME, bytes("key"), bytes("value"))));
        sets.put("nulls", List.of(new SimpleRecord(TIME, (byte[]) null, null),
            new SimpleRecord(TIME, new byte[0], new byte[0]),
            new SimpleRecord(TIME - 5, bytes("k"), null), new SimpleRecord(TIME + 9, null, bytes("v"))));
        sets.put("no-timestamp", List.of(new SimpleRecord(-1, null, bytes("v"))));
        sets.put("headers", List.of(
            new SimpleRecord(TIME, bytes("k"), bytes("v"), new Header[] {
                new RecordHeader("a", bytes("1")), new RecordHeader("a", null),
                new RecordHeader("", new byte[0]), new RecordHeader("ключ", new byte[200])}),
            new SimpleRecord(TIME, bytes("k"), bytes("v"), new Header[0])));
        List<SimpleRecord> many = new ArrayList<>();
        Random random = new Random(7);
        for (int i = 0; i < 300; i++) {
            byte[] value = new byte[random.nextInt(200)];
            random.nextBytes(value);
            if (i % 3 == 0) Arrays.fill(value, (byte) i);
            many.add(new SimpleRecord(TIME + random.nextInt(100_000) - 50_000, bytes("key-" + i % 7), value));
        }
        sets.put("many", many);
        List<SimpleRecord> large = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            byte[] value = new byte[70_000];
            for (int j = 0; j < value.length; j++) value[j] = (byte) ((j / 100) * 31 + j % 10);
            large.add(new SimpleRecord(TIME, null, value));
        }
        for (CompressionType codec : CompressionType.values()) {
            sets.forEach((name, records) -> cases.add(new Case(codec.name + "/" + name, codec, 0, -1, -1,
                false, -1, (short) -1, -1, records)));
            if (codec != CompressionType.NONE) {
                cases.add(new Case(codec.name + "/large", codec, 0, -1, -1, false, -1, (short) -1, -1, large));
            }
            cases.add(new Case(codec.name + "/idempotent", codec, 0, -1, -1, false, 4000, (short) 3,
                Integer.MAX_VALUE, sets.get("nulls")));
            cases.add(new Case(codec.name + "/transactional", codec, 5, 9, -1, true, Long.MAX_VALUE,
                Short.MAX_VALUE, 0, sets.get("headers")));
            cases.add(new Case(codec.name + "/log-append-time", codec, Long.MAX_VALUE - 10, 1, TIME + 77, false,
                -1, (short) -1, -1, sets.get("nulls")));
        }
        return cases;
    }

    static void write(DataOutputStream out, Case c) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(512);
        boolean appendTime = c.appendTime >= 0;
        MemoryRecordsBuilder builder = MemoryRecords.builder(buffer, (byte) 2,
            Compression.of(c.codec).build(),
            appendTime ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME,
            c.baseOffset, appendTime ? c.appendTime : -1, c.producerId, c.producerEpoch, c.baseSequence,
            c.transactional, c.leaderEpoch);
        for (SimpleRecord record : c.records) builder.append(record);
        ByteBuffer batch = builder.build().buffer();
        out.writeUTF(c.name);
        out.writeByte(c.codec.id);
        out.writeLong(c.baseOffset);
        out.writeInt(c.leaderEpoch);
        out.writeLong(c.appendTime);
        out.writeByte(c.transactional ? 1 : 0);
        out.writeLong(c.producerId);
        out.writeShort(c.producerEpoch);
        out.writeInt(c.baseSequence);
        out.writeInt(c.records.size());
        for (SimpleRecord record : c.records) {
            out.writeLong(record.timestamp());
            field(out, array(record.key()));
            field(out, array(record.value()));
            out.writeInt(record.headers().length);
            for (Header header : record.headers()) {
                field(out, bytes(header.key()));
                field(out, header.value());
            }
        }
        byte[] written = new byte[batch.remaining()];
        batch.get(written);
        field(out, written);
    }

    static void compare(String path) throws IOException {
        int count = 0;
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(
                new GZIPInputStream(new FileInputStream(path))))) {
            for (int left = in.readInt(); left > 0; left--) {
                String name = in.readUTF();
                in.readByte();
                in.skipBytes(8 + 4);
                long appendTime = in.readLong();
                in.skipBytes(1 + 8 + 2 + 4);
                List<SimpleRecord> expected = new ArrayList<>();
                for (int records = in.readInt(); records > 0; records--) {
                    long timestamp = in.readLong();
                    byte[] key = field(in), value = field(in);
                    Header[] headers = new Header[in.readInt()];
                    for (int i = 0; i < headers.length; i++) {
                        headers[i] = new RecordHeader(new String(field(in), "UTF-8"), field(in));
                    }
                    expected.add(new SimpleRecord(appendTime >= 0 ? appendTime : timestamp, key, value, headers));
                }
                List<SimpleRecord> found = new ArrayList<>();
                for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(field(in))).batches()) {
                    batch.ensureValid();
                    for (org.apache.kafka.common.record.internal.Record record : batch) {
                        record.ensureValid();
                        found.add(new SimpleRecord(record));
                    }
                }
                if (!found.equals(expected)) throw new AssertionError(name + ": " + found + " is not " + expected);
                count++;
            }
        }
        System.out.println(count + " batches read as they were written");
    }

    static byte[] array(ByteBuffer buffer) {
        if (buffer == null) return null;
        byte[] array = new byte[buffer.remaining()];
        buffer.duplicate().get(array);
        return array;
    }

    static void field(DataOutputStream out, byte[] field) throws IOException {
        out.writeInt(field == null ? -1 : field.length);
        if (field != null) out.write(field);
    }

    static byte[] field(DataInputStream in) throws IOException {
        int length = in.readInt();
        return length < 0 ? null : in.readNBytes(length);
    }

    static byte[] bytes(String text) {
        return text.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    }
}
