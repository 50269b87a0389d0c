//! The real machine under test: sockets, files and the end of an executor.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::model::units::{BLOCK, KIB, MIB};
use crate::runtime::commit::{Engine, EngineChoice};
use crate::runtime::disk::{Disk, File, OpenMode};
use crate::runtime::memory::{AlignedBuf, Piece};
use crate::runtime::net::{Listener, Stream};
use crate::runtime::sync::{Event, join_all, oneshot};
use crate::runtime::{ExecutorSpec, Lane, Runtime, start};

/// Runs `main` on a thread with a ring of its own.
fn run<T, F>(main: impl FnOnce(Runtime) -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    run_spinning(Duration::ZERO, main)
}

fn run_spinning<T, F>(spin_max: Duration, main: impl FnOnce(Runtime) -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    let name = "test".to_owned();
    let spec = ExecutorSpec { name, cpu: None, memory_bytes: MIB, spin_max };
    let thread = start(spec, main).expect("the machine has io_uring");
    thread.join().expect("the executor is set up")
}

fn listen(runtime: &Runtime) -> (Listener, SocketAddr) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = runtime.net().listen(any, false).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

async fn pair(runtime: &Runtime) -> (Stream, Stream) {
    let (listener, address) = listen(runtime);
    let client = runtime.net().connect(address).await.expect("somebody listens");
    let (server, peer) = listener.accept().await.expect("somebody connects");
    assert_eq!((server.peer_addr(), client.peer_addr()), (peer, address));
    (client, server)
}

#[test]
fn more_operations_than_the_ring_has_entries_all_end() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
    let path = directory.path().join("file");
    run(move |runtime| async move {
        let file = runtime.disk().open(&path, OpenMode::CREATE_DIRECT).await.expect("made");
        let mut block = AlignedBuf::zeroed(BLOCK);
        block.fill(7);
        file.write_at(vec![Piece::Aligned(block, 0..BLOCK)], 0).await.expect("there is room");
        let reads = (0..6_000).map(|_| file.read_at(AlignedBuf::zeroed(BLOCK), 0));
        for (read, result) in join_all(reads).await {
            assert_eq!(result.expect("the device is well"), BLOCK);
            assert_eq!((read[0], read[BLOCK - 1]), (7, 7));
        }
    });
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|i| (i * 31 + i / 251) as u8).collect()
}

async fn receive(stream: &Stream, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        let part = stream.recv().await.expect("the peer sends");
        assert!(!part.is_empty(), "the stream ended after {} of {count}", all.len());
        all.extend_from_slice(&part);
    }
    all
}

