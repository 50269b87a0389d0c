//! New leader epochs after a stop in which a log may have lost what its readers had seen.

use super::Decision;
use crate::metadata::image::Image;
use crate::metadata::record::Record;
use crate::model::{LeaderEpoch, LogId};

/// Gives each of these partitions that still exists its next leader epoch, so that a reader that is
/// ahead of the log learns where it ends (KIP-320).
pub fn raise_leader_epochs(image: &Image, logs: &[LogId]) -> Decision<()> {
    let raised = logs.iter().filter_map(|log| {
        let mut state = image.partition(log)?.clone();
        state.leader_epoch = LeaderEpoch(state.leader_epoch.0.checked_add(1)?);
        state.partition_epoch = state.partition_epoch.checked_add(1)?;
        Some(Record::Partition { topic: log.topic, index: log.partition, state })
    });
    Decision { records: raised.collect(), reply: () }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::commands::testing::{apply, create, image_of_brokers};
    use crate::model::PartitionIndex;

    #[test]
    fn only_what_is_named_gets_a_new_epoch() {
        let mut image = image_of_brokers(1);
        create(&mut image, &[("a", 2)]);
        let topic = image.topic_id("a").expect("it was just made");
        let log = |partition| LogId { topic, partition: PartitionIndex(partition) };
        let decision = raise_leader_epochs(&image, &[log(1), log(2)]);
        apply(&mut image, decision.records);
        let epochs = |partition| {
            let state = image.partition(&log(partition)).expect("it exists");
            (state.leader_epoch, state.partition_epoch)
        };
        assert_eq!(epochs(0), (LeaderEpoch(0), 0));
        assert_eq!(epochs(1), (LeaderEpoch(1), 1));
    }
}
