// Writes the test vectors of Klamm's wire codec with Kafka's own generated classes.
//
// For every message of the definitions inside the kafka-clients jar, and for every version of it:
// the bytes that Kafka writes for several fillings, and a digest of the values that Kafka reads
// back from them. Also what Kafka makes of a message of the newest version in each older one:
// bytes, or a refusal.
//
//   javac -cp 'LIBS/*' -d OUT WireMessages.java
//   java -cp 'OUT:LIBS/*' WireMessages kafka-clients-4.4.0.jar wire-messages.bin.gz
//
// LIBS holds kafka-clients 4.4.0, jackson-databind with what it needs, and slf4j-api.
// With a third argument, a message's name, the texts behind that message's digests are printed.
//
// The file, gzipped, is a sequence of (big-endian): length of the name (1 byte), name, version (2),
// filling (1), digest (8), length of the bytes (4), bytes. A filling with bit 7 set is a
// translation: no bytes follow, and the digest is that of the bytes that Kafka writes in `version`
// for the newest version's vector of that filling, or 0 where Kafka refuses.
// A digest is FNV-1a, 64 bits.

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.DataOutputStream;
import java.io.FileOutputStream;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.JarFile;
import java.util.zip.GZIPOutputStream;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.RawTaggedField;

public final class WireMessages {
    enum Filling { DEFAULT, FULL, NULL, LEAST, LONG, TAGS }

    record Range(int min, int max) {
        static Range parse(String text) {
            if (text == null || text.isEmpty() || text.equals("none")) return new Range(0, -1);
            if (text.endsWith("+")) {
                return new Range(Integer.parseInt(text.substring(0, text.length() - 1)), Short.MAX_VALUE);
            }
            int dash = text.indexOf('-');
            if (dash < 0) return new Range(Integer.parseInt(text), Integer.parseInt(text));
            return new Range(Integer.parseInt(text.substring(0, dash)), Integer.parseInt(text.substring(dash + 1)));
        }

        boolean has(int version) { return min <= version && version <= max; }

        boolean empty() { return min > max; }

        Range and(Range other) {
            Range both = new Range(Math.max(min, other.min), Math.min(max, other.max));
            return both.empty() ? new Range(0, -1) : both;
        }
    }

    record FieldSpec(String name, String type, Range versions, Range nullable, boolean tagged) {}

    record StructSpec(String name, Range versions, List<FieldSpec> fields) {}

    private final Map<String, StructSpec> structs = new HashMap<>();
    private final String messageName;
    private final Range valid;
    private final Range flexible;
    private long state;

    private WireMessages(JsonNode definition) {
        messageName = definition.get("name").asText();
        valid = Range.parse(definition.get("validVersions").asText());
        flexible = Range.parse(definition.path("flexibleVersions").asText(null));
        add(messageName, valid, definition.path("fields"));
        for (JsonNode common : definition.path("commonStructs")) {
            Range versions = Range.parse(common.get("versions").asText()).and(valid);
            add(common.get("name").asText(), versions, common.get("fields"));
        }
    }

    private void add(String name, Range versions, JsonNode definitions) {
        List<FieldSpec> fields = new ArrayList<>();
        structs.put(name, new StructSpec(name, versions, fields));
        for (JsonNode field : definitions) {
            Range present = Range.parse(field.get("versions").asText()).and(versions);
            if (present.empty()) continue;
            Range nullable = Range.parse(field.path("nullableVersions").asText(null)).and(present);
            String type = field.get("type").asText();
            if (field.path("fields").size() > 0) {
                add(type.replace("[]", ""), present, field.get("fields"));
            }
            fields.add(new FieldSpec(field.get("name").asText(), type, present, nullable, field.has("tag")));
        }
    }

    private Class<?> classOf(String struct) throws Exception {
        String outer = "org.apache.kafka.common.message." + messageName;
        if (!messageName.startsWith("ConsumerProtocol")) outer += "Data";
        return Class.forName(struct.equals(messageName) ? outer : outer + "$" + struct);
    }

    // Filling.

    private long next() {
        state += 0x9E3779B97F4A7C15L;
        long mixed = (state ^ (state >>> 30)) * 0xBF58476D1CE4E5B9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
        return mixed ^ (mixed >>> 31);
    }

    private Object struct(String name, int version, Filling filling) throws Exception {
        Object object = classOf(name).getDeclaredConstructor().newInstance();
        for (FieldSpec spec : structs.get(name).fields) {
            if (!spec.versions.has(version)) continue;
            Field field = field(object, spec);
            if (filling == Filling.DEFAULT) {
                // Kafka's own default may be a null that this version cannot carry.
                if (field.get(object) == null && !spec.nullable.has(version)) {
                    field.set(object, value(spec.type, field.getType(), version, Filling.LEAST, true));
                }
                continue;
            }
            boolean isNull = filling == Filling.NULL && spec.nullable.has(version);
            field.set(object, isNull ? null : value(spec.type, field.getType(), version, filling, false));
        }
        if (filling == Filling.TAGS && flexible.has(version)) {
            List<RawTaggedField> tags = ((Message) object).unknownTaggedFields();
            tags.add(new RawTaggedField(100, new byte[] {1, 2, 3}));
            tags.add(new RawTaggedField(101, new byte[0]));
            tags.add(new RawTaggedField(2_000_000, new byte[200]));
        }
        return object;
    }

