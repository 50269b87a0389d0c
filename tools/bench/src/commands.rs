//! Carries out what the command line asks for.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::clock::{Clock, sleep_exactly};
use crate::compare::{self, Comparison};
use crate::contest::{Contender, Contest, Stage};
use crate::file::WorkloadFile;
use crate::floor::Floor;
use crate::knobs::{Knobs, duration};
use crate::lifecycle;
use crate::live::Live;
use crate::options::{
    Command, CompareOptions, FileOptions, LifecycleOptions, Options, OutputOptions, PlaceOptions,
    RampOptions, RecoveryOptions, RunOptions, SoakOptions, StepOptions,
};
use crate::outcome::Outcome;
use crate::run::{self, Setting};
use crate::session::Interrupts;
use crate::systems::Place;
use crate::workload::{Kind, Workload};
use crate::{ramp, report, soak, table};

/// What a shell expects of a process that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// The program's own things, made once.
struct Program {
    clock: Clock,
    interrupts: Interrupts,
    live: Live,
}

impl Program {
    fn new(is_quiet: bool) -> Result<Program> {
        sleep_exactly();
        allow_many_connections();
        Ok(Program {
            clock: Clock::start(),
            interrupts: Interrupts::listen()?,
            live: Live::new(is_quiet),
        })
    }

    fn setting(&mut self, name: &str, step: Option<String>) -> Setting<'_> {
        Setting {
            clock: self.clock,
            interrupts: &mut self.interrupts,
            live: &mut self.live,
            name: name.to_owned(),
            step,
            system: None,
        }
    }
}

/// Lets this process open as many sockets as it may.
fn allow_many_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where that is refused, opening too many says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Does it, and says with the exit code whether all is well.
pub fn execute(options: Options) -> Result<ExitCode> {
    match options.command {
        Command::Produce(options) => run_one(Kind::Produce, "produce", options),
        Command::Consume(options) => run_one(Kind::Consume, "consume", options),
        Command::EndToEnd(options) => run_one(Kind::EndToEnd, "end-to-end", options),
        Command::Fanout(mut options) => {
            options.knobs.fan_out.get_or_insert(4);
            run_one(Kind::EndToEnd, "fanout", options)
        }
        Command::Idle(options) => run_one(Kind::Idle, "idle", options),
        Command::Churn(options) => run_one(Kind::Churn, "churn", options),
        Command::Connections(options) => run_steps(WorkloadFile::built_in("connections")?, options),
        Command::ColdAndLive(options) => {
            run_steps(WorkloadFile::built_in("cold-and-live")?, options)
        }
        Command::Soak(options) => soak(options),
        Command::Run(options) => run_file(options),
        Command::Ramp(options) => ramp(options),
        Command::Floor(options) => floor(options),
        Command::Compare(options) => compare(options),
        Command::Startup(options) => startup(options),
        Command::Recovery(options) => recovery(options),
    }
}

/// The command line's knobs over those of its file, whose first step counts.
fn knobs_of(options: &RunOptions) -> Result<Knobs> {
    let Some(path) = &options.file else { return Ok(options.knobs.clone()) };
    let file = WorkloadFile::read(path)?;
    let step = file.steps.first().context("a file has a step")?;
    options.knobs.over(&step.knobs)
}

fn run_one(kind: Kind, name: &str, options: RunOptions) -> Result<ExitCode> {
    let workload = Workload::new(kind, &knobs_of(&options)?)?;
    let mut program = Program::new(options.output.quiet)?;
    let outcome = run::run(&workload, &mut program.setting(name, None))?;
    tell(&[outcome], None, &options.output)
}

fn run_file(options: FileOptions) -> Result<ExitCode> {
    run_steps(WorkloadFile::read(&options.file)?, options.steps)
}

