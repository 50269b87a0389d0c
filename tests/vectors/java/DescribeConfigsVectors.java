// Writes what Kafka's DescribeConfigs answers for a topic and a broker, for several configuration
// files: `java -cp 'libs/*' DescribeConfigsVectors.java <file>`.
//
// A case is a line `case`, its broker properties (`broker`, key, value), its topic's overrides
// (`topic`, key, value), then `topic-entry` lines in the order of the answer: name, value or `null`,
// source, sensitive, read-only, type, synonyms as name=value@source joined by `;`. The first case
// also has `broker-entry` lines.

import java.io.PrintWriter;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import kafka.server.ConfigHelper;
import kafka.server.KafkaConfig;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.message.DescribeConfigsRequestData.DescribeConfigsResource;
import org.apache.kafka.common.message.DescribeConfigsResponseData.DescribeConfigsResourceResult;
import org.apache.kafka.common.message.DescribeConfigsResponseData.DescribeConfigsResult;
import org.apache.kafka.metadata.ConfigRepository;
import org.apache.kafka.metadata.MetadataCache;
import scala.jdk.javaapi.CollectionConverters;

public class DescribeConfigsVectors {
    private static final String[][][] CASES = {
        {{}, {}},
        {{"log.retention.hours", "1"}, {}},
        {{"log.retention.minutes", "2"}, {}},
        {{"log.retention.ms", "3"}, {}},
        {{"log.retention.hours", "1", "log.retention.minutes", "2"}, {}},
        {{"log.retention.hours", "1", "log.retention.minutes", "2", "log.retention.ms", "3"}, {}},
        {{"log.retention.hours", "-1"}, {}},
        {{"log.retention.hours", "2147483647"}, {}},
        {{"log.retention.minutes", "-1", "log.retention.hours", "5"}, {}},
        {{"log.roll.hours", "1"}, {}},
        {{"log.roll.hours", "1", "log.roll.ms", "5"}, {}},
        {{"log.roll.jitter.hours", "1"}, {}},
        {{"log.roll.jitter.hours", "1", "log.roll.jitter.ms", "5"}, {}},
        {{"log.flush.scheduler.interval.ms", "7"}, {}},
        {{"log.flush.scheduler.interval.ms", "7", "log.flush.interval.ms", "8"}, {}},
        {{"log.flush.interval.messages", "10", "log.segment.bytes", "1048576", "message.max.bytes", "2000",
          "log.retention.bytes", "77", "min.insync.replicas", "2", "log.cleanup.policy", "compact , delete",
          "log.index.interval.bytes", "1", "log.index.size.max.bytes", "64", "log.preallocate", "TRUE",
          "log.segment.delete.delay.ms", "4", "log.message.timestamp.type", "LogAppendTime",
          "log.message.timestamp.before.max.ms", "5", "log.message.timestamp.after.max.ms", "6",
          "log.cleaner.delete.retention.ms", "7", "log.cleaner.min.compaction.lag.ms", "8",
          "log.cleaner.max.compaction.lag.ms", "9", "log.cleaner.min.cleanable.ratio", ".25",
          "unclean.leader.election.enable", "true", "log.local.retention.ms", "1",
          "log.local.retention.bytes", "2", "max.decompressed.message.bytes", "3000",
          "compression.gzip.level", "3", "compression.lz4.level", "4", "compression.zstd.level", "5",
          "log.remote.copy.lag.ms", "0", "log.remote.copy.lag.bytes", "0"}, {}},
        {{"log.segment.bytes", "1048577", "log.retention.hours", "1"},
         {"segment.bytes", "1048576", "retention.ms", "5", "cleanup.policy", "compact",
          "follower.replication.throttled.replicas", "0:1,1:2", "preallocate", "true"}},
    };

    public static void main(String[] args) throws Exception {
        try (PrintWriter w = new PrintWriter(Files.newBufferedWriter(Path.of(args[0])))) {
            boolean first = true;
            for (String[][] one : CASES) {
                describe(w, one[0], one[1], first);
                first = false;
            }
        }
    }

    private static void describe(PrintWriter w, String[] broker, String[] topic, boolean both) {
        Properties file = new Properties();
        file.put("node.id", "1");
        file.put("process.roles", "broker,controller");
        file.put("controller.listener.names", "CONTROLLER");
        file.put("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093");
        file.put("advertised.listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093");
        file.put("controller.quorum.bootstrap.servers", "localhost:9093");
        w.println("case");
        for (int i = 0; i < broker.length; i += 2) {
            file.put(broker[i], broker[i + 1]);
            w.println("broker\t" + broker[i] + "\t" + broker[i + 1]);
        }
        Properties overrides = new Properties();
        for (int i = 0; i < topic.length; i += 2) {
            overrides.put(topic[i], topic[i + 1]);
            w.println("topic\t" + topic[i] + "\t" + topic[i + 1]);
        }
        KafkaConfig config = KafkaConfig.fromProps(file);
        config.dynamicConfig().initialize(scala.Option.empty());
        MetadataCache cache = (MetadataCache) Proxy.newProxyInstance(
            MetadataCache.class.getClassLoader(), new Class<?>[] {MetadataCache.class},
            (proxy, method, arguments) -> {
                if (method.getName().equals("contains")) return true;
                throw new UnsupportedOperationException(method.getName());
            });
        ConfigRepository repository = new ConfigRepository() {
            @Override
            public Properties config(ConfigResource resource) {
                return resource.type() == ConfigResource.Type.TOPIC ? overrides : new Properties();
            }
        };
        ConfigHelper helper = new ConfigHelper(cache, config, repository);
        List<DescribeConfigsResource> resources = new ArrayList<>();
        resources.add(new DescribeConfigsResource().setResourceType(ConfigResource.Type.TOPIC.id()).setResourceName("t"));
        if (both) {
            resources.add(new DescribeConfigsResource().setResourceType(ConfigResource.Type.BROKER.id()).setResourceName("1"));
        }
        List<DescribeConfigsResult> results = CollectionConverters.asJava(
            helper.describeConfigs(CollectionConverters.asScala(resources).toList(), true, true));
        String kind = "topic-entry";
        for (DescribeConfigsResult result : results) {
            if (result.errorCode() != 0) throw new IllegalStateException(result.errorMessage());
            for (DescribeConfigsResourceResult e : result.configs()) {
                String synonyms = e.synonyms().stream()
                    .map(s -> s.name() + "=" + s.value() + "@" + s.source()).collect(Collectors.joining(";"));
                w.println(String.join("\t", kind, e.name(), String.valueOf(e.value()), "" + e.configSource(),
                    "" + e.isSensitive(), "" + e.readOnly(), "" + e.configType(), synonyms));
            }
            kind = "broker-entry";
        }
    }
}
