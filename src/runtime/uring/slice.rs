//! How soon a thread runs when it is woken, and not when others let it: a short slice, or real time.

use std::time::Duration;

/// What a thread asks for: the shortest slice that Linux takes.
const SLICE: Duration = Duration::from_micros(100);

/// `struct sched_attr` of Linux, first version.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Shortens the slice of the calling thread and of those that it will start.
///
/// Linux lets a running thread finish its slice, 3 to 4 ms, even if another is woken meanwhile;
/// from 6.12 on not against one whose own slice is shorter. This thread's share of the CPU does
/// not change. Older kernels have no such slices: nothing happens there.
pub(super) fn shorten() {
    let bytes = size_of::<Attributes>() as u32;
    let mut attributes = Attributes { size: bytes, ..Attributes::default() };
    // SAFETY: the structure is our own and as long as we say; 0 is the calling thread.
    let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, bytes, 0) };
    if read == 0 && attributes.policy == libc::SCHED_OTHER as u32 {
        attributes.runtime = SLICE.as_nanos() as u64;
        attributes.flags = 0;
        // SAFETY: as above; a refusal leaves everything as it was.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    }
}

/// Lets the calling thread run as soon as it is woken, before every ordinary thread; returns whether
/// the process may ask for that (as root, with CAP_SYS_NICE, or within RLIMIT_RTPRIO).
///
/// Only for a thread that does nothing but wait in system calls.
pub(super) fn run_at_once() -> bool {
    let lowest = libc::sched_param { sched_priority: 1 };
    // SAFETY: the structure is our own; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const lowest) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_the_slice_that_it_asked_for_or_the_kernel_has_none() {
        std::thread::spawn(|| {
            shorten();
            let bytes = size_of::<Attributes>() as u32;
            let mut found = Attributes { size: bytes, ..Attributes::default() };
            // SAFETY: as in `shorten`.
            let read =
                unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut found, bytes, 0) };
            assert_eq!(read, 0);
            assert!([0, SLICE.as_nanos() as u64].contains(&found.runtime), "{}", found.runtime);
        })
        .join()
        .expect("the thread ends");
    }

    #[test]
    fn a_thread_runs_at_once_where_the_process_may_ask_for_it() {
        std::thread::spawn(|| {
            let granted = run_at_once();
            // SAFETY: 0 is the calling thread.
            let policy = unsafe { libc::sched_getscheduler(0) };
            assert_eq!(granted, policy == libc::SCHED_FIFO);
        })
        .join()
        .expect("the thread ends");
    }
}
