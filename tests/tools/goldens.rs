//! Tools that say what Kafka's tools of the same names said on such a broker, line by line.
//!
//! The scripts lie in `tests/vectors/tools`; `tests/clients/record.sh` says what their lines mean, and wrote the
//! answers with Kafka's tools.

use std::process::Output;

use super::AT_ONCE;
use super::support::{Broker, klamm};

/// What one command answers, as a script has it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    stdout: Vec<String>,
    stderr: Vec<String>,
    code: String,
}

/// Plays a script on a broker of its own and compares every answer.
fn check(script: &str) {
    let broker = Broker::start(&[AT_ONCE, "num.shards=1"]);
    let mut lines = script.lines().peekable();
    let mut compared = 0;
    while let Some(line) = lines.next() {
        match line.split_at_checked(2) {
            Some(("% ", command)) => {
                let (command, input) = command.split_once(" < ").unwrap_or((command, ""));
                let output = run(&broker, command, &input_of(input));
                assert!(output.status.success(), "{command}: {output:?}");
            }
            Some(("$ ", command)) => {
                let mut expected = Answer::default();
                while let Some(said) = lines.next_if(|next| next.starts_with(['>', '!', '='])) {
                    let (kind, text) = said.split_at(1);
                    match kind {
                        ">" => expected.stdout.push(text.to_owned()),
                        "!" => expected.stderr.push(text.to_owned()),
                        _ => text.clone_into(&mut expected.code),
                    }
                }
                let found = answer(&run(&broker, command, ""), expected.stderr.len());
                assert_eq!(found, expected, "{command}");
                compared += 1;
            }
            _ => assert!(line.is_empty() || line.starts_with('#'), "{line} is of no script"),
        }
    }
    assert!(compared > 10, "a script has commands");
}

fn run(broker: &Broker, command: &str, input: &str) -> Output {
    let server = broker.bootstrap();
    let mut words: Vec<&str> = command.split(' ').collect();
    words.splice(1..1, ["--bootstrap-server", &server]);
    klamm(&words, input)
}

/// `keyed 3` is 1<tab>1, 2<tab>2, 3<tab>3; `3` is 1, 2, 3.
fn input_of(text: &str) -> String {
    let (is_keyed, count) = match text.split_once(' ') {
        Some((_, count)) => (true, count),
        None => (false, text),
    };
    let count = count.parse().unwrap_or(0);
    let line = |number: u32| match is_keyed {
        true => format!("{number}\t{number}\n"),
        false => format!("{number}\n"),
    };
    (1..=count).map(line).collect()
}

/// What was said, with a port that is always the same; of standard error as many lines as are compared.
fn answer(output: &Output, stderr_lines: usize) -> Answer {
    let steady = |text: &str| -> String {
        let mut pieces = text.split("127.0.0.1:");
        let mut steady = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let digits =
                piece.len() - piece.trim_start_matches(|one: char| one.is_ascii_digit()).len();
            assert_eq!(digits, 5, "the columns are as wide as with the ports of the script");
            steady.push_str("127.0.0.1:99999");
            steady.push_str(&piece[digits..]);
        }
        steady
    };
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    // Our logger's lines begin with the time, as those of Kafka's that are left out begin with the thread.
    let is_said = |line: &&str| !line.is_empty() && !line.starts_with("20");
    let said = stderr.lines().filter(is_said).take(stderr_lines.max(1)).map(steady).collect();
    let code = output.status.code().map(|code| code.to_string()).unwrap_or_default();
    Answer { stdout: steady(&stdout).lines().map(str::to_owned).collect(), stderr: said, code }
}

#[test]
fn consumer_groups_answers_as_kafkas_tool() {
    check(include_str!("../vectors/tools/consumer-groups.txt"));
}

#[test]
fn configs_answers_as_kafkas_tool() {
    check(include_str!("../vectors/tools/configs.txt"));
}
