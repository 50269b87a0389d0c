//! Systems that the tool starts by itself: each on a free port of the loopback, in a directory of its own, in a
//! control group of its own where this process may make one, and gone when dropped.

mod kafka;
mod klamm;
mod nats;

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use ::klamm::client::Address;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::clock::{Clock, nanos};
use crate::compare::Durability;
use crate::wire::greet;
use crate::workload::Protocol;

/// How long a system may take to answer.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// How long it may take to stop when it is asked to.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// A system that can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// This project's broker.
    Klamm,
    /// Apache Kafka, from Maven.
    Kafka,
    /// NATS JetStream, from the proxy of Go's modules.
    Nats,
}

impl FromStr for System {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<System> {
        match text {
            "klamm" => Ok(System::Klamm),
            "kafka" => Ok(System::Kafka),
            "nats" => Ok(System::Nats),
            _ => bail!("{text}: klamm, kafka or nats"),
        }
    }
}

impl System {
    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            System::Klamm => "klamm",
            System::Kafka => "kafka",
            System::Nats => "nats",
        }
    }

    /// What it speaks.
    pub fn protocol(self) -> Protocol {
        match self {
            System::Klamm | System::Kafka => Protocol::Kafka,
            System::Nats => Protocol::Nats,
        }
    }

    /// Whether durability is the server's and not the topic's, and what is made of it then.
    pub fn durability_of_server(self, durability: Durability) -> Option<&'static str> {
        match self {
            System::Klamm | System::Kafka => None,
            System::Nats => Some(nats::meaning(durability)),
        }
    }

    /// Whether it compiles itself while it runs, and gets faster.
    pub fn warms_up(self) -> bool {
        self == System::Kafka
    }
}

/// Where systems are found and put.
#[derive(Clone, Debug)]
pub struct Place {
    /// The broker's binary; beside this one where it is not given.
    pub klamm_binary: Option<PathBuf>,
    /// Data directories go below it.
    pub data_dir: PathBuf,
    /// Settings for Klamm, as `key=value`.
    pub klamm_overrides: Vec<String>,
    /// Settings for Kafka, as `key=value`.
    pub kafka_overrides: Vec<String>,
}

