//! What the benches of the machine share: their options, a thread on a CPU of its own, how times are printed.

use std::io;
use std::time::Duration;

use klamm::runtime::{ExecutorSpec, ExecutorThread, Runtime, start};

/// The options of one bench program.
pub struct Options {
    /// Everything runs, once or a few times, and no figure is of use.
    pub smoke: bool,
    filter: Option<String>,
}

impl Options {
    /// Reads the program's arguments; cargo adds `--bench` to them.
    pub fn from_arguments() -> Options {
        let mut options = Options { smoke: false, filter: None };
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--smoke" => options.smoke = true,
                "--bench" => {}
                _ => options.filter = Some(argument),
            }
        }
        options
    }

    /// Whether the filter lets a case run.
    pub fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(&**filter))
    }

    /// How often a case runs.
    pub fn rounds(&self, rounds: usize) -> usize {
        if self.smoke { rounds.min(2) } else { rounds }
    }
}

/// Starts an executor on a CPU, counted round those that the process may use.
pub fn thread<T: Send + 'static, F: Future<Output = T> + 'static>(
    cpu: usize,
    spin_max: Duration,
    memory_bytes: usize,
    main: impl FnOnce(Runtime) -> F + Send + 'static,
) -> io::Result<ExecutorThread<T>> {
    let cpus = core_affinity::get_core_ids().unwrap_or_default();
    let cpu = cpus.get(cpu % cpus.len().max(1)).map(|core| core.id);
    start(ExecutorSpec { name: format!("bench-{cpu:?}"), cpu, memory_bytes, spin_max }, main)
}

/// The `share` quantile of sorted times in microseconds.
pub fn micros(sorted: &[Duration], share: f64) -> f64 {
    let last = sorted.len() - 1;
    sorted[(last as f64 * share) as usize].as_nanos() as f64 / 1000.0
}