    private static Field field(Object object, FieldSpec spec) throws Exception {
        String name = Character.toLowerCase(spec.name.charAt(0)) + spec.name.substring(1);
        Field field = object.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private Object value(String type, Class<?> target, int version, Filling filling, boolean empty) throws Exception {
        if (!type.startsWith("[]")) return single(type, target, version, filling);
        Collection list = target == List.class
            ? new ArrayList<>() : (Collection) target.getDeclaredConstructor().newInstance();
        String element = type.substring(2);
        boolean isStruct = structs.containsKey(element);
        int count = switch (filling) {
            case FULL, TAGS -> isStruct ? 2 : 3;
            case LONG -> isStruct ? 1 : 140;
            default -> 1;
        };
        for (int index = 0; index < (empty ? 0 : count); index++) {
            list.add(single(element, Object.class, version, filling));
        }
        return list;
    }

    private Object single(String type, Class<?> target, int version, Filling filling) throws Exception {
        long random = next();
        boolean least = filling == Filling.LEAST;
        boolean most = filling == Filling.LONG;
        return switch (type) {
            case "bool" -> !least && (most || (random & 1) == 0);
            case "int8" -> least ? Byte.MIN_VALUE : most ? Byte.MAX_VALUE : (byte) random;
            case "int16" -> least ? Short.MIN_VALUE : most ? Short.MAX_VALUE : (short) random;
            case "uint16" -> least ? 0 : most ? 65535 : (int) (random & 0xffff);
            case "int32" -> least ? Integer.MIN_VALUE : most ? Integer.MAX_VALUE : (int) random;
            case "int64" -> least ? Long.MIN_VALUE : most ? Long.MAX_VALUE : random;
            case "float64" -> least ? -1234.5 : most ? 0.125 : (random & 0xffff) / 4.0;
            case "uuid" -> least ? Uuid.ZERO_UUID : new Uuid(random, next());
            case "string" -> least ? "" : text(random, most);
            case "bytes" -> {
                byte[] bytes = bytes(random, least, most);
                yield target == ByteBuffer.class ? ByteBuffer.wrap(bytes) : bytes;
            }
            case "records" -> records(bytes(random, least, most));
            default -> struct(type, version, filling);
        };
    }

    private static String text(long random, boolean most) {
        String text = "Zürich-⛰-日本-🦀-" + Long.toHexString(random);
        return most ? text.repeat(6) : text;
    }

    private static byte[] bytes(long random, boolean least, boolean most) {
        byte[] bytes = new byte[least ? 0 : most ? 150 : 5];
        for (int index = 0; index < bytes.length; index++) bytes[index] = (byte) (random >>> (index % 8));
        return bytes;
    }

    private static Object records(byte[] bytes) throws Exception {
        // The package of MemoryRecords moved in 4.4.
        Class<?> records = Class.forName("org.apache.kafka.common.record.internal.MemoryRecords");
        return records.getMethod("readableRecords", ByteBuffer.class).invoke(null, ByteBuffer.wrap(bytes));
    }

    // Wire and text.

    private static byte[] write(Message message, int version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, (short) version));
        message.write(new ByteBufferAccessor(buffer), cache, (short) version);
        if (buffer.hasRemaining()) throw new IllegalStateException("size() said too much");
        return buffer.array();
    }

    private Message read(byte[] bytes, int version) throws Exception {
        Message message = (Message) classOf(messageName).getDeclaredConstructor().newInstance();
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        message.read(new ByteBufferAccessor(buffer), (short) version);
        if (buffer.hasRemaining()) throw new IllegalStateException("read() left something");
        return message;
    }

    /** The values as Rust's {:?} prints the generated structures. */
    private void text(StringBuilder text, String name, Object object) throws Exception {
        text.append(name).append(" { ");
        for (FieldSpec spec : structs.get(name).fields) {
            text.append(snake(spec.name)).append(": ");
            Object value = field(object, spec).get(object);
            if (spec.type.equals("records")) {
                if (value == null) text.append("null"); else bytes(text, recordBytes(value));
            } else if (spec.nullable.empty()) {
                text(text, spec, value);
            } else if (value == null) {
                text.append("None");
            } else {
                text.append("Some(");
                text(text, spec, value);
                text.append(")");
            }
            text.append(", ");
        }
        text.append("unknown_tags: {");
        String separator = "";
        for (RawTaggedField tag : ((Message) object).unknownTaggedFields()) {
            text.append(separator).append(tag.tag()).append(": ");
            bytes(text, tag.data());
            separator = ", ";
        }
        text.append("} }");
    }

    private void text(StringBuilder text, FieldSpec spec, Object value) throws Exception {
        if (!spec.type.startsWith("[]")) {
            single(text, spec.type, value);
            return;
        }
        text.append("[");
        String separator = "";
        for (Object element : (Collection<?>) value) {
            text.append(separator);
            single(text, spec.type.substring(2), element);
            separator = ", ";
        }
        text.append("]");
    }

    private void single(StringBuilder text, String type, Object value) throws Exception {
        if (type.equals("string")) {
            text.append('"').append(value).append('"');
        } else if (value instanceof byte[] bytes) {
            bytes(text, bytes);
        } else if (value instanceof ByteBuffer buffer) {
            byte[] bytes = new byte[buffer.remaining()];
            buffer.duplicate().get(bytes);
            bytes(text, bytes);
        } else if (structs.containsKey(type)) {
            text(text, type, value);
        } else {
            text.append(value);
        }
    }

    private static byte[] recordBytes(Object records) throws Exception {
        ByteBuffer buffer = ((ByteBuffer) records.getClass().getMethod("buffer").invoke(records)).duplicate();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    private static void bytes(StringBuilder text, byte[] bytes) {
        text.append("[");
        for (int index = 0; index < bytes.length; index++) {
            text.append(index == 0 ? "" : ", ").append(bytes[index] & 0xff);
        }
        text.append("]");
    }

    private static String snake(String name) {
        return name.replaceAll("([a-z0-9])([A-Z])", "$1_$2").replaceAll("([A-Z])([A-Z][a-z])", "$1_$2").toLowerCase();
    }

    private static long digest(byte[] bytes) {
        long hash = 0xcbf29ce484222325L;
        for (byte value : bytes) {
            hash ^= value & 0xff;
            hash *= 0x100000001b3L;
        }
        return hash;
    }

    // Output.

    private void emit(DataOutputStream out, int version, int filling, long digest, byte[] bytes) throws Exception {
        out.writeByte(messageName.length());
        out.write(messageName.getBytes(StandardCharsets.US_ASCII));
        out.writeShort(version);
        out.writeByte(filling);
        out.writeLong(digest);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private void emitAll(DataOutputStream out, boolean print) throws Exception {
        for (int version = valid.min; version <= valid.max; version++) {
            for (Filling filling : Filling.values()) {
                if (filling == Filling.TAGS && !flexible.has(version)) continue;
                state = messageName.hashCode() * 31L + version;
                byte[] bytes = write((Message) struct(messageName, version, filling), version);
                StringBuilder text = new StringBuilder();
                text(text, messageName, read(bytes, version));
                if (print) System.out.println(version + " " + filling + " " + text);
                emit(out, version, filling.ordinal(), digest(text.toString().getBytes(StandardCharsets.UTF_8)), bytes);
            }
        }
        for (Filling filling : List.of(Filling.DEFAULT, Filling.FULL, Filling.NULL, Filling.LEAST)) {
            state = messageName.hashCode() * 31L + valid.max;
            Message newest = (Message) struct(messageName, valid.max, filling);
            newest = read(write(newest, valid.max), valid.max);
            for (int version = valid.min; version < valid.max; version++) {
                long digest = 0;
                try {
                    digest = digest(write(newest, version));
                } catch (RuntimeException refused) {
                    if (print) System.out.println(version + " " + filling + " refused: " + refused);
                }
                emit(out, version, 0x80 | filling.ordinal(), digest, new byte[0]);
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        mapper.enable(JsonParser.Feature.ALLOW_COMMENTS);
        Map<String, JsonNode> definitions = new TreeMap<>();
        try (JarFile jar = new JarFile(arguments[0])) {
            for (var entries = jar.entries(); entries.hasMoreElements();) {
                var entry = entries.nextElement();
                if (!entry.getName().matches("common/message/.*\\.json")) continue;
                JsonNode definition = mapper.readTree(jar.getInputStream(entry));
                definitions.put(definition.get("name").asText(), definition);
            }
        }
        int messages = 0;
        try (DataOutputStream out = new DataOutputStream(new GZIPOutputStream(new FileOutputStream(arguments[1])))) {
            for (JsonNode definition : definitions.values()) {
                String name = definition.get("name").asText();
                boolean wanted = !definition.get("type").asText().equals("data") || name.startsWith("ConsumerProtocol");
                if (!wanted || definition.path("validVersions").asText("none").equals("none")) continue;
                new WireMessages(definition).emitAll(out, arguments.length > 2 && arguments[2].equals(name));
                messages++;
            }
        }
        System.out.println(messages + " messages");
    }
}
