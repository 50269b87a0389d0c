//! A real broker for a test: its own process on free ports of the loopback, its own data directory, gone when dropped.
//!
//! ```ignore
//! mod support;
//! let broker = support::Broker::start(&[]);
//! client.connect(&broker.bootstrap());
//! ```
//! The data lies under cargo's target directory, which is on a disk, since direct I/O is refused on a tmpfs.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// How long a broker may take to be ready: a debug build on a busy machine, after a `kill -9`.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Tries at a free port: between finding and using one, another process may take it.
const PORT_TRIES: usize = 5;

/// A running broker.
pub struct Broker {
    child: Child,
    port: u16,
    admin_port: u16,
    overrides: Vec<String>,
    /// The command that it runs under, at every start.
    under: Vec<String>,
    directory: tempfile::TempDir,
}

impl Broker {
    /// Starts a broker on an empty directory with `overrides` (`key=value`) and waits until it is ready.
    pub fn start(overrides: &[&str]) -> Broker {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = tempfile::Builder::new()
            .prefix("broker-")
            .tempdir_in(root)
            .expect("the target directory takes a temporary one");
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        let (port, admin_port, child) = spawn_on_free_ports(directory.path(), &overrides);
        Broker { child, port, admin_port, overrides, under: Vec::new(), directory }
    }

    /// Like `start`, by the command `under`, which ends in running what follows it; `None` where this
    /// machine does not have it.
    pub fn start_under(under: &[&str], overrides: &[&str]) -> Option<Broker> {
        Command::new(under[0]).arg("--version").output().ok()?;
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = tempfile::tempdir_in(root).expect("the target directory takes another");
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        let (port, admin_port) = (free_port(), free_port());
        let ports = (port, admin_port);
        let (child, ready) = launch_under(under, directory.path(), ports, &overrides);
        let under = under.iter().map(|word| (*word).to_owned()).collect();
        let broker = Broker { child, port, admin_port, overrides, under, directory };
        assert!(is_ready(&ready), "the broker did not start:\n{}", broker.log());
        Some(broker)
    }

    /// What a client connects to.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where `/healthz`, `/readyz` and `/metrics` are.
    pub fn admin_address(&self) -> String {
        format!("127.0.0.1:{}", self.admin_port)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        data_dir(self.directory.path())
    }

    /// What the broker has logged since it was started for the first time.
    pub fn log(&self) -> String {
        fs::read_to_string(log_path(self.directory.path())).unwrap_or_default()
    }

    /// `kill -9`: returns when the process is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("the broker is a child of this process");
        self.child.wait().expect("a killed child can be waited for");
    }

    /// SIGTERM, as an operator stops it; returns when the process has ended by itself.
    pub fn stop(&mut self) -> ExitStatus {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the broker takes a SIGTERM");
        self.child.wait().expect("a child can be waited for")
    }

    /// Starts it again on the same directory and ports, after `kill` or `stop`, and waits until it is ready.
    pub fn restart(&mut self) {
        let overrides = self.overrides.clone();
        self.restart_with(&overrides);
    }

    /// Like `restart`, from now on with these overrides.
    pub fn restart_with(&mut self, overrides: &[String]) {
        self.overrides = overrides.to_vec();
        let under: Vec<&str> = self.under.iter().map(String::as_str).collect();
        let ports = (self.port, self.admin_port);
        let started = spawn(&under, self.directory.path(), ports, &self.overrides);
        self.child = started.unwrap_or_else(|log| panic!("the broker did not start again:\n{log}"));
    }
}

impl Broker {
    /// Begins a start with these overrides and kills it after `time`; true if it was ready by then.
    pub fn restart_and_kill(&mut self, overrides: &[String], time: Duration) -> bool {
        let ports = (self.port, self.admin_port);
        let (child, ready) = launch(self.directory.path(), ports, overrides);
        self.child = child;
        let was_ready = ready.recv_timeout(time).is_ok();
        self.kill();
        was_ready
    }

    /// Begins a start on the same directory that must not succeed; gives what it says.
    pub fn refusal_to_restart(&self, overrides: &[&str]) -> String {
        let mut settings = vec![format!("log.dirs={}", self.data_dir().display())];
        settings.extend(overrides.iter().map(|text| (*text).to_owned()));
        refusal(&settings)
    }
}

