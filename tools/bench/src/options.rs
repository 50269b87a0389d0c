//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::knobs::Knobs;

/// A load tester for every broker of the Kafka protocol, and for NATS JetStream.
///
/// Open loop by a fixed schedule (--throughput) or closed loop, latencies from the intended send time,
/// every record verified, the server's cost accounted for. Exit code 0: done and verified; 1: something
/// was lost, refused or failed; 2: the arguments make no sense; 130: interrupted.
#[derive(Parser, Debug)]
#[command(name = "klamm-bench", version, max_term_width = 100)]
pub struct Options {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Produce, then read everything back
    Produce(RunOptions),
    /// Consume what a topic of klamm-bench holds
    Consume(RunOptions),
    /// Produce, and consume it at the same time
    EndToEnd(RunOptions),
    /// Produce, and consume every record several times at the same time
    Fanout(RunOptions),
    /// Keep consumers waiting for records that never come, and account for the server
    Idle(RunOptions),
    /// Open and close connections, --throughput of them a second
    Churn(RunOptions),
    /// Ever more connections with little to do, many that wait, and some that come and go
    Connections(StepOptions),
    /// A live load end to end, alone and while a reader takes a backlog from the disk
    ColdAndLive(StepOptions),
    /// A long load at half of what the system takes; compares its end with its beginning
    Soak(SoakOptions),
    /// Run a workload file, all of its steps
    Run(FileOptions),
    /// Find the highest rate that holds a p99, and the latencies on the way
    Ramp(RampOptions),
    /// Measure the tool itself, against a built-in server that acknowledges at once
    Floor(RunOptions),
    /// Run a workload file against several systems in turn, which are set up and started here
    Compare(CompareOptions),
    /// Measure starts of a system: from exec to the first acknowledged record
    Startup(LifecycleOptions),
    /// Kill a system with -9 in the middle of a load, restart it, and read everything back
    Recovery(RecoveryOptions),
}

/// A file to run.
#[derive(Args, Debug)]
pub struct FileOptions {
    /// The workload file
    pub file: PathBuf,
    /// Its steps.
    #[command(flatten)]
    pub steps: StepOptions,
}

/// The steps of a file.
#[derive(Args, Debug)]
pub struct StepOptions {
    /// Only the step of this name; may be repeated
    #[arg(long, value_name = "NAME", help_heading = "Load")]
    pub step: Vec<String>,
    /// What overrides the file in every step.
    #[command(flatten)]
    pub knobs: Knobs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// A long load.
#[derive(Args, Debug)]
pub struct SoakOptions {
    /// How long the full load is looked for, where no --throughput says what to send
    #[arg(long, value_name = "TIME", default_value = "10s", help_heading = "Load")]
    pub full_load_for: String,
    /// Fail where the p99.9 of the last tenth is more than so many times that of the first [default: only say it]
    #[arg(long, value_name = "RATIO", help_heading = "Load")]
    pub drift_max: Option<f64>,
    /// What overrides the load: end to end, for an hour, with retention active.
    #[command(flatten)]
    pub knobs: Knobs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// A search for a rate.
#[derive(Args, Debug)]
pub struct RampOptions {
    /// The p99 to hold: end to end with --consumers, else of acknowledgements
    #[arg(long, value_name = "TIME", default_value = "10ms", help_heading = "Load")]
    pub hold_p99: String,
    /// The rate to begin with, in records a second
    #[arg(long, value_name = "RATE", default_value_t = 1000.0, help_heading = "Load")]
    pub from: f64,
    /// What is run at each rate.
    #[command(flatten)]
    pub run: RunOptions,
}

/// A comparison.
#[derive(Args, Debug)]
pub struct CompareOptions {
    /// The workload file
    pub file: PathBuf,
    /// Systems to compare with: kafka, kafka:relaxed, nats, nats:relaxed, klamm:relaxed (durable where it does not say)
    #[arg(long, value_name = "SYSTEMS", value_delimiter = ',', required = true)]
    pub against: Vec<String>,
    /// The system that is compared with them
    #[arg(long, value_name = "SYSTEM", default_value = "klamm:durable")]
    pub ours: String,
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub repetitions: usize,
    /// Only the step of this name; may be repeated
    #[arg(long, value_name = "NAME")]
    pub step: Vec<String>,
    /// How long a JVM is warmed with the workload's first step
    #[arg(long, value_name = "TIME", default_value = "20s")]
    pub jvm_warm_up: String,
    /// Where systems come from and go to.
    #[command(flatten)]
    pub place: PlaceOptions,
    /// What overrides the file in every step.
    #[command(flatten)]
    pub knobs: Knobs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Starts of a system.
#[derive(Args, Debug)]
pub struct LifecycleOptions {
    /// klamm, kafka or nats
    #[arg(long, default_value = "klamm")]
    pub system: String,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub repetitions: usize,
    /// Where systems come from and go to.
    #[command(flatten)]
    pub place: PlaceOptions,
}

/// A kill in the middle of a load.
#[derive(Args, Debug)]
pub struct RecoveryOptions {
    /// klamm, kafka or nats
    #[arg(long, default_value = "klamm")]
    pub system: String,
    /// When it is killed, from the program's start of the load on
    #[arg(long, value_name = "TIME", default_value = "8s")]
    pub kill_after: String,
    /// Where systems come from and go to.
    #[command(flatten)]
    pub place: PlaceOptions,
    /// The load.
    #[command(flatten)]
    pub run: RunOptions,
}

/// Where systems come from and go to.
#[derive(Args, Debug, Clone)]
pub struct PlaceOptions {
    /// Klamm's binary [default: beside this one]
    #[arg(long, value_name = "FILE", help_heading = "Systems")]
    pub klamm_binary: Option<PathBuf>,
    /// Data directories go below this one, which has to be on a disk
    #[arg(long, value_name = "DIR", default_value = ".", help_heading = "Systems")]
    pub data_dir: PathBuf,
    /// A setting of Klamm; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Systems")]
    pub klamm_override: Vec<String>,
    /// A setting of Kafka; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Systems")]
    pub kafka_override: Vec<String>,
}

/// How a run is set up and shown.
#[derive(Args, Debug)]
pub struct RunOptions {
    /// A workload file, whose knobs the command line overrides
    #[arg(long, value_name = "FILE", help_heading = "Load")]
    pub file: Option<PathBuf>,
    /// Its knobs.
    #[command(flatten)]
    pub knobs: Knobs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Where results go.
#[derive(Args, Debug, Clone)]
pub struct OutputOptions {
    /// Write the results as JSON, to a file or (without one) to standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", help_heading = "Output")]
    pub json: Option<PathBuf>,
    /// Write one self-contained HTML file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
    /// Show nothing while it runs
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}
