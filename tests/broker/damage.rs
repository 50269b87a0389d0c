//! A data directory of which something else has changed bytes while no broker ran.

use std::fs;
use std::path::Path;

use crate::fetch::values;
use crate::support::Broker;
use crate::wire::{Wire, batch};

const BLOCK: usize = 4096;

/// Takes the end of the metadata's log away, from the block with `text` on.
fn cut_metadata_at(data_dir: &Path, text: &[u8]) {
    let journal = data_dir.join("metadata/journal");
    for entry in fs::read_dir(journal).expect("the metadata has a journal") {
        let path = entry.expect("an entry").path();
        let mut bytes = fs::read(&path).expect("a file of the journal");
        if let Some(at) = bytes.windows(text.len()).position(|window| window == text) {
            bytes[at / BLOCK * BLOCK..].fill(0);
            return fs::write(&path, bytes).expect("the file is written");
        }
    }
    panic!("no file of the metadata's journal has it");
}

#[test]
fn records_of_a_topic_that_the_metadata_has_lost_are_kept() {
    let mut broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    let kept = wire.create_topic("kept", 1, &[]);
    wire.create_topic("removed", 1, &[]);
    for topic in ["kept", "removed"] {
        assert_eq!(wire.produce(topic, 0, &batch(&["first"]), 9).error_code, 0);
    }
    wire.delete_topic("removed");
    let lost = wire.create_topic("precious", 1, &[]);
    assert_eq!(wire.produce("precious", 0, &batch(&["irreplaceable"]), 9).error_code, 0);
    broker.kill();
    cut_metadata_at(&broker.data_dir(), b"precious");
    broker.restart();
    let own = broker.data_dir().join("lost-topics").join(lost.to_string()).join("0");
    let segment = own.join("00000000000000000000.log");
    for _ in 0..2 {
        let bytes = fs::read(&segment).expect("the segment has been set aside");
        let text = b"irreplaceable";
        assert!(bytes.windows(text.len()).any(|window| window == text), "the record is not there");
        let mut wire = Wire::connect(&broker);
        assert_eq!(values(&mut wire, "kept", kept, 0), ["first"]);
        broker.kill();
        broker.restart();
    }
    let log = broker.log();
    assert_eq!(log.matches("the metadata does not know this partition").count(), 1, "{log}");
    assert!(log.contains(&own.display().to_string()), "{log}");
    // Its name is free, and what gets it next begins empty.
    let mut wire = Wire::connect(&broker);
    let next = wire.create_topic("precious", 1, &[]);
    assert_eq!(values(&mut wire, "precious", next, 0), [""; 0]);
    assert_eq!(wire.produce("precious", 0, &batch(&["new"]), 9).error_code, 0);
    assert_eq!(values(&mut wire, "precious", next, 0), ["new"]);
}
