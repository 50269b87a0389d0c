// Writes what java.util.Properties reads from some texts: `java PropertiesVectors.java <file>`.
//
// A case is a line `text` and the text, then `error`, or a line `key`, key, value for each property
// in the order of the keys. Everything is escaped as \\, \t, \n, \r and \f.

import java.io.PrintWriter;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import java.util.TreeSet;

public class PropertiesVectors {
    private static final String[] CASES = {
        "", "a", "a=", "=b", "=", ":", "a=b", "a:b", "a b", "a\tb", "a\fb", "a = b", "a : b", "a =: b", "a == b",
        "a  =  b  ", "  a=b", "\ta=b", "\fa=b", "#a=b", "!a=b", "  #a=b", "a=#b", "a#=b", "a=b#c", "# c\\\na=b",
        "a=b\n", "a=b\r\nc=d", "a=b\rc=d", "a=b\n\n\nc=d", "a=b\r\r\nc=d\n\r", "a=1\na=2", "a=1\nA=2",
        "a=b\\\nc", "a=b\\\n   c", "a=b\\\r\n\tc", "a=b\\\rc", "a=b\\\\\nc=d", "a=b\\\\\\\nc=d", "a=b\\",
        "a=b\\\n", "a\\\n=b", "a\\\nb=c", "a=\\\n\\\nb", "a=b\\\n#c", "a=b\\\n\nc=d", "\\", "\\\n", "\\\n\\\na=b",
        "\\\n#a=b", "\\\n\na=b", "a\\ b=c", "a\\=b=c", "a\\:b:c", "\\#a=b", "\\!a=b", "a=\\ b", "a=\\=b", "a=b\\ ",
        "a=\\t\\n\\r\\f\\q\\\"\\'", "a=\\u0041", "a\\u003db=c", "a=\\u00e4\\u20AC", "a=\\u004", "a=\\u00g1",
        "a=\\u", "a=\\\\u0041", "a=\\U0041", "a=\\uD83D\\uDE00", "a=\u00e4", "a=\u00a0b", "a\u00a0=b", "a=\\\u00e4",
        "a=\\u0020b", "a=\\u000ab", "\\u0020a=b", "\\u0023a=b", "a=b c d", "a b=c", "a\\", "a=\\u00\\\n41",
        "log.dirs=/tmp/a,\\\n         /tmp/b", "listeners=PLAINTEXT://:9092", "listeners PLAINTEXT://:9092",
        "path=C\\:\\\\x\\y", "a=b\u2028c=d", "a=b\u0085c=d", "a=b\u000bc", "\u000ba=b", "a\u0000=b",
    };

    public static void main(String[] args) throws Exception {
        List<String> texts = new ArrayList<>(List.of(CASES));
        Random random = new Random(1);
        String alphabet = "ab=: \t\f\\\n\r#!u01";
        for (int i = 0; i < 400; i++) {
            StringBuilder text = new StringBuilder();
            int size = 1 + random.nextInt(24);
            for (int j = 0; j < size; j++) text.append(alphabet.charAt(random.nextInt(alphabet.length())));
            texts.add(text.toString());
        }
        try (PrintWriter w = new PrintWriter(Files.newBufferedWriter(Path.of(args[0])))) {
            for (String text : texts) {
                w.print("text\t" + escape(text) + "\n");
                Properties properties = new Properties();
                try {
                    properties.load(new StringReader(text));
                } catch (IllegalArgumentException e) {
                    w.print("error\n");
                    continue;
                }
                for (String key : new TreeSet<>(properties.stringPropertyNames()))
                    w.print("key\t" + escape(key) + "\t" + escape(properties.getProperty(key)) + "\n");
            }
        }
    }

    private static String escape(String text) {
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
            .replace("\r", "\\r").replace("\f", "\\f");
    }
}