fn run_steps(file: WorkloadFile, options: StepOptions) -> Result<ExitCode> {
    let file = file.only(&options.step)?;
    // All steps are understood before the first is run.
    let workloads: Vec<(Option<String>, Workload)> = file
        .steps
        .iter()
        .map(|step| {
            let knobs = options.knobs.over(&step.knobs)?;
            Ok((step.name.clone(), Workload::new(step.kind, &knobs)?))
        })
        .collect::<Result<_>>()?;
    let mut program = Program::new(options.output.quiet)?;
    program.live.note(&format!("{}: {}", file.name, file.description));
    let mut outcomes = Vec::new();
    for (step, workload) in workloads {
        let outcome = run::run(&workload, &mut program.setting(&file.name, step))?;
        let interrupted = outcome.interrupted;
        outcomes.push(outcome);
        if interrupted {
            break;
        }
    }
    tell(&outcomes, None, &options.output)
}

fn soak(options: SoakOptions) -> Result<ExitCode> {
    let file = WorkloadFile::built_in("soak")?;
    let step = file.steps.first().context("a file has a step")?;
    let mut knobs = options.knobs.over(&step.knobs)?;
    let mut program = Program::new(options.output.quiet)?;
    let mut outcomes = Vec::new();
    let mut one = |knobs: &Knobs, name: &str| {
        let workload = Workload::new(step.kind, knobs)?;
        run::run(&workload, &mut program.setting("soak", Some(name.to_owned())))
    };
    if options.knobs.throughput.is_none() {
        let full = one(&soak::full_load(&knobs, &options.full_load_for), "full load")?;
        let is_usable = full.passed() && !full.interrupted;
        outcomes.push(full);
        if !is_usable {
            return tell(&outcomes, None, &options.output);
        }
        knobs.throughput = Some(soak::half_load(&outcomes[0])?.to_string());
    }
    let mut outcome = one(&knobs, "half load")?;
    let words = soak::judge(&mut outcome, options.drift_max);
    outcomes.push(outcome);
    let code = tell(&outcomes, None, &options.output)?;
    if !is_json_to_stdout(&options.output) {
        println!("{words}");
    }
    Ok(code)
}

fn ramp(options: RampOptions) -> Result<ExitCode> {
    let p99 = duration("hold-p99", &options.hold_p99)?;
    let base = knobs_of(&options.run)?;
    let kind = if base.consumers.is_some() { Kind::EndToEnd } else { Kind::Produce };
    let mut program = Program::new(options.run.output.quiet)?;
    let mut one = |knobs: &Knobs, step: String| {
        let workload = Workload::new(kind, knobs)?;
        run::run(&workload, &mut program.setting("ramp", Some(step)))
    };
    let p99_micros = p99.as_secs_f64() * 1e6;
    let found = ramp::search(options.from, p99_micros, &base, &mut one)?;
    let code = tell(&found.outcomes, None, &options.run.output)?;
    let limit = table::micros(p99_micros);
    let words = match found.rate {
        Some(rate) => format!(
            "{} records/s is the highest rate found that holds a p99 of {limit}",
            table::count(rate)
        ),
        None => format!("no rate that was tried holds a p99 of {limit}"),
    };
    if !is_json_to_stdout(&options.run.output) {
        println!("{words}");
    }
    Ok(code)
}

fn floor(options: RunOptions) -> Result<ExitCode> {
    let knobs = knobs_of(&options)?;
    let workload = Workload::new(Kind::Produce, &knobs)?;
    let mut program = Program::new(options.output.quiet)?;
    let floor = Floor::start()?;
    let partitions = usize::try_from(knobs.partitions.unwrap_or(1))?;
    let topic = floor.topic(partitions);
    let mut setting = program.setting("floor", None);
    let outcome = run::run_floor(&workload, &mut setting, &topic, floor.accounts())?;
    tell(&[outcome], None, &options.output)
}

fn place(options: &PlaceOptions) -> Result<Place> {
    let data_dir = std::path::absolute(&options.data_dir)?;
    Ok(Place {
        klamm_binary: options.klamm_binary.clone(),
        data_dir,
        klamm_overrides: options.klamm_override.clone(),
        kafka_overrides: options.kafka_override.clone(),
    })
}

