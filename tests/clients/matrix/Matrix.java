import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;

/**
 * Kafka's Java clients through the matrix: before a kill -9 of the broker, across it and after it. Called with the
 * phase (first, across, second) and the broker; it ends with an error where something is not as with Kafka.
 */
public class Matrix {
    static final int PARTITIONS = 2, PER_CODEC = 20, NEWS = 10;
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final String STRING = "org.apache.kafka.common.serialization.String";

    record Value(int partition, String text) {}

    final String broker, topic, group;

    Matrix(String broker, String topic) {
        this.broker = broker;
        this.topic = topic;
        this.group = topic + "-group";
    }

    static void require(boolean holds, String otherwise) {
        if (!holds) throw new AssertionError(otherwise);
    }

    static List<Value> valuesOf(String codec, int count) {
        return IntStream.range(0, count).mapToObj(i -> new Value(i % PARTITIONS, codec + "-" + i)).toList();
    }

    Properties properties(String... pairs) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", broker);
        for (int i = 0; i < pairs.length; i += 2) properties.put(pairs[i], pairs[i + 1]);
        return properties;
    }

    /** Its producers are idempotent unless told otherwise. */
    KafkaProducer<String, String> producer(String codec) {
        return new KafkaProducer<>(properties("compression.type", codec, "linger.ms", "5",
            "key.serializer", STRING + "Serializer", "value.serializer", STRING + "Serializer"));
    }

    void produce(String codec, List<Value> values) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = producer(codec)) {
            for (Value value : values)
                sent.add(producer.send(new ProducerRecord<>(topic, value.partition, null, value.text)));
        }
        for (var one : sent) one.get();
    }

    List<Value> consume(int enough) {
        List<Value> read = new ArrayList<>();
        try (var consumer = new KafkaConsumer<String, String>(properties("group.id", group,
                "auto.offset.reset", "earliest", "enable.auto.commit", "false",
                "key.deserializer", STRING + "Deserializer", "value.deserializer", STRING + "Deserializer"))) {
            consumer.subscribe(List.of(topic));
            while (read.size() < enough)
                for (var record : consumer.poll(Duration.ofSeconds(1)))
                    read.add(new Value(record.partition(), record.value()));
            consumer.commitSync();
        }
        return read;
    }

    static List<String> of(List<Value> values, int partition) {
        return values.stream().filter(value -> value.partition == partition).map(Value::text).toList();
    }

    void requireCommitted(Admin admin, long each) throws Exception {
        var found = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        require(found.size() == PARTITIONS && found.values().stream().allMatch(one -> one.offset() == each),
            "committed " + found);
    }

    void first(Admin admin) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get();
        List<Value> sent = new ArrayList<>();
        for (String codec : CODECS) {
            produce(codec, valuesOf(codec, PER_CODEC));
            sent.addAll(valuesOf(codec, PER_CODEC));
        }
        List<Value> read = consume(sent.size());
        for (int partition = 0; partition < PARTITIONS; partition++)
            require(of(read, partition).equals(of(sent, partition)), "read " + read);
        requireCommitted(admin, sent.size() / PARTITIONS);
        calls(admin, sent.size() / PARTITIONS);
        produce("none", valuesOf("news", NEWS));
    }

    void calls(Admin admin, long end) throws Exception {
        require(admin.listTopics().names().get().contains(topic), "listed topics");
        var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        require(described.partitions().size() == PARTITIONS, "" + described);
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var change = new AlterConfigOp(new ConfigEntry("retention.ms", "1234567"), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
        var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        require(config.get("retention.ms").value().equals("1234567"), "" + config);
        require(admin.listGroups().all().get().stream().anyMatch(one -> one.groupId().equals(group)), "listed groups");
        var members = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        require(members.groupState() == GroupState.EMPTY, "" + members);
        var partition = new TopicPartition(topic, 0);
        var latest = admin.listOffsets(Map.of(partition, OffsetSpec.latest())).partitionResult(partition).get();
        require(latest.offset() == end, "" + latest);
        require(admin.describeCluster().nodes().get().size() == 1, "one broker");
        require(!admin.describeLogDirs(List.of(1, 0)).descriptions().isEmpty(), "log directories");
        String other = topic + "-other";
        admin.createTopics(List.of(new NewTopic(other, 1, (short) 1))).all().get();
        admin.createPartitions(Map.of(other, NewPartitions.increaseTo(3))).all().get();
        admin.deleteTopics(List.of(other)).all().get();
    }

    void across() throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = producer("lz4")) {
            while (!Files.exists(Path.of(System.getenv("MATRIX_STOP")))) {
                sent.add(producer.send(new ProducerRecord<>(topic, 0, null, "" + sent.size())));
                Thread.sleep(5);
            }
        }
        for (var one : sent) one.get();
        System.out.println(sent.size());
    }

    void second(Admin admin) throws Exception {
        List<Value> read = consume(NEWS);
        for (int partition = 0; partition < PARTITIONS; partition++)
            require(of(read, partition).equals(of(valuesOf("news", NEWS), partition)), "read " + read);
        requireCommitted(admin, (CODECS.size() * PER_CODEC + NEWS) / PARTITIONS);
        admin.deleteConsumerGroups(List.of(group)).all().get();
        admin.deleteTopics(List.of(topic)).all().get();
    }

    public static void main(String[] arguments) throws Exception {
        String phase = arguments[0];
        var matrix = new Matrix(arguments[1], (phase.equals("across") ? "across" : "matrix") + "-java");
        try (Admin admin = Admin.create(matrix.properties())) {
            switch (phase) {
                case "first" -> matrix.first(admin);
                case "across" -> matrix.across();
                case "second" -> matrix.second(admin);
                default -> throw new IllegalArgumentException(phase);
            }
        }
    }
}
