//! The simulated machine against its own rules: determinism first.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{DiskImage, Fault, Host, ImagePolicy, SimOptions, World};
use crate::model::units::BLOCK;
use crate::runtime::disk::{File, OpenMode};
use crate::runtime::memory::Piece;
use crate::runtime::sync::timeout;
use crate::runtime::{AlignedBuf, Lane, Runtime};

fn path(name: &str) -> PathBuf {
    PathBuf::from("/").join(name)
}

fn block(byte: u8) -> AlignedBuf {
    let mut buffer = AlignedBuf::zeroed(BLOCK);
    buffer.fill(byte);
    buffer
}

async fn create(runtime: &Runtime, name: &str) -> File {
    let file = runtime.disk().open(&path(name), OpenMode::CREATE_DIRECT).await.expect("room");
    runtime.disk().sync_dir(Path::new("/")).await.expect("healthy");
    file
}

async fn write(file: &File, place: u64, byte: u8) {
    file.write_at(vec![Piece::Aligned(block(byte), 0..BLOCK)], place * BLOCK as u64)
        .await
        .expect("healthy");
}

/// The first byte of each block of the file, if it exists.
fn blocks(image: &DiskImage, name: &str) -> Option<Vec<u8>> {
    Some(image.read(&path(name))?.chunks(BLOCK).map(|block| block[0]).collect())
}

