//! What one seed or many have been through, so that nothing that was meant to happen stays at zero.

use std::collections::BTreeMap;

use crate::runtime::sim::{Fault, World};

/// Counts of faults and of everything else that somebody wants to have happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// By fault, in the order of [`Fault::ALL`].
    pub faults: [u64; Fault::ALL.len()],
    /// By name.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Adds to one count.
    pub fn count(&mut self, what: &'static str, by: u64) {
        *self.counts.entry(what).or_default() += by;
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Tally) {
        for (sum, count) in self.faults.iter_mut().zip(other.faults) {
            *sum += count;
        }
        for (what, count) in &other.counts {
            self.count(what, *count);
        }
    }

    /// Takes what a world has injected.
    pub fn take_faults(&mut self, world: &World) {
        for fault in Fault::ALL {
            self.faults[fault as usize] = world.fault_count(fault);
        }
    }

    /// Each fault with its count.
    pub fn faults(&self) -> impl Iterator<Item = (Fault, u64)> {
        Fault::ALL.into_iter().map(|fault| (fault, self.faults[fault as usize]))
    }

    /// Faults that somebody has to notice: not what disks and networks do every moment.
    pub fn grave(&self) -> u64 {
        let common = [
            Fault::SlowDisk,
            Fault::PuntedWrite,
            Fault::ShortWrite,
            Fault::TornWrite,
            Fault::SmallRead,
            Fault::SlowNetwork,
        ];
        let of = |fault: Fault| self.faults[fault as usize];
        Fault::ALL.into_iter().filter(|fault| !common.contains(fault)).map(of).sum()
    }
}
