//! A broker's start: its registration, and what the very first start of a cluster sets up.

use super::{CommandError, Decision};
use crate::metadata::image::Image;
use crate::metadata::record::{Broker, Record};
use crate::model::ErrorCode;

/// The feature that every finalized feature presupposes.
pub const METADATA_VERSION_FEATURE: &str = "metadata.version";

/// What a starting broker says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerStart {
    /// The cluster that its data directory belongs to.
    pub cluster_id: String,
    /// Its registration, with a fresh incarnation.
    pub broker: Broker,
    /// The `metadata.version` that a new cluster gets.
    pub metadata_version: i16,
}

/// Registers the broker; the first one also names the cluster and finalizes its first feature.
pub fn start_broker(image: &Image, start: BrokerStart) -> Result<Decision<()>, CommandError> {
    let mut records = Vec::new();
    match image.cluster_id() {
        None => {
            records.push(Record::Cluster { id: start.cluster_id.into() });
            records.push(Record::Feature {
                name: METADATA_VERSION_FEATURE.into(),
                level: start.metadata_version,
                epoch: image.features_epoch() + 1,
            });
        }
        Some(known) if known != start.cluster_id => {
            return Err(CommandError::new(
                ErrorCode::InconsistentClusterId,
                format!(
                    "The data directory belongs to cluster {}, its metadata to cluster {known}.",
                    start.cluster_id
                ),
            ));
        }
        Some(_) => {}
    }
    records.push(Record::Broker(start.broker));
    Ok(Decision { records, reply: () })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::commands::testing::{apply, broker};

    fn start(cluster_id: &str, incarnation: u128) -> BrokerStart {
        BrokerStart {
            cluster_id: cluster_id.into(),
            broker: Broker { incarnation, ..broker(1, None) },
            metadata_version: 29,
        }
    }

    #[test]
    fn only_the_first_start_names_the_cluster() {
        let mut image = Image::default();
        let first = start_broker(&image, start("c", 1)).expect("a new cluster");
        apply(&mut image, first.records);
        assert_eq!(image.cluster_id(), Some("c"));
        assert_eq!(image.features().collect::<Vec<_>>(), [(METADATA_VERSION_FEATURE, 29)]);
        assert_eq!(image.features_epoch(), 1);

        let again = start_broker(&image, start("c", 2)).expect("the same cluster");
        assert_eq!(again.records.len(), 1);
        apply(&mut image, again.records);
        assert_eq!(image.brokers().map(|broker| broker.incarnation).collect::<Vec<_>>(), [2]);

        let error = start_broker(&image, start("d", 3)).expect_err("another cluster");
        assert_eq!(error.code, ErrorCode::InconsistentClusterId);
    }
}