#[test]
fn a_large_message_arrives_whole_by_both_ways_of_receiving() {
    run(|runtime| async move {
        let (client, server) = pair(&runtime).await;
        let message = bytes(3 * MIB);
        let sent = message.clone();
        runtime.spawn(Lane::Hot, async move {
            for _ in 0..2 {
                // More pieces than one system call takes, and an empty one.
                let mut pieces = vec![Piece::Vec(Vec::new())];
                pieces.extend(sent.chunks(1000).map(|part| Piece::Vec(part.to_vec())));
                client.send(pieces).await.expect("the peer receives");
            }
        });
        let (exact, result) = server.recv_exact(vec![0; 7], message.len()).await;
        result.expect("all of it is sent");
        assert!(exact[7..] == message, "straight into an owned buffer");
        assert!(receive(&server, message.len()).await == message, "by the pool");
        assert_eq!(server.recv().await.expect("the end is no error").len(), 0);
        let (_, result) = server.recv_exact(Vec::new(), 1).await;
        let error = result.expect_err("the stream has ended");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn more_connections_than_receive_buffers_all_get_their_answers() {
    for spin in [0, 50] {
        run_spinning(Duration::from_micros(spin), |runtime| async move {
            let (listener, address) = listen(&runtime);
            let server = runtime.clone();
            runtime.spawn(Lane::Hot, async move {
                while let Ok((stream, _)) = listener.accept().await {
                    server.spawn(Lane::Hot, async move {
                        let mut held = Vec::new();
                        loop {
                            // Holding them all makes the pool run out.
                            let part = stream.recv().await.expect("the peer is well");
                            if part.is_empty() {
                                return;
                            }
                            let answer = Piece::Vec(part.to_vec());
                            held.push(part);
                            stream.send(vec![answer]).await.expect("the peer receives");
                        }
                    });
                }
            });
            let clients = (0..200u32).map(|number| {
                let runtime = runtime.clone();
                async move {
                    let stream = runtime.net().connect(address).await.expect("it listens");
                    for round in 0..20u32 {
                        let message = (number * 1000 + round).to_le_bytes();
                        stream.send(vec![Piece::Vec(message.to_vec())]).await.expect("sent");
                        assert_eq!(receive(&stream, 4).await, message);
                    }
                }
            });
            join_all(clients).await;
        });
    }
}

#[test]
fn a_dropped_receive_leaves_the_stream_usable_and_a_shutdown_ends_it() {
    run(|runtime| async move {
        let (client, server) = pair(&runtime).await;
        for round in 0..100u8 {
            {
                let mut waiting = std::pin::pin!(server.recv_exact(Vec::new(), 64));
                poll_fn(|context| {
                    assert!(waiting.as_mut().poll(context).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
            runtime.sleep(Duration::from_micros(200)).await;
            client.send(vec![Piece::Vec(vec![round; 3])]).await.expect("sent");
            assert_eq!(receive(&server, 3).await, [round; 3]);
        }
        let other = server.clone();
        let (done, end) = oneshot::channel();
        runtime.spawn(Lane::Hot, async move {
            let end = other.recv().await.map(|bytes| bytes.len());
            assert!(done.send(end.ok()).is_ok(), "the test waits");
        });
        runtime.yield_now().await;
        assert!(server.clone().detach().is_none(), "a receive is in flight");
        server.shutdown();
        assert_eq!(end.await, Some(Some(0)));
    });
}

#[test]
fn a_stream_moves_to_another_thread() {
    let (moved, ports) = std::sync::mpsc::sync_channel(1);
    let client = std::thread::spawn(move || {
        run(move |runtime| async move {
            let (listener, address) = listen(&runtime);
            let client = runtime.net().connect(address).await.expect("it listens");
            let (server, _) = listener.accept().await.expect("somebody connects");
            client.send(vec![Piece::Vec(b"left behind".to_vec())]).await.expect("sent");
            moved.send(server.detach().expect("nothing is in flight")).expect("somebody waits");
            receive(&client, 5).await
        })
    });
    run(move |runtime| async move {
        let stream = ports.recv().expect("the other thread detaches");
        let stream = runtime.net().attach(stream).expect("the same machine");
        assert_eq!(receive(&stream, 11).await, b"left behind");
        stream.send(vec![Piece::Vec(b"moved".to_vec())]).await.expect("sent");
    });
    assert_eq!(client.join().expect("no panic"), b"moved");
}

#[test]
fn woken_tasks_run_first_in_first_out() {
    run(|runtime| async move {
        let (order, start) = (Rc::new(RefCell::new(Vec::new())), Event::new());
        let tail = Rc::new(Event::new());
        let done = Rc::new(Cell::new(0));
        for number in 0..8 {
            let (order, start, tail) = (order.clone(), start.listen(), tail.clone());
            runtime.spawn(Lane::Hot, async move {
                start.await;
                tail.notify_all();
                order.borrow_mut().push(number);
            });
        }
        // Woken by the first of them, it runs after all of them: a commit gathers a whole tick.
        let (last, all, count) = (tail.listen(), order.clone(), done.clone());
        runtime.spawn(Lane::Hot, async move {
            last.await;
            count.set(all.borrow().len());
        });
        runtime.sleep(Duration::from_millis(5)).await;
        start.notify_all();
        runtime.sleep(Duration::from_millis(5)).await;
        assert_eq!(*order.borrow(), (0..8).collect::<Vec<_>>());
        assert_eq!(done.get(), 8);
    });
}

async fn create(disk: &Disk, path: &Path) -> File {
    disk.open(path, OpenMode::CREATE_DIRECT).await.expect("the file system has direct I/O")
}

fn block(byte: u8) -> AlignedBuf {
    let mut buffer = AlignedBuf::zeroed(BLOCK);
    buffer.fill(byte);
    buffer
}

#[test]
fn every_engine_writes_what_it_was_given() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
    let path = directory.path().join("file");
    run(move |runtime| async move {
        let disk = runtime.disk();
        let file = create(disk, &path).await;
        for (round, engine) in
            [None, Some(Engine::DsyncWrite), Some(Engine::LinkedSync), Some(Engine::Thread)]
                .into_iter()
                .enumerate()
        {
            if let Some(engine) = engine {
                file.fix_engine(engine);
            }
            // Two in flight, as the journal has them.
            let commits = (0..8).map(|at| {
                let at = round * 8 + at;
                let file = file.clone();
                async move { file.commit(block(at as u8 + 1), BLOCK, (at * BLOCK) as u64).await.1 }
            });
            for result in join_all(commits).await {
                result.expect("there is room");
            }
        }
        let (read, result) = file.read_at(AlignedBuf::zeroed(64 * BLOCK), 0).await;
        assert_eq!(result.expect("it reads"), 32 * BLOCK, "short at the file's end");
        assert!(
            read.chunks(BLOCK)
                .take(32)
                .enumerate()
                .all(|(at, block)| { block.iter().all(|byte| *byte == at as u8 + 1) })
        );
        assert_eq!(file.len().await.expect("it is open"), 32 * BLOCK as u64);
    });
}

#[test]
fn a_commit_that_gets_no_thread_goes_by_the_ring() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
    let path = directory.path().join("file");
    run(move |runtime| async move {
        let file = create(runtime.disk(), &path).await;
        let Ok(handle) = runtime.machine() else { panic!("it is the real machine") };
        handle.refuse_commit_thread();
        file.fix_engine(Engine::Thread);
        for at in 0..2 {
            let (_, result) = file.commit(block(7), BLOCK, at * BLOCK as u64).await;
            result.expect("nothing is wrong with the file");
            assert_eq!(file.engine(), Some(Engine::LinkedSync));
        }
        let (read, result) = file.read_at(AlignedBuf::zeroed(2 * BLOCK), 0).await;
        assert_eq!(result.expect("it reads"), 2 * BLOCK);
        assert!(read.iter().all(|byte| *byte == 7));
    });
}

#[test]
fn files_of_a_device_share_what_their_commits_have_learnt() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
    let device = directory.path().metadata().expect("it is there").dev();
    run(move |runtime| async move {
        let one = create(runtime.disk(), &directory.path().join("one")).await;
        let Ok(handle) = runtime.machine() else { panic!("it is the real machine") };
        handle.engine_choice(device).replace(EngineChoice::fixed(Engine::LinkedSync));
        let other = create(runtime.disk(), &directory.path().join("other")).await;
        for file in [&one, &other] {
            assert_eq!(file.engine(), Some(Engine::LinkedSync));
            file.commit(block(1), BLOCK, 0).await.1.expect("there is room");
        }
        one.fix_engine(Engine::DsyncWrite);
        assert_eq!(other.engine(), Some(Engine::LinkedSync), "a fixed engine is the file's own");
        let elsewhere = handle.engine_choice(device + 1);
        assert_eq!(elsewhere.borrow().current(), Engine::DsyncWrite, "another device has its own");
    });
}

#[test]
fn errors_are_told_by_every_engine() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
    let path = directory.path().join("file");
    run(move |runtime| async move {
        let disk = runtime.disk();
        drop(create(disk, &path).await);
        let read_only = disk.open(&path, OpenMode::READ_DIRECT).await.expect("it is there");
        for engine in [Engine::DsyncWrite, Engine::LinkedSync, Engine::Thread] {
            read_only.fix_engine(engine);
            let (_, result) = read_only.commit(block(1), BLOCK, 0).await;
            let error = result.expect_err("it is not open for writing");
            assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{engine:?}");
            let (_, result) = read_only.commit(block(1), BLOCK, 17).await;
            let error = result.expect_err("not a whole block");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{engine:?}");
        }
        let issued = read_only.write_issued(block(1), BLOCK, 0);
        assert!(!issued.accepted.await);
        assert_eq!(issued.done.await.1.expect_err("not open").raw_os_error(), Some(libc::EBADF));
        let missing = disk.open(Path::new("/nowhere/at/all"), OpenMode::READ).await;
        assert_eq!(missing.expect_err("there is none").kind(), io::ErrorKind::NotFound);
    });
}

#[test]
fn a_relaxed_write_over_written_blocks_is_accepted_before_it_is_done() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
    let path = directory.path().join("file");
    run(move |runtime| async move {
        let file = create(runtime.disk(), &path).await;
        let zeros = Piece::Aligned(AlignedBuf::zeroed(64 * BLOCK), 0..64 * BLOCK);
        file.write_at(vec![zeros], 0).await.expect("there is room");
        file.sync_data().await.expect("the device is well");
        let (mut accepted, mut early) = (0, 0);
        for at in 0..64u64 {
            let mut issued = file.write_issued(block(at as u8), BLOCK, at * BLOCK as u64);
            accepted += u32::from(issued.accepted.await);
            let end = poll_fn(|context| Poll::Ready(issued.done.as_mut().poll(context))).await;
            early += u32::from(end.is_pending());
            match end {
                Poll::Ready((_, result)) => result.expect("there is room"),
                Poll::Pending if at % 2 == 0 => issued.done.await.1.expect("there is room"),
                // The end need not be awaited.
                Poll::Pending => {}
            }
        }
        assert!(accepted >= 60, "{accepted} of 64 writes to written blocks were taken inline");
        assert!(
            early > 0,
            "a thread with nothing else to do did not sleep until the device was done"
        );
        // Beyond the end of the file the kernel would have to wait.
        let issued = file.write_issued(block(9), BLOCK, 64 * BLOCK as u64);
        let _told = issued.accepted.await;
        issued.done.await.1.expect("it is written all the same");
        file.sync_data().await.expect("the device is well");
        let (read, result) = file.read_at(AlignedBuf::zeroed(65 * BLOCK), 0).await;
        assert_eq!(result.expect("it reads"), 65 * BLOCK);
        assert_eq!(
            read.chunks(BLOCK).map(|block| block[7]).collect::<Vec<_>>(),
            (0..64).chain([9]).collect::<Vec<u8>>()
        );
    });
}

#[test]
fn dropped_writes_run_to_their_end_with_their_memory() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
    let path = directory.path().join("file");
    run(move |runtime| async move {
        let file = create(runtime.disk(), &path).await;
        for engine in [Engine::DsyncWrite, Engine::LinkedSync, Engine::Thread] {
            file.fix_engine(engine);
            for at in 0..32u64 {
                {
                    let mut commit = std::pin::pin!(file.commit(block(0xaa), BLOCK, at * 4096));
                    poll_fn(|context| {
                        assert!(commit.as_mut().poll(context).is_pending());
                        Poll::Ready(())
                    })
                    .await;
                }
                // Whoever gets freed memory now would show in the file.
                drop(block(0x55));
            }
            loop {
                let (read, result) = file.read_at(AlignedBuf::zeroed(32 * BLOCK), 0).await;
                let read = &read[..result.expect("it reads")];
                assert!(!read.contains(&0x55), "{engine:?}");
                if read.len() == 32 * BLOCK && read.iter().all(|byte| *byte == 0xaa) {
                    break;
                }
                runtime.yield_now().await;
            }
            file.set_len(0).await.expect("it is open");
        }
    });
}

#[test]
fn a_cold_and_a_warm_range_of_a_file_are_sent() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
    let path = directory.path().join("file");
    run(move |runtime| async move {
        let content = bytes(3 * MIB / 2 + 77);
        runtime.disk().write_whole(&path, &content).await.expect("there is room");
        let file = runtime.disk().open(&path, OpenMode::READ).await.expect("it is there");
        let (client, server) = pair(&runtime).await;
        for cold in [true, false] {
            if cold {
                let descriptor = std::fs::File::open(&path).expect("it is there");
                evict(&descriptor);
            }
            let (sender, file) = (server.clone(), file.clone());
            let len = content.len() - 5;
            runtime.spawn(Lane::Hot, async move {
                sender.send_file(&file, 5, len).await.expect("the peer receives");
            });
            assert!(receive(&client, len).await == content[5..], "cold: {cold}");
        }
        let error = server.send_file(&file, content.len() as u64 - 1, 2).await;
        assert_eq!(error.expect_err("the file ends").kind(), io::ErrorKind::UnexpectedEof);
        let direct = runtime.disk().open(&path, OpenMode::READ_DIRECT).await.expect("there");
        let error = server.send_file(&direct, 0, 1).await.expect_err("it would block");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

fn evict(file: &std::fs::File) {
    use std::os::fd::AsRawFd;
    // SAFETY: plain system call on an open descriptor.
    let result = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(result, 0);
}

#[test]
fn directories_and_small_files() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
    let root = directory.path().to_owned();
    run(move |runtime| async move {
        let disk = runtime.disk();
        let deep = root.join("a/b");
        disk.create_dir_all(&deep).await.expect("made");
        disk.write_whole(&deep.join("x"), b"one").await.expect("written");
        disk.write_whole(&deep.join("x"), b"three").await.expect("written over");
        disk.symlink(Path::new("b"), &root.join("a/link")).await.expect("linked");
        assert_eq!(disk.read_whole(&root.join("a/link/x"), 5).await.expect("read"), b"three");
        assert!(disk.read_whole(&deep.join("x"), 4).await.is_err(), "longer than allowed");
        disk.rename(&deep.join("x"), &deep.join("y")).await.expect("renamed");
        let stray = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"z\xff");
        disk.write_whole(&deep.join(stray), b"").await.expect("any name will do");
        let names = disk.list_dir(&deep).await.expect("listed");
        assert_eq!(
            names.iter().map(|e| (&*e.name, e.is_dir, e.len)).collect::<Vec<_>>(),
            [("y", false, 5)]
        );
        disk.sync_dir(&deep).await.expect("synced");
        disk.sync_filesystem(&deep).await.expect("synced");
        let space = disk.space(&deep).await.expect("known");
        assert!(space.free_bytes > 0 && space.total_bytes > space.free_bytes, "{space:?}");
        disk.remove_file(&deep.join("y")).await.expect("removed");
        disk.remove_dir_all(&root.join("a")).await.expect("removed");
        assert!(disk.list_dir(&root.join("a")).await.is_err());
    });
}

#[test]
fn an_executor_ends_with_operations_in_flight_and_gives_its_port_back() {
    let address = run(|runtime| async move {
        let (listener, address) = listen(&runtime);
        let net = runtime.net().clone();
        runtime.spawn(Lane::Hot, async move {
            let (stream, _) = listener.accept().await.expect("somebody connects");
            let _never = stream.recv_exact(Vec::new(), 1 << 20).await;
            let _never = listener.accept().await;
        });
        let client = net.connect(address).await.expect("it listens");
        client.send(vec![Piece::Vec(vec![1; 100 * KIB])]).await.expect("sent");
        address
    });
    run(move |runtime| async move {
        // The kernel closes what a ring held some milliseconds after the ring, more on a busy machine.
        let mut tries_left = 1000;
        while let Err(error) = runtime.net().listen(address, false) {
            tries_left -= 1;
            assert!(tries_left > 0, "the port is not given back: {error}");
            runtime.sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn an_executor_ends_after_its_blocking_work() {
    let (end, ended) = std::sync::mpsc::sync_channel(1);
    run(move |runtime| async move {
        let late = runtime.clone();
        runtime.spawn(Lane::Background, async move {
            late.blocking(move || {
                // Longer than the executor takes to end what waits.
                std::thread::park_timeout(Duration::from_millis(50));
                end.send(()).expect("the test still waits");
            })
            .await;
        });
        runtime.yield_now().await;
        runtime.sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(ended.try_recv(), Ok(()));
}
