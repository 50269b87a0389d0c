//! The way between cores: a bounded queue for each ordered pair of threads, and a bell for each.
//!
//! Invariants: messages of one link arrive in the order in which they were sent; a send never
//! blocks nor fails, what exceeds a link's depth is kept back at the sender and flushed once a
//! turn; a sleeping target is woken at most once a turn of the sender. In the simulator all nodes
//! share one thread, so a link is a plain queue with a seeded delay. Deliberately absent: replies and routing.
#![expect(
    clippy::disallowed_types,
    reason = "the one place where cores meet: a table of bells, a flag for each link"
)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use super::uring::{Source, WakeFlag};
use super::{Monotonic, Runtime, sim};
use crate::model::limits::MESH_LINK_DEPTH;

/// Messages taken from one link before the others are looked at.
const BURST: usize = 64;

/// A place in a mesh, made before its thread starts.
pub struct MeshPort<T> {
    node: usize,
    outgoing: Vec<Option<Outgoing<T>>>,
    incoming: Vec<Option<Incoming<T>>>,
    bells: Arc<[OnceLock<WakeFlag>]>,
    inboxes: Arc<[Mutex<Inbox<T>>]>,
}

struct Outgoing<T> {
    queue: rtrb::Producer<T>,
    /// Set while messages are kept back: whoever makes room rings the sender's bell.
    stalled: Arc<AtomicBool>,
}

struct Incoming<T> {
    queue: rtrb::Consumer<T>,
    stalled: Arc<AtomicBool>,
}

/// A simulated node's messages.
struct Inbox<T> {
    messages: VecDeque<(usize, T)>,
    receiver: Option<Waker>,
}

/// Makes the ports of a mesh of `nodes` threads.
pub fn mesh<T: Send>(nodes: usize) -> Vec<MeshPort<T>> {
    let bells: Arc<[_]> = (0..nodes).map(|_| OnceLock::new()).collect();
    let inboxes: Arc<[_]> = (0..nodes)
        .map(|_| Mutex::new(Inbox { messages: VecDeque::new(), receiver: None }))
        .collect();
    let mut ports: Vec<_> = (0..nodes)
        .map(|node| MeshPort {
            node,
            outgoing: (0..nodes).map(|_| None).collect(),
            incoming: (0..nodes).map(|_| None).collect(),
            bells: bells.clone(),
            inboxes: inboxes.clone(),
        })
        .collect();
    for from in 0..nodes {
        for to in (0..nodes).filter(|to| *to != from) {
            let (producer, consumer) = rtrb::RingBuffer::new(MESH_LINK_DEPTH);
            let stalled = Arc::new(AtomicBool::new(false));
            ports[from].outgoing[to] = Some(Outgoing { queue: producer, stalled: stalled.clone() });
            ports[to].incoming[from] = Some(Incoming { queue: consumer, stalled });
        }
    }
    ports
}

impl<T: Send + 'static> MeshPort<T> {
    /// Joins the mesh from the calling thread.
    pub fn attach(self, runtime: &Runtime) -> Mesh<T> {
        let handle = match runtime.machine() {
            Ok(handle) => handle,
            Err(machine) => {
                let latest = self.inboxes.iter().map(|_| Cell::new(Monotonic(0))).collect();
                let (node, inboxes, machine) = (self.node, self.inboxes, machine.clone());
                let ends = SimulatedEnds { node, inboxes, machine, latest };
                return Mesh(Ends::Simulated(Rc::new(ends)));
            }
        };
        let told = self.bells[self.node].set(handle.ring().wake_flag().clone());
        assert!(told.is_ok(), "a port is attached once");
        let outgoing = self.outgoing.into_iter().map(|link| link.map(Link::new)).collect();
        let incoming = self.incoming.into_iter().map(|link| link.map(RefCell::new)).collect();
        let ends = Rc::new(RealEnds {
            outgoing,
            incoming,
            own: RefCell::new(VecDeque::new()),
            bells: self.bells,
            receiver: RefCell::new(None),
            cursor: Cell::new((self.node, 0)),
        });
        handle.add_source(ends.clone());
        Mesh(Ends::Real(ends))
    }
}

/// One thread's ends of the mesh; clones are the same.
pub struct Mesh<T>(Ends<T>);

enum Ends<T> {
    Real(Rc<RealEnds<T>>),
    Simulated(Rc<SimulatedEnds<T>>),
}

impl<T> Clone for Mesh<T> {
    fn clone(&self) -> Mesh<T> {
        match &self.0 {
            Ends::Real(ends) => Mesh(Ends::Real(ends.clone())),
            Ends::Simulated(ends) => Mesh(Ends::Simulated(ends.clone())),
        }
    }
}

