//! Giving out producer ids in blocks (Kafka's `ProducerIdControlManager`).

use super::{CommandError, Decision};
use crate::metadata::image::Image;
use crate::metadata::record::Record;
use crate::model::{ErrorCode, ProducerId};

/// Ids in a block (Kafka's `PRODUCER_ID_BLOCK_SIZE`): one durable commit for so many producers.
pub const PRODUCER_ID_BLOCK_LENGTH: i64 = 1000;

/// Ids that one asker may give out, none of which was or will be anyone else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// The first of them.
    pub first: ProducerId,
    /// How many they are.
    pub length: i64,
}

/// Takes the next block.
pub fn allocate_producer_ids(image: &Image) -> Result<Decision<ProducerIdBlock>, CommandError> {
    let first = image.next_producer_id();
    let Some(next) = first.0.checked_add(PRODUCER_ID_BLOCK_LENGTH) else {
        return Err(CommandError::new(
            ErrorCode::UnknownServerError,
            "Exhausted all producerIds as the next block's end producerId has exceeded the int64 \
             type limit",
        ));
    };
    Ok(Decision {
        records: vec![Record::ProducerIds { next: ProducerId(next) }],
        reply: ProducerIdBlock { first, length: PRODUCER_ID_BLOCK_LENGTH },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::commands::testing::apply;

    #[test]
    fn blocks_follow_each_other_to_the_end_of_the_numbers() {
        let mut image = Image::default();
        for block in 0..3 {
            let decision = allocate_producer_ids(&image).expect("ids are left");
            assert_eq!(decision.reply.first, ProducerId(block * 1000));
            apply(&mut image, decision.records);
        }
        apply(&mut image, vec![Record::ProducerIds { next: ProducerId(i64::MAX - 999) }]);
        let error = allocate_producer_ids(&image).expect_err("no whole block is left");
        assert_eq!(error.code, ErrorCode::UnknownServerError);
    }
}
