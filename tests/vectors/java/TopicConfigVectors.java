// Writes what Kafka answers to single topic configs: `java -cp 'libs/*' TopicConfigVectors.java <file>`.
//
// One line a case: name, value, then `ok` and the value as DescribeConfigs prints it, or `error` and
// the message. Backslash, tab and newline are written as \\, \t and \n.

import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.storage.internals.log.LogConfig;

public class TopicConfigVectors {
    private static final String[] ANY = {
        "", " ", "x", "true", " TRUE ", "False", "yes", "0", " 7 ", "+7", "-0", "007", "1e3", "1.5", "0.25", "-1",
        "-2", "-3", "1", "2", "3", "4", "9", "10", "17", "18", "22", "23", "1048575", "1048576", "2147483639",
        "2147483640", "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807",
        "9223372036854775808", "12a", "1_000", "0x10", "1L", "\u00a07",
    };
    private static final String[][] MORE = {
        {"cleanup.policy", "delete"}, {"cleanup.policy", "compact"}, {"cleanup.policy", "compact,delete"},
        {"cleanup.policy", " delete , compact "}, {"cleanup.policy", "delete,delete"},
        {"cleanup.policy", "delete,"}, {"cleanup.policy", ","}, {"cleanup.policy", "Delete"},
        {"cleanup.policy", "delete,x"}, {"cleanup.policy", "none"},
        {"compression.type", "producer"}, {"compression.type", "Producer"}, {"compression.type", " producer "},
        {"message.timestamp.type", "CreateTime"}, {"message.timestamp.type", "LogAppendTime"},
        {"message.timestamp.type", "logappendtime"},
        {"min.cleanable.dirty.ratio", "0.0"}, {"min.cleanable.dirty.ratio", "1.0"},
        {"min.cleanable.dirty.ratio", "1.01"}, {"min.cleanable.dirty.ratio", "-0.1"},
        {"min.cleanable.dirty.ratio", ".5"}, {"min.cleanable.dirty.ratio", "5e-1"},
        {"leader.replication.throttled.replicas", "*"}, {"leader.replication.throttled.replicas", "0:1"},
        {"leader.replication.throttled.replicas", "0:1,1:2"}, {"leader.replication.throttled.replicas", "none"},
        {"leader.replication.throttled.replicas", "0:1,0:1"}, {"leader.replication.throttled.replicas", "0:1,"},
        {"leader.replication.throttled.replicas", "0:a"}, {"leader.replication.throttled.replicas", "*,0:1"},
        {"follower.replication.throttled.replicas", "10:101 , 2:3"},
        {"follower.replication.throttled.replicas", "01:1:2"},
        {"remote.storage.enable", "true"}, {"no.such.key", "1"}, {"Retention.ms", "1"},
        {"retention.ms ", "1"}, {"message.format.version", "3.0"},
        {"message.downconversion.enable", "true"}, {"internal.segment.bytes", "100"},
    };

    public static void main(String[] args) throws Exception {
        List<String[]> cases = new ArrayList<>();
        for (String name : new TreeSet<>(LogConfig.configNames()))
            for (String value : ANY) cases.add(new String[] {name, value});
        for (String[] one : MORE) cases.add(one);
        try (PrintWriter w = new PrintWriter(Files.newBufferedWriter(Path.of(args[0])))) {
            for (String[] one : cases) w.println(escape(one[0]) + "\t" + escape(one[1]) + "\t" + judge(one[0], one[1]));
        }
    }

    private static String judge(String name, String value) {
        try {
            LogConfig.validate(Map.of(name, value));
            Properties properties = new Properties();
            properties.setProperty(name, value);
            LogConfig config = new LogConfig(properties);
            ConfigDef.Type type = LogConfig.configType(name).orElseThrow();
            return "ok\t" + escape(ConfigDef.convertToString(config.values().get(name), type));
        } catch (RuntimeException e) {
            return "error\t" + escape(e.getMessage());
        }
    }

    private static String escape(String text) {
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n");
    }
}