impl<T: 'static> Mesh<T> {
    /// Sends to a node, this one included.
    pub fn send(&self, to: usize, message: T) {
        match &self.0 {
            Ends::Real(ends) => ends.send(to, message),
            Ends::Simulated(ends) => ends.send(to, message),
        }
    }

    /// Messages that found the queue of their link full and wait here.
    pub fn kept_back(&self) -> usize {
        match &self.0 {
            Ends::Real(ends) => {
                ends.outgoing.iter().flatten().map(|link| link.kept_back.borrow().len()).sum()
            }
            Ends::Simulated(_) => 0,
        }
    }

    /// The next message and its sender; for one task at a time.
    pub async fn recv(&self) -> (usize, T) {
        poll_fn(|context| match &self.0 {
            Ends::Real(ends) => ends.poll_receive(context.waker()),
            Ends::Simulated(ends) => ends.poll_receive(context.waker()),
        })
        .await
    }
}

struct Link<T> {
    ends: RefCell<Outgoing<T>>,
    kept_back: RefCell<VecDeque<T>>,
    /// Whether something was sent since the last flush.
    sent: Cell<bool>,
}

impl<T> Link<T> {
    fn new(ends: Outgoing<T>) -> Link<T> {
        Link {
            ends: RefCell::new(ends),
            kept_back: RefCell::new(VecDeque::new()),
            sent: Cell::new(false),
        }
    }

    fn send(&self, message: T) {
        self.sent.set(true);
        let mut kept_back = self.kept_back.borrow_mut();
        if !kept_back.is_empty() {
            return kept_back.push_back(message);
        }
        if let Err(rtrb::PushError::Full(message)) = self.ends.borrow_mut().queue.push(message) {
            kept_back.push_back(message);
        }
    }

    /// Sends what was kept back as far as there is room; returns whether the target has news.
    fn flush(&self) -> bool {
        let mut kept_back = self.kept_back.borrow_mut();
        let mut ends = self.ends.borrow_mut();
        let mut news = self.sent.take();
        while let Some(message) = kept_back.pop_front() {
            // Before the last look at the queue, so that whoever makes room after it sees the flag.
            ends.stalled.store(true, Ordering::SeqCst);
            if let Err(rtrb::PushError::Full(message)) = ends.queue.push(message) {
                kept_back.push_front(message);
                break;
            }
            ends.stalled.store(false, Ordering::SeqCst);
            news = true;
        }
        news
    }

    fn can_flush(&self) -> bool {
        !self.kept_back.borrow().is_empty() && !self.ends.borrow().queue.is_full()
    }
}

struct RealEnds<T> {
    outgoing: Vec<Option<Link<T>>>,
    incoming: Vec<Option<RefCell<Incoming<T>>>>,
    /// Messages of this node to itself.
    own: RefCell<VecDeque<T>>,
    bells: Arc<[OnceLock<WakeFlag>]>,
    receiver: RefCell<Option<Waker>>,
    /// The link that is being read, and how much was read from it in a row.
    cursor: Cell<(usize, usize)>,
}

impl<T> RealEnds<T> {
    fn send(&self, to: usize, message: T) {
        match &self.outgoing[to] {
            Some(link) => link.send(message),
            None => self.own.borrow_mut().push_back(message),
        }
    }

    fn poll_receive(&self, waker: &Waker) -> Poll<(usize, T)> {
        if let Some(received) = self.take() {
            return Poll::Ready(received);
        }
        self.receiver.replace(Some(waker.clone()));
        Poll::Pending
    }

    fn take(&self) -> Option<(usize, T)> {
        let nodes = self.incoming.len();
        let (current, read) = self.cursor.get();
        let first = if read < BURST { current } else { (current + 1) % nodes };
        for step in 0..nodes {
            let from = (first + step) % nodes;
            if let Some(message) = self.take_from(from) {
                let read = if from == current && read < BURST { read + 1 } else { 1 };
                self.cursor.set((from, read));
                return Some((from, message));
            }
        }
        None
    }

    fn take_from(&self, from: usize) -> Option<T> {
        let Some(link) = &self.incoming[from] else {
            return self.own.borrow_mut().pop_front();
        };
        let mut link = link.borrow_mut();
        let message = link.queue.pop().ok()?;
        if link.stalled.load(Ordering::SeqCst)
            && link.stalled.swap(false, Ordering::SeqCst)
            && let Some(bell) = self.bells[from].get()
        {
            bell.ring();
        }
        Some(message)
    }

    fn has_message(&self) -> bool {
        !self.own.borrow().is_empty()
            || self.incoming.iter().flatten().any(|link| !link.borrow().queue.is_empty())
    }
}

impl<T> Source for RealEnds<T> {
    fn flush(&self) {
        for (to, link) in self.outgoing.iter().enumerate() {
            if let Some(link) = link
                && link.flush()
                && let Some(bell) = self.bells[to].get()
            {
                bell.ring();
            }
        }
    }

    fn poll(&self) -> bool {
        let room = self.outgoing.iter().flatten().any(Link::can_flush);
        // A receiver that is not waiting will look for itself.
        let waiting = self.receiver.borrow().is_some();
        if waiting
            && self.has_message()
            && let Some(receiver) = self.receiver.take()
        {
            receiver.wake();
            return true;
        }
        room
    }
}