/// Several executors that use everything at once, with every fault switched on.
fn busy_world(seed: u64) -> (u64, u64, Vec<String>) {
    let options = SimOptions { readable_trace: true, ..SimOptions::default() };
    let world = World::new(seed, options);
    let hosts: Vec<Host> = (0..2).map(|_| world.host()).collect();
    for fault in [Fault::WriteError, Fault::SyncError, Fault::SlowDisk, Fault::ShortWrite] {
        hosts.iter().for_each(|host| host.faults().set_chance(fault, 0.1));
    }
    let server = hosts[0].runtime();
    let listener =
        server.net().listen("127.0.0.1:9092".parse().expect("valid"), true).expect("free");
    server.clone().spawn(Lane::Hot, async move {
        let file = server.disk().open(&path("log"), OpenMode::CREATE).await.expect("room");
        while let Ok((stream, _)) = listener.accept().await {
            let (file, runtime) = (file.clone(), server.clone());
            server.spawn(Lane::Hot, async move {
                while let Ok(bytes) = stream.recv().await {
                    if bytes.is_empty() {
                        break;
                    }
                    let offset = runtime.random() % 10_000;
                    let written = file.write_at(vec![Piece::Vec(bytes.to_vec())], offset).await;
                    let synced = file.sync_data().await;
                    let answer = [u8::from(written.is_ok()), u8::from(synced.is_ok())].to_vec();
                    if stream.send(vec![Piece::Vec(answer)]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    for _ in 0..3 {
        let client = hosts[1].runtime();
        client.clone().spawn(Lane::Background, async move {
            let address = "127.0.0.1:9092".parse().expect("valid");
            let stream = client.net().connect(address).await.expect("listening");
            for round in 0..20 {
                stream.send(vec![Piece::Vec(vec![round; 100])]).await.expect("connected");
                let answer = timeout(&client, Duration::from_millis(1), stream.recv()).await;
                if answer.is_none() {
                    client.sleep(Duration::from_micros(client.random() % 100)).await;
                }
                client.yield_now().await;
            }
        });
    }
    world.run_for(Duration::from_millis(5));
    world.run_until_quiet();
    (world.trace_hash(), world.trace_events(), world.trace())
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..5 {
        let (one, two) = (busy_world(seed), busy_world(seed));
        assert!(one.1 > 100, "{} events", one.1);
        assert_eq!(one.2, two.2);
        assert_eq!((one.0, one.1), (two.0, two.1));
        assert_ne!(one.0, busy_world(seed + 1).0);
    }
}

/// Runs `work` on a fresh host that is being recorded.
fn recorded<T>(seed: u64, work: impl AsyncFnOnce(Runtime, Host) -> T) -> (World, Host, T) {
    let world = World::new(seed, SimOptions::default());
    let host = world.host();
    host.start_recording();
    let value = world.run_until(work(host.runtime(), host.clone()));
    (world, host, value)
}

/// Every content that the blocks of `name` may have after a crash at the end of `work`.
fn outcomes(
    policy: ImagePolicy,
    name: &str,
    work: impl AsyncFnOnce(Runtime, Host),
) -> Vec<Option<Vec<u8>>> {
    let (_world, host, ()) = recorded(1, async |runtime, host: Host| {
        work(runtime, host.clone()).await;
        host.note(1);
    });
    let recording = host.recording();
    let images = recording.crash_images(policy).filter(|crash| !crash.notes().is_empty());
    let mut outcomes: Vec<_> = images.map(|crash| blocks(&crash.image, name)).collect();
    outcomes.sort();
    outcomes.dedup();
    outcomes
}

const WHOLE: ImagePolicy =
    ImagePolicy { subsets_max: 1024, torn_per_write: 0, stride: 1, kill_only: false, seed: 1 };
const KILL: ImagePolicy = ImagePolicy { kill_only: true, ..WHOLE };

#[test]
fn each_unsynced_write_survives_or_not_on_its_own() {
    let work = async |runtime: Runtime, _| {
        let file = create(&runtime, "file").await;
        write(&file, 0, 1).await;
        write(&file, 1, 2).await;
    };
    let expected = [vec![], vec![0, 2], vec![1], vec![1, 2]].map(Some);
    assert_eq!(outcomes(WHOLE, "file", work), expected);
    assert_eq!(outcomes(KILL, "file", work), [Some(vec![1, 2])]);
}

#[test]
fn a_sync_keeps_what_was_done_before_it_began() {
    let work = async |runtime: Runtime, _| {
        let file = create(&runtime, "file").await;
        write(&file, 0, 1).await;
        file.sync_data().await.expect("healthy");
        write(&file, 1, 2).await;
    };
    assert_eq!(outcomes(WHOLE, "file", work), [vec![1], vec![1, 2]].map(Some));

    let concurrent = async |runtime: Runtime, _| {
        let file = create(&runtime, "file").await;
        let issued = file.write_issued(block(1), BLOCK, 0);
        file.sync_data().await.expect("healthy");
        issued.done.await.1.expect("healthy");
    };
    assert_eq!(outcomes(WHOLE, "file", concurrent), [vec![], vec![1]].map(Some));
}

#[test]
fn a_commit_keeps_its_own_range_only() {
    let work = async |runtime: Runtime, _| {
        let file = create(&runtime, "file").await;
        write(&file, 0, 1).await;
        file.commit(block(2), BLOCK, BLOCK as u64).await.1.expect("healthy");
    };
    assert_eq!(outcomes(WHOLE, "file", work), [vec![0, 2], vec![1, 2]].map(Some));
    // What is older and not durable never undoes what is newer and durable.
    let over = async |runtime: Runtime, _| {
        let file = create(&runtime, "file").await;
        let two = [block(1), block(1)].map(|block| Piece::Aligned(block, 0..BLOCK));
        file.write_at(two.into(), 0).await.expect("healthy");
        file.commit(block(2), BLOCK, 0).await.1.expect("healthy");
    };
    assert_eq!(outcomes(WHOLE, "file", over), [vec![2], vec![2, 1]].map(Some));
}

#[test]
fn names_survive_with_a_sync_of_their_directory_only() {
    let work = async |runtime: Runtime, _| {
        let file = runtime.disk().open(&path("new"), OpenMode::CREATE_DIRECT).await.expect("room");
        write(&file, 0, 1).await;
        file.sync_data().await.expect("healthy");
    };
    assert_eq!(outcomes(WHOLE, "new", work), [None, Some(vec![1])]);
    assert_eq!(outcomes(KILL, "new", work), [Some(vec![1])]);

    let renamed = async |runtime: Runtime, _| {
        let file = create(&runtime, "old").await;
        write(&file, 0, 1).await;
        file.sync_data().await.expect("healthy");
        runtime.disk().rename(&path("old"), &path("new")).await.expect("healthy");
    };
    assert_eq!(outcomes(WHOLE, "new", renamed), [None, Some(vec![1])]);
    assert_eq!(outcomes(WHOLE, "old", renamed), [None, Some(vec![1])]);
}

#[test]
fn a_whole_file_is_replaced_or_not_and_never_half() {
    let work = async |runtime: Runtime, host: Host| {
        runtime.disk().write_whole(&path("whole"), &[1; 5000]).await.expect("healthy");
        host.note(1);
        runtime.disk().write_whole(&path("whole"), &[2; 9000]).await.expect("healthy");
        host.note(2);
    };
    let (_world, host, ()) = recorded(3, work);
    let recording = host.recording();
    let mut images = recording.crash_images(ImagePolicy::default());
    for crash in images.by_ref() {
        let bytes = crash.image.read(&path("whole"));
        let found = match &bytes {
            None => 0,
            Some(bytes) if *bytes == [1; 5000] => 1,
            Some(bytes) if *bytes == [2; 9000] => 2,
            Some(bytes) => panic!("half a file of {} bytes", bytes.len()),
        };
        assert!(found >= crash.notes().last().copied().unwrap_or(0));
    }
    assert!(images.distinct() > 10, "{}", images.distinct());
}

#[test]
fn a_failed_sync_leaves_its_writes_to_chance_for_ever() {
    let work = async |runtime: Runtime, host: Host| {
        let file = create(&runtime, "file").await;
        write(&file, 0, 1).await;
        host.faults().strike_after(Fault::SyncError, 0);
        assert!(file.sync_data().await.is_err());
        file.sync_data().await.expect("the kernel has forgotten");
        runtime.disk().sync_filesystem(Path::new("/")).await.expect("this one, too");
    };
    assert_eq!(outcomes(WHOLE, "file", work), [vec![], vec![1]].map(Some));
}

#[test]
fn torn_writes_leave_sectors() {
    let (_world, host, ()) = recorded(1, async |runtime, host: Host| {
        let file = create(&runtime, "file").await;
        file.commit(block(1), BLOCK, 0).await.1.expect("healthy");
        host.note(1);
        write(&file, 0, 2).await;
    });
    let recording = host.recording();
    let policy = ImagePolicy { torn_per_write: 64, ..ImagePolicy::default() };
    let (mut torn, mut garbage) = (0, 0);
    for crash in recording.crash_images(policy).filter(|crash| !crash.notes().is_empty()) {
        let bytes = crash.image.read(&path("file")).expect("durable");
        let sectors: Vec<&[u8]> = bytes.chunks(512).collect();
        let is_whole = |sector: &&[u8]| **sector == [1; 512] || **sector == [2; 512];
        torn += usize::from(bytes != [1; BLOCK] && bytes != [2; BLOCK]);
        garbage += usize::from(!is_whole(&sectors[7]));
        assert!(sectors[..7].iter().all(is_whole));
    }
    assert!(torn > 10 && garbage > 2, "{torn} {garbage}");
}

#[test]
fn an_image_starts_a_world() {
    let (_world, host, ()) = recorded(1, async |runtime, _| {
        let disk = runtime.disk();
        disk.create_dir_all(&path("a/b")).await.expect("healthy");
        disk.write_whole(&path("a/b/file"), b"bytes").await.expect("healthy");
        disk.symlink(Path::new("b/file"), &path("a/link")).await.expect("healthy");
    });
    let world = World::new(9, SimOptions::instant());
    let restarted = world.host_from(&host.disk_image());
    assert_eq!(restarted.disk_image().hash(), host.disk_image().hash());
    world.run_until(async {
        let runtime = restarted.runtime();
        let read = runtime.disk().read_whole(&path("a/link"), 5).await;
        assert_eq!(read.expect("healthy"), b"bytes");
        assert!(runtime.disk().read_whole(&path("a/link"), 4).await.is_err());
        let names = runtime.disk().list_dir(&path("a")).await.expect("healthy");
        assert_eq!(names.iter().map(|entry| &entry.name[..]).collect::<Vec<_>>(), ["b", "link"]);
        runtime.disk().remove_dir_all(&path("a")).await.expect("healthy");
        assert!(runtime.disk().list_dir(&path("a")).await.is_err());
    });
    assert_eq!(restarted.disk_bytes_used(), 0);
}
