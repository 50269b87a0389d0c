//! What the process may use of the machine, as the configuration wants to know it.

use std::fs;
use std::io;

use crate::config::Machine;
use crate::runtime::topology::Topology;

/// The machine that this process runs on.
///
/// # Errors
/// Where the kernel does not say which CPUs and how much memory there are.
pub fn machine() -> io::Result<Machine> {
    let topology = Topology::read()?;
    let host_name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host_name = match host_name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    };
    Ok(Machine {
        cpus: topology.cpus_by_core(),
        parallelism: topology.parallelism(),
        memory_bytes: topology.memory_bytes,
        host_name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_something_of_everything() {
        let machine = machine().expect("Linux says what there is");
        assert!(!machine.cpus.is_empty());
        assert!(machine.memory_bytes > 0);
        assert!(!machine.host_name.is_empty());
    }
}
