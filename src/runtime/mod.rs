//! The machine: memory, clock, tasks, disk, network and the way between cores.

pub mod memory;
