import java.time.Duration;
import java.util.*;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;

/** Java consumers in one group, by each assignor: they share a topic, commit, take over and are described. */
public class Groups {
    static final int PARTITIONS = 6, ROUNDS = 20;
    static final String STRING = "org.apache.kafka.common.serialization.String";

    static Properties base(String broker) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", broker);
        return properties;
    }

    static KafkaConsumer<String, String> member(String broker, String group, String assignor, String instance) {
        Properties properties = base(broker);
        properties.put("group.id", group);
        properties.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        properties.put("session.timeout.ms", "10000");
        properties.put("heartbeat.interval.ms", "500");
        if (instance != null) properties.put("group.instance.id", instance);
        properties.put("key.deserializer", STRING + "Deserializer");
        properties.put("value.deserializer", STRING + "Deserializer");
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties);
        consumer.subscribe(List.of(group));
        return consumer;
    }

    static void until(String what, List<KafkaConsumer<String, String>> members, Set<String> seen, BooleanSupplier done) {
        long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!done.getAsBoolean()) {
            require(System.nanoTime() < deadline, "not within a minute: " + what);
            for (var member : members)
                for (var record : member.poll(Duration.ofMillis(50)))
                    require(seen.add(record.partition() + "/" + record.offset()), "a record came twice");
        }
        System.out.println("java: " + what);
    }

    static void require(boolean holds, String otherwise) {
        if (!holds) throw new AssertionError(otherwise);
    }

    static void check(String broker, Admin admin, String assignor) throws Exception {
        String group = assignor.toLowerCase();
        admin.createTopics(List.of(new NewTopic(group, PARTITIONS, (short) 1))).all().get();
        Properties properties = base(broker);
        properties.put("key.serializer", STRING + "Serializer");
        properties.put("value.serializer", STRING + "Serializer");
        try (var producer = new KafkaProducer<String, String>(properties)) {
            for (int i = 0; i < ROUNDS * PARTITIONS; i++)
                producer.send(new ProducerRecord<>(group, i % PARTITIONS, null, "" + i));
        }
        Set<String> seen = new HashSet<>();
        var first = member(broker, group, assignor, null);
        until(assignor + ": one reads everything", List.of(first), seen, () -> seen.size() == ROUNDS * PARTITIONS);
        first.commitSync();
        var second = member(broker, group, assignor, "two");
        var third = member(broker, group, assignor, null);
        var all = List.of(first, second, third);
        until(assignor + ": three share", all, seen, () -> all.stream().allMatch(one -> one.assignment().size() == 2));
        var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        require(described.groupState() == GroupState.STABLE && described.members().size() == 3, "" + described);
        require(described.members().stream().mapToInt(one -> one.assignment().topicPartitions().size()).sum() == PARTITIONS,
            "" + described);
        third.close();
        until(assignor + ": two take over", List.of(first, second), seen,
            () -> first.assignment().size() == 3 && second.assignment().size() == 3);
        // A static member that is removed by an administrator, and one that leaves.
        second.close();
        admin.removeMembersFromConsumerGroup(group,
            new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("two")))).all().get();
        until(assignor + ": one is left", List.of(first), seen, () -> first.assignment().size() == PARTITIONS);
        first.close();
        for (var offset : admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values())
            require(offset.offset() == ROUNDS, "committed " + offset);
        admin.deleteConsumerGroups(List.of(group)).all().get();
    }

    public static void main(String[] arguments) throws Exception {
        try (Admin admin = Admin.create(base(arguments[0]))) {
            for (String assignor : List.of("RangeAssignor", "RoundRobinAssignor", "StickyAssignor", "CooperativeStickyAssignor"))
                check(arguments[0], admin, assignor);
        }
        System.out.println("java: passed");
    }
}
