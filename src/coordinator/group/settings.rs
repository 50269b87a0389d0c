//! What a broker's configuration says about groups.

/// The settings of every group of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`: how long the first rebalance of an empty group waits.
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`: the members of a group; a bound of `model/limits` holds beside it.
    pub size_max: i32,
}

impl Default for GroupSettings {
    /// Kafka's defaults.
    fn default() -> Self {
        GroupSettings {
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            size_max: i32::MAX,
        }
    }
}
