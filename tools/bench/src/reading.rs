//! What all consuming connections have in common: their plan, their account, and how they end.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use anyhow::Result;
use klamm::client::Address;

use crate::clock::{Clock, Nanos};
use crate::consumer::Consumer;
use crate::ledger::Checker;
use crate::measure::Meter;
use crate::nats::subscriber::Subscriber;
use crate::workload::Protocol;

/// What a consumer is to do.
#[derive(Clone, Debug)]
pub struct ConsumerPlan {
    /// What its broker speaks.
    pub protocol: Protocol,
    /// Its number.
    pub id: usize,
    /// Each copy reads every partition once.
    pub copy: usize,
    /// The run whose records count; `None` takes any.
    pub run: Option<u32>,
    /// Where its partitions' leader listens.
    pub address: Address,
    /// What to read.
    pub topic: String,
    /// The partitions, and the offset of each at which to begin.
    pub partitions: Vec<(i32, i64)>,
    /// The offsets at which to end; without them it reads until it is told to stop.
    pub ends: Option<Vec<i64>>,
    /// `fetch.min.bytes`.
    pub bytes_min: i32,
    /// `fetch.max.bytes`.
    pub bytes_max: i32,
    /// `max.partition.fetch.bytes`.
    pub partition_bytes_max: i32,
    /// `fetch.max.wait.ms`.
    pub wait_ms_max: i32,
    /// `request.timeout.ms`.
    pub timeout: Duration,
    /// Whether records' times are of this run's clock.
    pub is_timed: bool,
    /// Whether it reads a backlog, beside those whose records count.
    pub is_cold: bool,
    /// Whether the end of the window is its end, wherever it is.
    pub ends_with_window: bool,
}

/// What has become of a consumer so far.
pub struct Standing {
    /// What it is to do.
    pub plan: ConsumerPlan,
    /// Its account of every record.
    pub checker: Checker,
    /// It reads nothing more.
    pub is_done: bool,
    failure: Option<String>,
}

impl Standing {
    /// Nothing is read yet.
    pub fn new(plan: ConsumerPlan) -> Standing {
        Standing { checker: Checker::new(plan.run), plan, is_done: false, failure: None }
    }

    /// Counts a record of `size` bytes that has come `now`.
    pub fn observe(
        &mut self,
        partition: i32,
        value: Option<&[u8]>,
        size: usize,
        now: Nanos,
        meter: &mut Meter,
    ) {
        let stamp = self.checker.observe(partition, value);
        let intended = stamp.filter(|_| self.plan.is_timed).map(|stamp| stamp.intended);
        if self.plan.is_cold {
            meter.read_cold(now, size);
        } else {
            meter.read(now, size, intended);
        }
    }

    fn end(&mut self) {
        self.is_done |= self.plan.ends_with_window;
    }

    fn broke(&mut self, error: &anyhow::Error) {
        self.is_done = true;
        self.failure = Some(format!("consumer {}: {error:#}", self.plan.id));
    }

    fn give_up(&mut self) {
        if !self.is_done && !self.plan.ends_with_window {
            self.failure =
                Some(format!("consumer {} did not catch up in the time given", self.plan.id));
        }
        self.is_done = true;
    }

    /// Which copy it read, its account, and what went wrong.
    pub fn account(self) -> (usize, Checker, Option<String>) {
        (self.plan.copy, self.checker, self.failure)
    }
}

/// A consuming connection of any protocol, as its thread drives it.
pub trait Reading {
    /// What has become of it.
    fn standing(&self) -> &Standing;
    /// The same, to go on with.
    fn standing_mut(&mut self) -> &mut Standing;
    /// The same, at the end.
    fn into_standing(self: Box<Self>) -> Standing;
    /// Connects; blocks until the broker has greeted.
    fn connect(&mut self) -> Result<BorrowedFd<'_>>;
    /// Lets go of the connection.
    fn disconnect(&mut self);
    /// Nothing more is written: ends when it has read everything that is there `now`.
    fn stop_when_caught_up(&mut self, now: Nanos);
    /// Asks for more where no question is open.
    fn advance(&mut self, clock: Clock) -> Result<()>;
    /// More room in the socket.
    fn flush(&mut self) -> Result<()>;
    /// Takes what has arrived.
    fn receive(&mut self, clock: Clock, meter: &mut Meter) -> Result<()>;

    /// True where it reads nothing more.
    fn is_done(&self) -> bool {
        self.standing().is_done
    }

    /// The window is over, or the user wants it to be.
    fn end(&mut self) {
        self.standing_mut().end();
    }

    /// The connection is of no use any more.
    fn broke(&mut self, error: &anyhow::Error) {
        self.disconnect();
        self.standing_mut().broke(error);
    }

    /// Time is up.
    fn give_up(&mut self) {
        self.standing_mut().give_up();
    }
}

/// A consumer of the plan's protocol, not connected yet.
pub fn reading(plan: ConsumerPlan) -> Box<dyn Reading> {
    match plan.protocol {
        Protocol::Kafka => Box::new(Consumer::new(plan)),
        Protocol::Nats => Box::new(Subscriber::new(plan)),
    }
}
