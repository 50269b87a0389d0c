//! What this process uses, by what the kernel says of it.

use std::fs;
use std::io;

/// The process as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time of all threads, in seconds.
    pub cpu_seconds: f64,
    /// Memory that is resident, in bytes.
    pub resident_bytes: u64,
    /// Descriptors that are open.
    pub open_files: u64,
    /// How many may be.
    pub open_files_max: u64,
    /// When the process began, in seconds since 1970.
    pub start_time_seconds: f64,
}

impl Usage {
    /// Asks the kernel.
    ///
    /// # Errors
    /// Without a `/proc`.
    pub fn read() -> io::Result<Usage> {
        let (ticks, page) = (configured(libc::_SC_CLK_TCK) as f64, configured(libc::_SC_PAGESIZE));
        let unreadable = || io::Error::other("/proc/self/stat does not read");
        let stat = fs::read_to_string("/proc/self/stat")?;
        let stat = parse_stat(&stat).ok_or_else(unreadable)?;
        let boot = fs::read_to_string("/proc/stat")?;
        let boot = boot.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
        Ok(Usage {
            cpu_seconds: stat.cpu_ticks as f64 / ticks,
            resident_bytes: stat.resident_pages * page,
            // The directory is one of them while it is read.
            open_files: (fs::read_dir("/proc/self/fd")?.count() as u64).saturating_sub(1),
            open_files_max: super::process::open_files_limit()?,
            start_time_seconds: boot.unwrap_or(0.0) + stat.start_ticks as f64 / ticks,
        })
    }
}

fn configured(name: libc::c_int) -> u64 {
    // SAFETY: plain system call; both names exist on every Linux.
    u64::try_from(unsafe { libc::sysconf(name) }).unwrap_or(1).max(1)
}

struct Stat {
    cpu_ticks: u64,
    start_ticks: u64,
    resident_pages: u64,
}

/// `/proc/self/stat`: fields after the command's name, which is in brackets and may hold anything
/// (proc_pid_stat(5)); the field that is third there is the first here.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        cpu_ticks: number(14)? + number(15)?,
        start_ticks: number(22)?,
        resident_pages: number(24)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_any_name() {
        let text = "7 (a) b (c) S 1 7 7 0 -1 4 1 0 0 0 250 50 0 0 20 0 1 0 4711 9999 321 18446744073709551615";
        let stat = parse_stat(text).expect("it is one");
        assert_eq!((stat.cpu_ticks, stat.start_ticks, stat.resident_pages), (300, 4711, 321));
        assert!(parse_stat("7 (a) S 1").is_none() && parse_stat("").is_none());
    }

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::read().expect("/proc is there");
        assert!(usage.resident_bytes > 1 << 20 && usage.open_files >= 3, "{usage:?}");
        assert!(usage.open_files < usage.open_files_max, "{usage:?}");
        assert!(usage.start_time_seconds > 1.6e9, "{usage:?}");
    }
}
