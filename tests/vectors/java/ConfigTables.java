// Writes the broker's and the topics' configuration keys of the Kafka on the class path as two
// tab-separated tables: `java -cp 'libs/*' ConfigTables.java <directory>`.
//
// One line a key, in the order of a DescribeConfigs answer, internal keys last:
//   name, type, default, validator, importance, update mode, internal, server synonyms, documentation
// A default is `none` (the key must be given), `null`, or `=` and its text. Backslash, tab and
// newline are written as \\, \t and \n.

import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import kafka.server.KafkaConfig;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;

public class ConfigTables {
    public static void main(String[] args) throws Exception {
        Path out = Path.of(args[0]);
        Map<String, String> modes = DynamicBrokerConfig.dynamicConfigUpdateModes();
        try (PrintWriter w = writer(out.resolve("kafka-4.4.0-broker.tsv"))) {
            for (ConfigDef.ConfigKey key : ordered(AbstractKafkaConfig.CONFIG_DEF.configKeys(), broker())) {
                List<String> synonyms = DynamicBrokerConfig.brokerConfigSynonyms(key.name, true);
                row(w, key, modes.getOrDefault(key.name, "read-only"), String.join(",", synonyms));
            }
        }
        try (PrintWriter w = writer(out.resolve("kafka-4.4.0-topic.tsv"))) {
            for (ConfigDef.ConfigKey key : ordered(LogConfig.configKeys(), new LogConfig(Map.of()))) {
                StringBuilder synonyms = new StringBuilder();
                List<ConfigSynonym> all =
                    ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.getOrDefault(key.name, List.of());
                for (ConfigSynonym synonym : all) {
                    if (synonyms.length() > 0) synonyms.append(',');
                    synonyms.append(synonym.name());
                    String one = synonym.converter().apply("1");
                    if (!one.equals("1")) synonyms.append('*').append(one);
                }
                row(w, key, "topic", synonyms.toString());
            }
        }
    }

    private static AbstractConfig broker() {
        Properties file = new Properties();
        file.put("node.id", "1");
        file.put("process.roles", "broker,controller");
        file.put("controller.listener.names", "CONTROLLER");
        file.put("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093");
        file.put("controller.quorum.bootstrap.servers", "localhost:9093");
        return KafkaConfig.fromProps(file);
    }

    private static Collection<ConfigDef.ConfigKey> ordered(
            Map<String, ConfigDef.ConfigKey> keys, AbstractConfig config) {
        Map<String, ConfigDef.ConfigKey> rest = new TreeMap<>(keys);
        List<ConfigDef.ConfigKey> all = new ArrayList<>();
        for (String name : config.nonInternalValues().keySet()) all.add(rest.remove(name));
        all.addAll(rest.values());
        return all;
    }

    private static PrintWriter writer(Path path) throws Exception {
        return new PrintWriter(Files.newBufferedWriter(path));
    }

    private static void row(PrintWriter w, ConfigDef.ConfigKey key, String mode, String synonyms) {
        String value = !key.hasDefault() ? "none"
            : key.defaultValue == null ? "null"
            : "=" + ConfigDef.convertToString(key.defaultValue, key.type);
        String validator = key.validator == null ? "" : key.validator.toString();
        String[] cells = {
            key.name, key.type.name(), value, validator, key.importance.name(), mode,
            key.internalConfig ? "internal" : "public", synonyms,
            key.documentation == null ? "" : key.documentation,
        };
        for (int i = 0; i < cells.length; i++) {
            String cell = cells[i].replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n");
            w.print(cell);
            w.print(i + 1 < cells.length ? '\t' : '\n');
        }
    }
}