fn compare(options: CompareOptions) -> Result<ExitCode> {
    let file = WorkloadFile::read(&options.file)?.only(&options.step)?;
    let all = std::iter::once(&options.ours).chain(&options.against);
    let contest = Contest {
        file: &file,
        knobs: &options.knobs,
        contenders: all.map(|text| Contender::parse(text)).collect::<Result<_>>()?,
        repetitions: options.repetitions,
        jvm_warm_up: duration("jvm-warm-up", &options.jvm_warm_up)?,
        place: place(&options.place)?,
    };
    let mut program = Program::new(options.output.quiet)?;
    let mut stage = Stage {
        clock: program.clock,
        interrupts: &mut program.interrupts,
        live: &mut program.live,
    };
    let (outcomes, comparison) = contest.run(&mut stage)?;
    tell(&outcomes, Some(&comparison), &options.output)
}

fn startup(options: LifecycleOptions) -> Result<ExitCode> {
    let place = place(&options.place)?;
    let system = options.system.parse()?;
    let mut found =
        lifecycle::startup(Clock::start(), system, &place, options.repetitions, &mut |line| {
            eprintln!("{line}");
        })?;
    found.sort_by(f64::total_cmp);
    println!(
        "{}: exec to the first acknowledged record: median {:.1} ms, {:.1} to {:.1} ms in {} starts",
        options.system,
        found[found.len() / 2],
        found[0],
        found[found.len() - 1],
        found.len()
    );
    Ok(ExitCode::SUCCESS)
}

fn recovery(options: RecoveryOptions) -> Result<ExitCode> {
    let kill_after = duration("kill-after", &options.kill_after)?;
    let mut knobs = knobs_of(&options.run)?;
    // Long enough that the load goes on after the kill.
    let duration = kill_after + Duration::from_secs(10);
    knobs.duration.get_or_insert(format!("{}ms", duration.as_millis()));
    knobs.warm_up.get_or_insert("0s".to_owned());
    let place = place(&options.place)?;
    let mut program = Program::new(options.run.output.quiet)?;
    let system = options.system.parse()?;
    let mut setting = program.setting("recovery", None);
    let found = lifecycle::recovery(system, &place, &knobs, kill_after, &mut setting)?;
    let code = tell(&[found.outcome], None, &options.run.output)?;
    if !is_json_to_stdout(&options.run.output) {
        println!(
            "{}: after kill -9, exec to the first acknowledged record: {:.1} ms",
            options.system, found.first_ack_ms
        );
    }
    Ok(code)
}

fn is_json_to_stdout(output: &OutputOptions) -> bool {
    output.json.as_ref().is_some_and(|path| path.as_os_str() == "-")
}

/// Shows and saves outcomes, and says with the exit code whether all is well.
fn tell(
    outcomes: &[Outcome],
    comparison: Option<&Comparison>,
    output: &OutputOptions,
) -> Result<ExitCode> {
    if !is_json_to_stdout(output) {
        for outcome in outcomes {
            println!("{}", table::table(outcome));
        }
        if let Some(comparison) = comparison {
            println!("{}", compare::table(comparison));
        }
    }
    if let Some(path) = &output.json {
        let all = serde_json::json!({ "runs": outcomes, "comparison": comparison });
        let text = serde_json::to_string_pretty(&all)?;
        if is_json_to_stdout(output) {
            println!("{text}");
        } else {
            std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
        }
    }
    if let Some(path) = &output.report {
        let page = report::page(outcomes, comparison);
        std::fs::write(path, page).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(if outcomes.iter().any(|outcome| !outcome.passed()) {
        ExitCode::FAILURE
    } else if outcomes.iter().any(|outcome| outcome.interrupted) {
        ExitCode::from(INTERRUPTED)
    } else {
        ExitCode::SUCCESS
    })
}
