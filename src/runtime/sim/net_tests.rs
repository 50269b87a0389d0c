//! Simulated connections: order, ends, cuts, bounds and moves.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Fault, Host, NetOptions, SimOptions, World};
use crate::runtime::disk::OpenMode;
use crate::runtime::memory::Piece;
use crate::runtime::net::Stream;
use crate::runtime::sync::{join_all, poll_now};
use crate::runtime::{Lane, Runtime};

const ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9092);

/// Two hosts and a connection between them: the server's end and the client's.
fn connected(options: SimOptions) -> (World, [Host; 2], [Runtime; 2], [Stream; 2]) {
    let world = World::new(7, options);
    let hosts = [world.host(), world.host()];
    let [server, client] = [hosts[0].runtime(), hosts[1].runtime()];
    let streams = world.run_until(async {
        let listener = server.net().listen(ADDRESS, false).expect("free");
        let near = client.net().connect(ADDRESS).await.expect("somebody listens");
        let (far, peer) = listener.accept().await.expect("somebody connects");
        assert_eq!((far.peer_addr(), near.peer_addr()), (peer, ADDRESS));
        [far, near]
    });
    (world, hosts, [server, client], streams)
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index * 31 + index / 251) as u8).collect()
}

async fn receive_all(stream: &Stream) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let some = stream.recv().await?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend_from_slice(&some);
    }
}

#[test]
fn bytes_arrive_in_order_through_small_windows_and_reads() {
    let net = NetOptions { window: 1000, small_reads: 0.5, ..NetOptions::default() };
    let (world, _hosts, [_, client], [far, near]) =
        connected(SimOptions { net, ..SimOptions::default() });
    client.spawn(Lane::Hot, async move {
        let pieces = bytes(50_000).chunks(7_001).map(|part| Piece::Vec(part.to_vec())).collect();
        near.send(pieces).await.expect("connected");
    });
    let received = world.run_until(async {
        let (head, filled) = far.recv_exact(vec![0; 100], 9_900).await;
        filled.expect("connected");
        [head[100..].to_vec(), receive_all(&far).await.expect("an orderly end")].concat()
    });
    assert_eq!(received, bytes(50_000));
    assert!(world.fault_count(Fault::SmallRead) > 10);
    assert!(world.run_until(far.send(vec![Piece::Vec(vec![1])])).is_err());
}

#[test]
fn a_sender_waits_for_a_reader() {
    let (world, _hosts, [_, client], [far, near]) = connected(SimOptions::default());
    let sending = Stream::clone(&near);
    client.spawn(Lane::Hot, async move {
        sending.send(vec![Piece::Vec(vec![1; 1_000_000])]).await.expect("connected");
        sending.shutdown();
    });
    world.run_for(Duration::from_secs(1));
    assert!(near.detach().is_none(), "a send is under way");
    assert_eq!(world.run_until(receive_all(&far)).expect("an orderly end").len(), 1_000_000);
}

#[test]
fn a_shutdown_ends_both_ends() {
    let (world, _hosts, _, [far, near]) = connected(SimOptions::default());
    let waiting = near.clone();
    let mut waiting = Box::pin(waiting.recv());
    assert!(poll_now(&mut waiting).is_none());
    near.shutdown();
    assert!(world.run_until(waiting).expect("its own end").is_empty());
    assert!(world.run_until(far.recv()).expect("an orderly end").is_empty());
    let (_, filled) = world.run_until(far.recv_exact(Vec::new(), 4));
    assert_eq!(filled.map_err(|error| error.kind()), Err(std::io::ErrorKind::UnexpectedEof));
}

#[test]
fn a_cut_and_a_killed_process_are_errors_to_the_other_side() {
    for kill in [false, true] {
        let (world, hosts, _, [far, near]) = connected(SimOptions::default());
        let mut waiting = Box::pin(far.recv());
        assert!(poll_now(&mut waiting).is_none());
        if kill {
            hosts[1].kill();
        } else {
            hosts[1].cut_connections();
            assert!(world.fault_count(Fault::Cut) > 0);
        }
        assert!(world.run_until(waiting).is_err());
        assert!(world.run_until(far.send(vec![Piece::Vec(vec![1])])).is_err());
        assert!(world.run_until(near.recv()).is_err());
    }
}

#[test]
fn a_port_is_shared_on_request_only_and_free_when_nobody_listens() {
    let world = World::new(1, SimOptions::default());
    let host = world.host();
    let runtimes: Vec<Runtime> = (0..3).map(|_| host.runtime()).collect();
    let listen = |reuse| runtimes[0].net().listen(ADDRESS, reuse);
    let refused = |world: &World| world.run_until(runtimes[1].net().connect(ADDRESS)).is_err();
    assert!(refused(&world));
    let (one, two) = (listen(true).expect("free"), listen(true).expect("shared"));
    assert!(listen(false).is_err());
    world.run_until(async {
        let streams = join_all((0..20).map(|_| runtimes[1].net().connect(ADDRESS))).await;
        assert!(streams.iter().all(Result::is_ok));
        one.accept().await.expect("some came here");
        two.accept().await.expect("and some there");
    });
    drop((one, two));
    assert!(refused(&world));
    let any = SocketAddr::new(ADDRESS.ip(), 0);
    let some = runtimes[0].net().listen(any, false).expect("free");
    assert_ne!(some.local_addr().expect("bound").port(), 0);
}

#[test]
fn a_file_is_sent_and_a_connection_moves() {
    let (world, _hosts, [server, client], [far, near]) = connected(SimOptions::default());
    let other = world.host().runtime();
    client.spawn(Lane::Hot, async move {
        assert_eq!(receive_all(&near).await.expect("an orderly end"), bytes(200_000)[10..]);
    });
    world.run_until(async {
        let path = std::path::Path::new("/file");
        let file = server.disk().open(path, OpenMode::CREATE).await.expect("room");
        file.write_at(vec![Piece::Vec(bytes(200_000))], 0).await.expect("healthy");
        let second = far.clone();
        let far = far.detach().map_or_else(|| Ok(second), |_| Err("there was another clone"));
        let far = far.expect("given back");
        far.send_file(&file, 10, 100_000).await.expect("connected");
        let moved = far.detach().expect("nothing is under way");
        let far = other.net().attach(moved).expect("of the same world");
        far.send_file(&file, 100_010, 99_990).await.expect("connected");
        assert!(far.send_file(&file, 200_000, 1).await.is_err(), "there is no such byte");
    });
    world.run_until_quiet();
}
