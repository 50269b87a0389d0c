//! Each fault does what it says, once it is asked for, and is counted.

use std::cell::Cell;
use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::options::DiskOptions;
use super::{Fault, Host, SimOptions, World};
use crate::model::units::BLOCK;
use crate::runtime::disk::{File, OpenMode};
use crate::runtime::memory::Piece;
use crate::runtime::{AlignedBuf, Lane, Runtime};

const FILE: &str = "/file";

fn blocks(bytes: &[u8]) -> AlignedBuf {
    let mut buffer = AlignedBuf::zeroed(bytes.len() * BLOCK);
    for (block, byte) in buffer.chunks_mut(BLOCK).zip(bytes) {
        block.fill(*byte);
    }
    buffer
}

async fn open(runtime: &Runtime) -> File {
    runtime.disk().open(Path::new(FILE), OpenMode::CREATE_DIRECT).await.expect("room")
}

async fn write(file: &File, place: u64, bytes: &[u8]) -> std::io::Result<()> {
    let piece = Piece::Aligned(blocks(bytes), 0..bytes.len() * BLOCK);
    file.write_at(vec![piece], place * BLOCK as u64).await
}

/// The first byte of each block of the file.
async fn read(file: &File, count: usize) -> std::io::Result<Vec<u8>> {
    let (buffer, read) = file.read_at(AlignedBuf::zeroed(count * BLOCK), 0).await;
    Ok(buffer[..read?].chunks(BLOCK).map(|block| block[0]).collect())
}

fn world() -> (World, Host) {
    let world = World::new(1, SimOptions::default());
    let host = world.host();
    (world, host)
}

/// Runs `work` with one `fault` set to strike at once, and demands that it did exactly once.
fn check(fault: Fault, work: impl AsyncFnOnce(File, Runtime)) {
    let (world, host) = world();
    world.run_until(async {
        let runtime = host.runtime();
        let file = open(&runtime).await;
        write(&file, 0, &[1, 2, 3, 4]).await.expect("healthy");
        assert_eq!(world.fault_count(fault), 0);
        host.faults().strike_after(fault, 0);
        work(file, runtime).await;
    });
    assert_eq!(world.fault_count(fault), 1, "{fault:?}");
}

#[test]
fn a_write_fails_is_lost_goes_astray_or_comes_in_parts() {
    check(Fault::WriteError, async |file, _| {
        assert!(write(&file, 0, &[9]).await.is_err());
        assert_eq!(read(&file, 4).await.expect("healthy"), [1, 2, 3, 4]);
        write(&file, 0, &[9]).await.expect("once only");
    });
    check(Fault::LostWrite, async |file, _| {
        write(&file, 0, &[9]).await.expect("so it says");
        assert_eq!(read(&file, 4).await.expect("healthy"), [1, 2, 3, 4]);
    });
    check(Fault::MisdirectedWrite, async |file, _| {
        write(&file, 0, &[9]).await.expect("so it says");
        let found = read(&file, 16).await.expect("healthy");
        assert!(found[0] == 1 && found.contains(&9), "{found:?}");
    });
    check(Fault::ShortWrite, async |file, _| {
        write(&file, 0, &[5, 6, 7, 8]).await.expect("continued");
        assert_eq!(read(&file, 4).await.expect("healthy"), [5, 6, 7, 8]);
    });
    check(Fault::SyncError, async |file, _| {
        let (_, committed) = file.commit(blocks(&[9]), BLOCK, 0).await;
        assert!(committed.is_err());
    });
}

#[test]
fn reads_fail_and_bits_rot() {
    check(Fault::ReadError, async |file, _| {
        assert!(read(&file, 4).await.is_err());
        assert_eq!(read(&file, 4).await.expect("once only"), [1, 2, 3, 4]);
    });
    let (world, host) = world();
    world.run_until(async {
        let runtime = host.runtime();
        let file = open(&runtime).await;
        write(&file, 0, &[1, 2]).await.expect("healthy");
        host.rot(Path::new(FILE), BLOCK as u64, 1).expect("the file is there");
        assert_eq!(read(&file, 2).await.expect("healthy"), [1, 2 ^ 0x55]);
    });
    assert_eq!(world.fault_count(Fault::BitRot), 1);
}