struct SimulatedEnds<T> {
    node: usize,
    inboxes: Arc<[Mutex<Inbox<T>>]>,
    machine: sim::Node,
    /// When the last message to each node arrives: no later one of the link may come before.
    latest: Box<[Cell<Monotonic>]>,
}

impl<T: 'static> SimulatedEnds<T> {
    fn send(&self, to: usize, message: T) {
        let (from, inboxes) = (self.node, self.inboxes.clone());
        let latest = &self.latest[to];
        latest.set(self.machine.arrive(latest.get(), move || {
            let mut inbox = inboxes[to].lock().unwrap_or_else(PoisonError::into_inner);
            inbox.messages.push_back((from, message));
            let receiver = inbox.receiver.take();
            drop(inbox);
            if let Some(receiver) = receiver {
                receiver.wake();
            }
        }));
    }

    fn poll_receive(&self, waker: &Waker) -> Poll<(usize, T)> {
        let mut inbox = self.inboxes[self.node].lock().unwrap_or_else(PoisonError::into_inner);
        match inbox.messages.pop_front() {
            Some(received) => Poll::Ready(received),
            None => {
                inbox.receiver = Some(waker.clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::units::MIB;
    use crate::runtime::sim::{SimOptions, World};
    use crate::runtime::{ExecutorSpec, Lane, start};

    /// Every node sends `count` numbers to every node, in bursts beyond a link's depth, and checks
    /// that each link brings them in order.
    fn all_to_all(nodes: usize, count: usize, spin: Duration) {
        // Nobody ends while another still waits for what it has kept back.
        let end = Arc::new(std::sync::Barrier::new(nodes));
        let threads: Vec<_> = mesh::<usize>(nodes)
            .into_iter()
            .enumerate()
            .map(|(node, port)| {
                let spec = ExecutorSpec {
                    name: format!("node-{node}"),
                    cpu: None,
                    memory_bytes: MIB,
                    spin_max: spin,
                };
                let end = end.clone();
                let run = move |runtime: Runtime| async move {
                    let mesh = port.attach(&runtime);
                    let sender = mesh.clone();
                    let yielding = runtime.clone();
                    runtime.spawn(Lane::Hot, async move {
                        for number in 0..count {
                            (0..nodes).for_each(|to| sender.send(to, number));
                            if number % 5000 == 4999 {
                                yielding.yield_now().await;
                            }
                        }
                    });
                    let mut next = vec![0; nodes];
                    for _ in 0..nodes * count {
                        let (from, number) = mesh.recv().await;
                        assert_eq!(number, next[from], "from {from}");
                        next[from] += 1;
                    }
                    runtime.blocking(move || end.wait()).await;
                };
                start(spec, run).expect("the machine has io_uring")
            })
            .collect();
        for thread in threads {
            thread.join().expect("it is set up");
        }
    }

    #[test]
    fn messages_arrive_in_order_and_none_is_lost() {
        all_to_all(3, 20_000, Duration::ZERO);
        all_to_all(2, 20_000, Duration::from_micros(50));
        all_to_all(1, 100, Duration::ZERO);
    }

    #[test]
    fn simulated_links_keep_their_order_and_repeat() {
        let run = |seed| {
            let world = World::new(seed, SimOptions::default());
            let host = world.host();
            let mut meshes = mesh::<u32>(3).into_iter().map(|port| {
                let runtime = host.runtime();
                (port.attach(&runtime), runtime)
            });
            let (here, _) = meshes.next().expect("three");
            for (mesh, runtime) in meshes {
                let yielding = runtime.clone();
                runtime.spawn(Lane::Hot, async move {
                    for number in 0..100 {
                        mesh.send(0, number);
                        yielding.yield_now().await;
                    }
                });
            }
            let mut next = [0; 3];
            let senders: Vec<usize> = world.run_until(async {
                let mut senders = Vec::new();
                while senders.len() < 200 {
                    let (from, number) = here.recv().await;
                    assert_eq!(number, next[from], "from {from}");
                    next[from] += 1;
                    senders.push(from);
                }
                senders
            });
            (senders, world.now())
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1).0, run(2).0);
    }

    #[test]
    fn a_sleeping_node_is_woken_for_each_of_single_messages() {
        let mut ports = mesh::<u32>(2);
        let (far, near) = (ports.pop().expect("two"), ports.pop().expect("two"));
        let spec = |name: &str| ExecutorSpec {
            name: name.to_owned(),
            cpu: None,
            memory_bytes: MIB,
            spin_max: Duration::ZERO,
        };
        let echo = start(spec("far"), |runtime| async move {
            let mesh = far.attach(&runtime);
            loop {
                let (from, number) = mesh.recv().await;
                mesh.send(from, number);
                if number == 0 {
                    runtime.yield_now().await;
                    return;
                }
            }
        });
        let near = start(spec("near"), |runtime| async move {
            let mesh = near.attach(&runtime);
            for number in (0..2000).rev() {
                mesh.send(1, number);
                assert_eq!(mesh.recv().await, (1, number));
            }
        });
        near.expect("started").join().expect("it is set up");
        echo.expect("started").join().expect("it is set up");
    }
}