/// What a broker says that must not start with these settings; its ports are free unless they say more.
pub fn refusal(overrides: &[String]) -> String {
    let (port, admin_port) = (free_port(), free_port());
    let mut arguments = vec!["start".to_owned()];
    let ports = [
        format!("listeners=PLAINTEXT://127.0.0.1:{port}"),
        format!("admin.listener=127.0.0.1:{admin_port}"),
    ];
    for setting in ports.iter().chain(overrides) {
        arguments.extend(["--override".to_owned(), setting.clone()]);
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built with this test");
    let output = child.stdout.take().expect("the output is piped");
    let (started, wait) = sync_channel(1);
    thread::spawn(move || {
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        // The test may have waited for too long.
        let _ = started.send(lines.any(|line| line.contains("ready in ")));
    });
    let started = wait.recv_timeout(READY_WITHIN);
    if started != Ok(false) {
        let _ = child.kill();
    }
    let output = child.wait_with_output().expect("a child can be waited for");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(started, Ok(false), "it was to refuse, and started, or did neither: {said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "a refusal is one line: {said}");
    said
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Both fail only where the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the broker's log:\n{}", self.log());
        }
    }
}

/// Runs the binary with `arguments` to its end, `input` on its standard input.
pub fn klamm(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built with this test");
    // A tool that ends without reading its input closes the pipe: the test looks at what it says.
    let _ = child.stdin.take().expect("the input is piped").write_all(input.as_bytes());
    child.wait_with_output().expect("a child can be waited for")
}

fn data_dir(directory: &Path) -> PathBuf {
    directory.join("data")
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("broker.log")
}

/// A port below those that the kernel gives to outgoing connections, so that a restart finds it free.
fn free_port() -> u16 {
    const PORTS: std::ops::Range<u16> = 12_000..32_000;
    let start = RandomState::new().build_hasher().finish() % u64::from(PORTS.end - PORTS.start);
    let from = PORTS.start + start as u16;
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (from..PORTS.end).chain(PORTS.start..from).find(free).expect("the loopback has a free port")
}

fn spawn_on_free_ports(directory: &Path, overrides: &[String]) -> (u16, u16, Child) {
    let mut log = String::new();
    for _ in 0..PORT_TRIES {
        let (port, admin_port) = (free_port(), free_port());
        match spawn(&[], directory, (port, admin_port), overrides) {
            Ok(child) => return (port, admin_port, child),
            Err(said) if said.contains("in use") => log = said,
            Err(said) => panic!("the broker did not start:\n{said}"),
        }
    }
    panic!("the broker did not start:\n{log}");
}

/// The process when it is ready, or what it said before it ended.
fn spawn(
    under: &[&str],
    directory: &Path,
    ports: (u16, u16),
    overrides: &[String],
) -> Result<Child, String> {
    let (mut child, ready) = launch_under(under, directory, ports, overrides);
    if is_ready(&ready) {
        return Ok(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(fs::read_to_string(log_path(directory)).unwrap_or_default())
}

/// A process that has just begun, and what tells when it is ready.
fn launch(directory: &Path, ports: (u16, u16), overrides: &[String]) -> (Child, Receiver<()>) {
    launch_under(&[], directory, ports, overrides)
}

/// Like `launch`, by a command that ends in running what follows it, if there is one.
fn launch_under(
    under: &[&str],
    directory: &Path,
    ports: (u16, u16),
    overrides: &[String],
) -> (Child, Receiver<()>) {
    let log = File::options().create(true).append(true).open(log_path(directory));
    let log = log.expect("the temporary directory takes a file");
    let errors = log.try_clone().expect("a file can be opened twice");
    let settings = [
        format!("listeners=PLAINTEXT://127.0.0.1:{}", ports.0),
        format!("admin.listener=127.0.0.1:{}", ports.1),
        format!("log.dirs={}", data_dir(directory).display()),
    ];
    let words = [under, &[env!("CARGO_BIN_EXE_klamm"), "start"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env("RUST_LOG", "info");
    for setting in settings.iter().chain(overrides) {
        command.args(["--override", setting]);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .expect("the binary was built with this test");
    let output = child.stdout.take().expect("the output is piped");
    let (ready, wait) = sync_channel(1);
    thread::spawn(move || copy_log(output, log, &ready));
    (child, wait)
}

/// Copies the broker's output to the log to its end, and says once that it is ready.
fn copy_log(output: impl std::io::Read, mut log: File, ready: &SyncSender<()>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if writeln!(log, "{line}").is_err() {
            return;
        }
        if line.contains("ready in ") {
            // A second one finds no room: one is enough.
            let _ = ready.try_send(());
        }
    }
}

fn is_ready(wait: &Receiver<()>) -> bool {
    match wait.recv_timeout(READY_WITHIN) {
        Ok(()) => true,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
    }
}

/// Each test crate uses a part of this module; what another one uses is not dead.
const _: fn() = || {
    let mut broker = Broker::start(&[]);
    Broker::start_under(&[], &[]);
    broker.stop();
    broker.restart();
    broker.kill();
    broker.restart_with(&[]);
    broker.restart_and_kill(&[], Duration::ZERO);
    broker.refusal_to_restart(&[]);
    let _ = (broker.bootstrap(), broker.admin_address(), broker.data_dir(), klamm(&[], ""));
};
