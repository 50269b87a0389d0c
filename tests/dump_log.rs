//! `dump-log` against what Kafka's own tool printed for the same files (`tests/vectors/dump-log`).

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const EXPECTED: &str = include_str!("vectors/dump-log/expected.txt");

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/dump-log")
}

fn dump_log(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_klamm"))
        .arg("dump-log")
        .args(arguments.split(' '))
        .current_dir(directory())
        .stdin(Stdio::null())
        .output()
        .expect("the binary was built with this test")
}

/// One run of Kafka's tool: its arguments, its lines on both outputs and its exit code.
#[derive(Default)]
struct Recorded {
    arguments: String,
    stdout: String,
    stderr: String,
    code: i32,
}

fn recorded() -> Vec<Recorded> {
    let mut runs = Vec::new();
    let mut run = Recorded::default();
    for line in EXPECTED.lines() {
        if let Some(arguments) = line.strip_prefix("$ ") {
            run = Recorded { arguments: arguments.to_owned(), ..Recorded::default() };
        } else if let Some(said) = line.strip_prefix("! ") {
            run.stderr += &format!("{said}\n");
        } else if let Some(code) = line.strip_prefix("= ") {
            run.code = code.parse().expect("a recorded exit code is a number");
            runs.push(std::mem::take(&mut run));
        } else {
            run.stdout += &format!("{line}\n");
        }
    }
    runs
}

#[test]
fn every_line_is_kafkas() {
    let runs = recorded();
    assert!(runs.len() > 20);
    for run in runs {
        let output = dump_log(&run.arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(run.code), "{}: {said}", run.arguments);
        if run.code != 0 {
            // Where Kafka's tool dies with a Java exception, this one says what is wrong.
            assert_eq!(said.trim_end().lines().count(), 1, "{}: {said}", run.arguments);
            continue;
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert_eq!(stdout, run.stdout, "{}", run.arguments);
        let said = said.replace(&directory().display().to_string(), "DIRECTORY");
        assert_eq!(said, run.stderr, "{}", run.arguments);
    }
}

#[test]
fn what_was_read_before_the_damage_is_shown() {
    let output = dump_log("--files damaged/00000000000000000000.log");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let batches: Vec<&str> = stdout.lines().filter(|line| line.starts_with("baseOffset")).collect();
    assert_eq!(batches.len(), 2, "{stdout}");
    assert!(batches[0].ends_with("isvalid: true"), "{stdout}");
    assert!(batches[1].ends_with("isvalid: false"), "{stdout}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("Found record size 0 smaller than minimum record overhead (14)"),
        "{said}"
    );
}

#[test]
fn a_reader_that_goes_ends_it_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args(["dump-log", "--print-data-log", "--files", "mix/00000000000000000000.log"])
        .current_dir(directory())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built with this test");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("a child can be waited for");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