#[test]
fn a_slow_operation_takes_its_time() {
    check(Fault::SlowDisk, async |file, runtime| {
        let usual = runtime.now();
        let slow = read(&file, 1).await.map(|_| runtime.now());
        let between = slow.expect("healthy").saturating_since(usual);
        assert!(between >= Duration::from_millis(2), "{between:?}");
    });
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let (world, host) = world();
    world.run_until(async {
        let runtime = host.runtime();
        let file = open(&runtime).await;
        host.set_disk_capacity(4 * BLOCK as u64);
        let space = runtime.disk().space(Path::new("/")).await.expect("the root exists");
        assert_eq!(space.free_bytes, 4 * BLOCK as u64);
        file.allocate(0, 3 * BLOCK as u64).await.expect("there is room");
        assert_eq!(file.len().await.ok(), Some(0));
        let refused = |result: std::io::Result<()>| {
            assert_eq!(result.map_err(|error| error.kind()), Err(ErrorKind::StorageFull));
        };
        refused(write(&file, 0, &[1, 2, 3, 4, 5]).await);
        // What fitted was written, as on Linux.
        assert_eq!(read(&file, 5).await.expect("healthy"), [1, 2, 3, 4]);
        refused(file.allocate(0, 5 * BLOCK as u64).await);
        write(&file, 0, &[9, 9, 9, 9]).await.expect("nothing new is needed");
        file.set_len(0).await.expect("healthy");
        assert_eq!(host.disk_bytes_used(), 0);
        write(&file, 0, &[1]).await.expect("there is room again");
    });
    assert_eq!(world.fault_count(Fault::DiskFull), 2);
}

#[test]
fn faults_strike_within_their_scope_and_as_often_as_told() {
    let (world, host) = world();
    world.run_until(async {
        let runtime = host.runtime();
        let file = open(&runtime).await;
        host.faults().set_scope(Some("/elsewhere".into()));
        host.faults().set_chance(Fault::WriteError, 1.0);
        write(&file, 0, &[1]).await.expect("out of scope");
        host.faults().set_scope(None);
        assert!(write(&file, 0, &[1]).await.is_err());
        host.faults().clear();
        host.faults().strike_after(Fault::WriteError, 2);
        for fails in [false, false, true, false] {
            assert_eq!(write(&file, 0, &[1]).await.is_err(), fails);
        }
    });
    assert_eq!(world.fault_count(Fault::WriteError), 2);
}

#[test]
fn a_killed_process_leaves_what_the_kernel_took() {
    let disk = DiskOptions { punted: 0.5, ..DiskOptions::default() };
    let options = SimOptions { disk, ..SimOptions::default() };
    let (mut kept, mut lost) = (0, 0);
    for seed in 0..40 {
        let world = World::new(seed, options.clone());
        let host = world.host();
        let runtime = host.runtime();
        let file = world.run_until(open(&runtime));
        let issued = file.write_issued(blocks(&[7]), BLOCK, 0);
        let accepted = world.run_until(issued.accepted);
        host.kill();
        assert!(world.run_until(file.len()).is_err(), "an old handle is dead");
        let found = world.run_until(async {
            let runtime = host.runtime();
            read(&open(&runtime).await, 1).await.expect("healthy")
        });
        assert!(!accepted || found == [7]);
        kept += usize::from(found == [7]);
        lost += usize::from(found.is_empty());
        assert_eq!(world.fault_count(Fault::Kill), 1);
        assert_eq!(world.fault_count(Fault::PuntedWrite), u64::from(!accepted));
    }
    assert!(kept > 5 && lost > 5, "{kept} {lost}");
}

#[test]
fn a_power_loss_keeps_what_is_durable_and_any_of_the_rest() {
    let mut outcomes = std::collections::BTreeSet::new();
    let mut torn = 0;
    for seed in 0..200 {
        let world = World::new(seed, SimOptions::default());
        let host = world.host();
        world.run_until(async {
            let runtime = host.runtime();
            let file = open(&runtime).await;
            runtime.disk().sync_dir(Path::new("/")).await.expect("healthy");
            file.commit(blocks(&[1]), BLOCK, 0).await.1.expect("healthy");
            write(&file, 1, &[2]).await.expect("healthy");
            write(&file, 2, &[3]).await.expect("healthy");
            host.power_loss();
            let runtime = host.runtime();
            let found = read(&open(&runtime).await, 3).await.expect("healthy");
            assert_eq!(found[0], 1);
            outcomes.insert(found[1..].to_vec());
        });
        torn += world.fault_count(Fault::TornWrite);
        assert_eq!(world.fault_count(Fault::PowerLoss), 1);
    }
    for expected in [vec![], vec![2], vec![0, 3], vec![2, 3]] {
        assert!(outcomes.contains(&expected), "{expected:?} of {outcomes:?}");
    }
    assert!(torn > 20, "{torn}");
}