/// A data directory that goes with its value.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// A new directory below `parent`, which has to be on a disk.
    fn new(parent: &Path, name: &str) -> Result<Directory> {
        let path = parent.join(format!("klamm-bench-{name}-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Directory(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}

/// A system that was set up and may run, be killed and run again.
pub struct Server {
    system: System,
    command: Vec<String>,
    child: Option<Child>,
    address: Address,
    cgroup: Option<ControlGroup>,
    directory: Directory,
}

impl Server {
    /// Sets `system` up in an empty directory: formatted, not started. `durability` is for systems whose servers
    /// decide it.
    pub fn set_up(
        system: System,
        durability: Durability,
        place: &Place,
        name: &str,
    ) -> Result<Server> {
        let directory = Directory::new(&place.data_dir, name)?;
        let port = free_port()?;
        let command = match system {
            System::Klamm => klamm::command(place, &directory.0, port, free_port()?)?,
            System::Kafka => kafka::set_up(place, &directory.0, port, free_port()?)?,
            System::Nats => nats::set_up(&directory.0, port, durability)?,
        };
        let address = Address { host: "127.0.0.1".to_owned(), port };
        let cgroup = ControlGroup::new(name);
        Ok(Server { system, command, child: None, address, cgroup, directory })
    }

    /// Starts it, without waiting.
    pub fn spawn(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log_path())?;
        // The shell moves itself into the group before it becomes the server, so that nothing is missed.
        let script = match &self.cgroup {
            Some(group) => {
                let enter = group.directories.iter().map(|directory| {
                    format!("echo $$ > '{}/cgroup.procs' && ", directory.display())
                });
                format!("{}exec \"$@\"", enter.collect::<String>())
            }
            None => "exec \"$@\"".to_owned(),
        };
        let child = Command::new("sh")
            .args(["-c", &script, "sh"])
            .args(&self.command)
            // Ctrl-C is for the tool, which stops its servers itself.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", self.system.name()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Starts it and waits until it greets.
    pub fn start(&mut self, clock: Clock) -> Result<()> {
        self.spawn()?;
        let deadline = clock.now() + nanos(READY_WITHIN);
        loop {
            if greet(self.system.protocol(), &self.address, Duration::from_secs(5)).is_ok() {
                return Ok(());
            }
            self.check_alive()?;
            ensure!(
                clock.now() < deadline,
                "{} did not answer:\n{}",
                self.system.name(),
                self.log()
            );
            clock.sleep_until(clock.now() + 20_000_000);
        }
    }

    /// An error with the end of its log if it has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        if let Some(child) = &mut self.child
            && let Some(status) = child.try_wait()?
        {
            bail!("{} ended with {status}:\n{}", self.system.name(), self.log());
        }
        Ok(())
    }

    /// What it is.
    pub fn system(&self) -> System {
        self.system
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The control group to account for, where it has one.
    pub fn cgroup(&self) -> Option<&Path> {
        self.cgroup.as_ref().and_then(|group| group.directories.first()).map(PathBuf::as_path)
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    fn log_path(&self) -> PathBuf {
        self.directory.0.join("log.txt")
    }

    /// The last lines of what it has printed.
    fn log(&self) -> String {
        let text = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Gives it no time at all, or lets it go on: even a system that nobody talks to has its timers.
    pub fn pause(&self, paused: bool) -> Result<()> {
        self.signal(if paused { Signal::STOP } else { Signal::CONT })
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let Some(child) = &self.child else { return Ok(()) };
        Ok(kill_process(Pid::from_child(child), signal)?)
    }

    fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        // One that is paused hears of it when it goes on.
        self.pause(false)?;
        let Some(child) = &mut self.child else { return Ok(()) };
        let clock = Clock::start();
        while clock.now() < nanos(STOP_WITHIN) {
            if child.try_wait()?.is_some() {
                self.child = None;
                return Ok(());
            }
            clock.sleep_until(clock.now() + 20_000_000);
        }
        self.kill()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop().and_then(|()| self.kill()) {
            eprintln!("{} was not stopped: {error:#}", self.system.name());
        }
    }
}

/// A control group for one server, in version 2 or in the two controllers of version 1 that count.
#[derive(Debug)]
struct ControlGroup {
    directories: Vec<PathBuf>,
}

impl ControlGroup {
    /// `None` where this process may not make one.
    fn new(name: &str) -> Option<ControlGroup> {
        let name = format!("klamm-bench-{name}-{}", std::process::id());
        let root = Path::new("/sys/fs/cgroup");
        let parents: Vec<PathBuf> = if root.join("cgroup.controllers").exists() {
            vec![root.to_path_buf()]
        } else {
            ["cpuacct", "memory"].iter().map(|controller| root.join(controller)).collect()
        };
        let mut directories = Vec::new();
        for parent in parents {
            let directory = parent.join(&name);
            let counts = fs::create_dir_all(&directory).is_ok()
                && directory.join("cgroup.procs").exists()
                && ["cpu.stat", "cpuacct.usage", "memory.stat"]
                    .iter()
                    .any(|file| directory.join(file).exists());
            directories.push(directory);
            if !counts {
                drop(ControlGroup { directories });
                return None;
            }
        }
        Some(ControlGroup { directories })
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        for directory in &self.directories {
            // The kernel keeps it while something of the server is still there; it is empty and harmless then.
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Where what is fetched is kept.
fn cache_dir() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("klamm-bench"))
}

/// A port that nobody uses at the moment.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

/// Runs a command that has to succeed, and shows what it printed where it does not.
fn insist(command: &mut Command, what: &str) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| what.to_owned())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{what}: {}\n{}{}", output.status, text.trim(), error.trim());
    }
    Ok(text)
}
