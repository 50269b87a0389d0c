//! The kernel and its io_uring: there, new enough, and not filtered away.

use std::fs;

use super::finding::Finding;
use crate::runtime::process::{Unfit, missing_operations, probe_ring};

/// The oldest kernel whose io_uring has all that is needed.
const KERNEL_MIN: (u32, u32) = (6, 1);
/// From here on a shard that wakes up need not wait for the slice of who is running.
const KERNEL_WITH_SLICES: (u32, u32) = (6, 12);

/// The kernel's version.
pub fn kernel() -> Finding {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    judge_kernel(release.trim())
}

fn judge_kernel(release: &str) -> Finding {
    const SUBJECT: &str = "kernel";
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        let found = format!("its version does not read: '{release}'");
        return Finding::note(SUBJECT, found, "make sure that it is Linux 6.1 or newer (uname -r)");
    };
    let found = format!("Linux {release}");
    if (major, minor) < KERNEL_MIN {
        return Finding::not_fine(SUBJECT, found, "install Linux 6.1 or newer");
    }
    if (major, minor) < KERNEL_WITH_SLICES {
        return Finding::note(
            SUBJECT,
            format!("{found}: it has no short time slices"),
            "where other processes share the CPUs, Linux 6.12 or newer answers sooner",
        );
    }
    Finding::fine(SUBJECT, found)
}

/// Whether a ring can be had, and takes the operations that the broker uses.
pub fn availability() -> Finding {
    const SUBJECT: &str = "io_uring";
    match probe_ring() {
        // Locked memory has a finding of its own.
        Ok(()) | Err(Unfit::Memlock { .. }) => {}
        Err(Unfit::RingRefused) => {
            let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
            let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
            return judge_refusal(disabled.unwrap_or_default().trim(), is_filtered(&status));
        }
        Err(Unfit::NoRing) => {
            let found = "this kernel is built without io_uring, or a filter hides it";
            let remedy = "run a kernel with CONFIG_IO_URING=y; in a container allow io_uring_setup, \
                          io_uring_enter and io_uring_register in the seccomp profile";
            return Finding::not_fine(SUBJECT, found, remedy);
        }
        Err(other) => {
            return Finding::not_fine(SUBJECT, other.to_string(), "install Linux 6.1 or newer");
        }
    }
    match missing_operations() {
        Ok(missing) if missing.is_empty() => Finding::fine(SUBJECT, "a ring can be made and used"),
        Ok(missing) => {
            let found = format!("it lacks {}", missing.join(", "));
            Finding::not_fine(SUBJECT, found, "install Linux 6.1 or newer")
        }
        Err(error) => {
            let remedy = "in a container allow io_uring_enter and io_uring_register in the seccomp \
                          profile, not io_uring_setup alone";
            Finding::not_fine(SUBJECT, format!("a ring can be made, and not used: {error}"), remedy)
        }
    }
}

/// Whether a seccomp filter watches this process, from `/proc/self/status`.
fn is_filtered(status: &str) -> bool {
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() == "2")
}

/// Who refuses, by the sysctl and by whether there is a filter.
fn judge_refusal(disabled: &str, filtered: bool) -> Finding {
    const SUBJECT: &str = "io_uring";
    let sysctl = "sysctl -w kernel.io_uring_disabled=0, and the same line without 'sysctl -w' in a \
                  file of /etc/sysctl.d";
    let (found, remedy) = match (disabled, filtered) {
        ("2", _) => ("kernel.io_uring_disabled is 2: nobody may use it", sysctl.to_owned()),
        ("1", _) => (
            "kernel.io_uring_disabled is 1: only its group may use it",
            format!("{sysctl}; or put the broker's user into the group of kernel.io_uring_group"),
        ),
        (_, true) => (
            "a seccomp filter refuses it, as the default profiles of Docker and containerd do",
            "start the container with a profile that allows io_uring_setup, io_uring_enter and \
             io_uring_register (docker run --security-opt seccomp=PROFILE.json; Kubernetes: \
             securityContext.seccompProfile of type Localhost)"
                .to_owned(),
        ),
        (_, false) => (
            "it is refused, and neither the sysctl nor a seccomp filter says so",
            "look for a security module (SELinux, AppArmor) that denies io_uring: dmesg, ausearch"
                .to_owned(),
        ),
    };
    Finding::not_fine(SUBJECT, found, remedy)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn kernels_are_judged_by_their_number() {
        for (release, verdict) in [
            ("6.18.5-fc", Verdict::Fine),
            ("7.0.0", Verdict::Fine),
            ("6.12.0-1-amd64", Verdict::Fine),
            ("6.8.0-45-generic", Verdict::Note),
            ("6.1", Verdict::Note),
            ("5.15.0", Verdict::NotFine),
            ("4.18.0-553.el8", Verdict::NotFine),
            ("weird", Verdict::Note),
            ("", Verdict::Note),
        ] {
            assert_eq!(judge_kernel(release).verdict, verdict, "{release}");
        }
    }

    #[test]
    fn a_refusal_names_who_refuses() {
        for (disabled, filtered, found, remedy) in [
            ("2", true, "nobody may use it", "sysctl -w kernel.io_uring_disabled=0"),
            ("1", false, "only its group", "kernel.io_uring_group"),
            ("0", true, "seccomp", "--security-opt seccomp="),
            ("", true, "seccomp", "io_uring_register"),
            ("0", false, "neither", "security module"),
        ] {
            let finding = judge_refusal(disabled, filtered);
            assert_eq!(finding.verdict, Verdict::NotFine);
            assert!(finding.found.contains(found), "{finding}");
            assert!(finding.remedy.as_ref().unwrap().contains(remedy), "{finding}");
        }
        assert!(is_filtered("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"));
        assert!(!is_filtered("Seccomp:\t0\n") && !is_filtered(""));
    }
}