#[test]
fn a_lock_is_held_until_it_is_dropped_or_its_process_ends() {
    let (world, host) = world();
    world.run_until(async {
        let path = Path::new("/.lock");
        let (one, two) = (host.runtime(), host.runtime());
        let held = one.disk().lock(path).await.expect("free");
        let refused = two.disk().lock(path).await.map(drop).map_err(|error| error.kind());
        assert_eq!(refused, Err(ErrorKind::WouldBlock));
        drop(held);
        let held = two.disk().lock(path).await.expect("free again");
        host.kill();
        let third = host.runtime();
        let process_id = third.disk().read_whole(path, 10).await.expect("healthy");
        let _lock = third.disk().lock(path).await.expect("its owner is dead");
        assert_ne!(process_id, third.disk().read_whole(path, 10).await.expect("healthy"));
        drop(held);
        let refused = third.disk().lock(path).await.is_err();
        assert!(refused, "a dead owner's handle unlocks nothing");
    });
}

#[test]
fn a_paused_process_stands_still_and_goes_on() {
    let (world, host) = world();
    let runtime = host.runtime();
    let steps = Rc::new(Cell::new(0));
    let seen = Rc::clone(&steps);
    runtime.clone().spawn(Lane::Hot, async move {
        loop {
            runtime.sleep(Duration::from_millis(1)).await;
            seen.set(seen.get() + 1);
        }
    });
    world.run_for(Duration::from_millis(10));
    let before = steps.get();
    assert!(before >= 8, "{before}");
    host.set_paused(true);
    world.run_for(Duration::from_millis(10));
    assert_eq!(steps.get(), before);
    host.set_paused(false);
    world.run_for(Duration::from_millis(10));
    assert!(steps.get() > before);
    host.kill();
    let dead = steps.get();
    world.run_for(Duration::from_millis(10));
    assert_eq!((steps.get(), Rc::strong_count(&steps)), (dead, 1));
    assert_eq!(world.fault_count(Fault::Pause), 1);
}

#[test]
fn the_wall_clock_jumps_and_the_other_does_not() {
    let (world, host) = world();
    let runtime = host.runtime();
    let (wall, monotonic) = (runtime.wall_clock_ms(), runtime.now());
    world.jump_wall_clock_ms(-1_000_000_000_000);
    assert_eq!(runtime.wall_clock_ms(), wall - 1_000_000_000_000);
    assert_eq!(runtime.now(), monotonic);
    world.run_for(Duration::from_secs(3));
    assert_eq!(runtime.now().saturating_since(monotonic), Duration::from_secs(3));
    assert_eq!(world.fault_count(Fault::ClockJump), 1);
}

#[test]
fn direct_operations_must_be_aligned_and_readers_cannot_write() {
    let (world, host) = world();
    world.run_until(async {
        let runtime = host.runtime();
        let file = open(&runtime).await;
        let invalid = |result: std::io::Result<()>| {
            assert_eq!(result.map_err(|error| error.kind()), Err(ErrorKind::InvalidInput));
        };
        invalid(file.write_at(vec![Piece::Vec(vec![1; 100])], 0).await);
        invalid(file.commit(blocks(&[1]), 100, 0).await.1);
        invalid(file.commit(blocks(&[1]), BLOCK, 100).await.1);
        invalid(file.read_at(blocks(&[1]), 1).await.1.map(drop));
        let reader = runtime.disk().open(Path::new(FILE), OpenMode::READ).await.expect("there");
        assert!(write(&reader, 0, &[1]).await.is_err());
        let missing = runtime.disk().open(Path::new("/none"), OpenMode::READ).await;
        assert_eq!(missing.map(drop).map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    });
}
