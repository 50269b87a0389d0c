//! Runs the cases of a bench and prints each beside the figure that is expected of it.
//!
//! `cargo bench --bench NAME [FILTER]` measures; `-- --smoke` runs every case once, for CI. A case prints
//! the lower quartile of its runs: the machine is shared, and what disturbs a run only ever adds to it.

use std::time::{Duration, Instant};

/// The runs of a case, of which the quartile is printed.
const RUN_COUNT: usize = 21;
/// How long one run takes at least, so that the clock's own cost does not show.
const RUN_TIME: Duration = Duration::from_millis(20);

/// The options of one bench program.
pub struct Bench {
    smoke: bool,
    filter: Option<String>,
}

impl Bench {
    /// Reads the program's arguments; cargo adds `--bench` to them.
    pub fn from_arguments() -> Bench {
        let mut bench = Bench { smoke: false, filter: None };
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--smoke" => bench.smoke = true,
                "--bench" => {}
                _ => bench.filter = Some(argument),
            }
        }
        if !bench.smoke {
            println!("{:40} {:>12} {:>10}   expected", "case", "ns", "GB/s");
        }
        bench
    }

    /// Measures `work`, which handles `size_bytes` each time it is called.
    pub fn case(&self, name: &str, expected: &str, size_bytes: usize, mut work: impl FnMut()) {
        if self.filter.as_ref().is_some_and(|filter| !name.contains(filter.as_str())) {
            return;
        }
        if self.smoke {
            work();
            println!("{name}: ran once");
            return;
        }
        let call_count = calls_for(RUN_TIME, &mut work);
        let mut nanos: Vec<f64> = (0..RUN_COUNT)
            .map(|_| time(call_count, &mut work).as_nanos() as f64 / f64::from(call_count))
            .collect();
        nanos.sort_by(f64::total_cmp);
        let quartile = nanos[RUN_COUNT / 4];
        let gigabytes = size_bytes as f64 / quartile;
        println!("{name:40} {quartile:12.1} {gigabytes:10.2}   {expected}");
    }
}

/// The number of calls that take `least` time together.
fn calls_for(least: Duration, work: &mut impl FnMut()) -> u32 {
    let mut call_count: u32 = 1;
    while time(call_count, work) < least {
        call_count = call_count.saturating_mul(2);
    }
    call_count
}

#[expect(clippy::disallowed_methods, reason = "a bench runs on no shard and measures real time")]
fn time(call_count: u32, work: &mut impl FnMut()) -> Duration {
    let begin = Instant::now();
    for _ in 0..call_count {
        work();
    }
    begin.elapsed()
}
