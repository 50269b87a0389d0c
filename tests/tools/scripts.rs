//! The binary by the names of Kafka's scripts, wrong commands, and readers that go away.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::support::{Broker, klamm};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs `program` in `directory` as a shell does.
fn shell(directory: &Path, line: &str) -> Output {
    Command::new("sh")
        .args(["-c", line])
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell")
}

#[test]
fn the_lines_of_kafkas_quickstart_run_through_links() {
    let broker = Broker::start(&["num.shards=1"]);
    let server = broker.bootstrap();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let bin = directory.path().join("bin");
    let written = klamm(&["scripts", &bin.display().to_string()], "");
    assert!(written.status.success(), "{}", text(&written.stderr));
    let run = |line: &str| shell(directory.path(), &line.replace("localhost:9092", &server));
    let topic = "--topic quickstart-events --bootstrap-server localhost:9092";
    let created = run(&format!("bin/kafka-topics.sh --create {topic}"));
    assert_eq!(text(&created.stdout), "Created topic quickstart-events.\n");
    let produced = run(&format!("echo 'first event' | bin/kafka-console-producer.sh {topic}"));
    assert!(produced.status.success(), "{}", text(&produced.stderr));
    let consumed = run(&format!(
        "bin/kafka-console-consumer.sh {topic} --partition 0 --offset earliest --max-messages 1"
    ));
    assert_eq!(text(&consumed.stdout), "first event\n");
    let listed = run("bin/kafka-topics --list --bootstrap-server localhost:9092");
    assert_eq!(text(&listed.stdout), "quickstart-events\n");
    let help = run("bin/kafka-topics.sh --help");
    assert_eq!(help.status.code(), Some(1));
    assert!(
        text(&help.stderr).starts_with(
            "This tool helps to create, delete, describe, or change a topic.\nOption "
        )
    );
    let usage = run("bin/kafka-server-start.sh");
    assert_eq!(usage.status.code(), Some(1));
    assert!(text(&usage.stdout).starts_with("USAGE: kafka-server-start.sh "));
}

#[test]
fn what_is_mistyped_is_told_with_what_was_meant() {
    for (arguments, code, said) in [
        (
            &["topcs", "--list"][..],
            2,
            "there is no command \"topcs\". Did you mean `klamm topics`?",
        ),
        (
            &["zookeeper"],
            2,
            "there is no command \"zookeeper\".\n`klamm --help` lists the commands.",
        ),
        (&["my.properties"], 2, "`klamm start my.properties`"),
        (&["kafka-topic.sh"], 2, "there is no kafka-topic here. Did you mean kafka-topics.sh?"),
        (&["topics", "--lst"], 1, "lst is not a recognized option\nDid you mean --list?\n"),
        (&["consumer-groups", "--reset-offset"], 1, "Did you mean --reset-offsets?"),
        (&["start", "--overide", "a=b"], 2, "'--override'"),
    ] {
        let output = klamm(arguments, "");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
    }
    let help = text(&klamm(&["--help"], "").stdout);
    for name in ["start", "topics", "configs", "consumer-groups", "scripts", "completions"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(name)), "{name}: {help}");
    }
}

/// A reader that takes one line and goes, as `head -1` does, of either output.
#[test]
fn a_closed_pipe_ends_a_tool_quietly() {
    let broker = Broker::start(&["num.shards=1"]);
    let server = broker.bootstrap();
    let program = env!("CARGO_BIN_EXE_klamm");
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let quiet = |line: &str| {
        let line = format!("{{ {program} {line}; echo \"code $?\" >code; }} 2>err");
        let output = shell(directory.path(), &line);
        let read =
            |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap_or_default();
        assert_eq!(read("err"), "", "{line}");
        (text(&output.stdout), read("code"))
    };
    for topic in ["a", "b"] {
        let created =
            klamm(&["topics", "--create", "--topic", topic, "--bootstrap-server", &server], "");
        assert!(created.status.success());
    }
    // The pipe is closed before anything is written.
    let closed = |line: &str| quiet(&format!("{line} | true"));
    let list = format!("topics --list --bootstrap-server {server}");
    closed(&list);
    closed(&format!("topics --describe --bootstrap-server {server}"));
    closed(&format!("consumer-groups --list --bootstrap-server {server}"));
    let (_, code) = quiet(&format!("{list} >&-"));
    assert_eq!(code, "code 0\n");
    for line in ["topics --help 2>&-", "topics --help 2>&1 | true", "nonsense 2>&-", "--help >&-"] {
        let (_, code) = quiet(line);
        assert!(["code 0\n", "code 1\n", "code 2\n"].contains(&&*code), "{line}: {code}");
    }
}

#[test]
fn shells_complete_what_the_tools_take() {
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&klamm(&["completions", shell], "").stdout);
        for word in
            ["reset-offsets", "bootstrap-server", "consumer-groups", "override", "kafka-topics.sh"]
        {
            assert!(script.contains(word), "{shell} knows {word}");
        }
    }
    assert_eq!(klamm(&["completions", "tcsh"], "").status.code(), Some(2));
    // Bash reads its script, and gives what begins with what was typed.
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let script = klamm(&["completions", "bash"], "").stdout;
    std::fs::write(directory.path().join("completions"), script).expect("it can be written");
    let complete = |function: &str, words: &str| {
        let line = format!(
            "bash -c 'source ./completions; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             {function} \"${{COMP_WORDS[0]}}\" \"${{COMP_WORDS[COMP_CWORD]}}\" \
             \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; echo \"${{COMPREPLY[*]}}\"'"
        );
        let output = shell(directory.path(), &line);
        assert_eq!(text(&output.stderr), "", "{words}");
        text(&output.stdout)
    };
    assert_eq!(
        complete("_klamm", "klamm cons"),
        "console-producer console-consumer consumer-groups\n"
    );
    assert_eq!(complete("_klamm", "klamm topics --desc"), "--describe\n");
    assert_eq!(complete("_kafka__topics.sh", "kafka-topics.sh --desc"), "--describe\n");
}
