//! The names of what is counted: one line for each, from which the page and its test are made.

/// How Prometheus is to take a metric's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only rises while the process lives.
    Counter,
    /// It is what it is at this moment.
    Gauge,
}

impl Kind {
    /// The word behind `# TYPE`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        }
    }
}

macro_rules! metrics {
    ($($variant:ident $kind:ident $name:literal $(by $label:literal)? : $help:literal)*) => {
        /// Something that a shard counts or reads off itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Metric {
            $(#[doc = $help] $variant,)*
        }

        impl Metric {
            /// All of them, in the order of the page.
            pub const ALL: &'static [Metric] = &[$(Metric::$variant),*];

            /// The name on the page.
            pub const fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)* }
            }

            /// How its values are to be taken.
            pub const fn kind(self) -> Kind {
                match self { $(Metric::$variant => Kind::$kind,)* }
            }

            /// What it says, in a sentence.
            pub const fn help(self) -> &'static str {
                match self { $(Metric::$variant => $help,)* }
            }

            /// What tells its series of one shard apart, if it has several.
            pub fn label(self) -> Option<&'static str> {
                match self { $(Metric::$variant => { let label: &[&'static str] = &[$($label)?]; label.first().copied() })* }
            }
        }
    };
}

metrics! {
    ReceivedBytes Counter "klamm_received_bytes_total": "Bytes received from clients."
    SentBytes Counter "klamm_sent_bytes_total": "Bytes sent to clients."
    AppendedBatches Counter "klamm_appended_batches_total": "Record batches appended."
    AppendedBytes Counter "klamm_appended_bytes_total": "Bytes of record batches appended."
    FetchedBytes Counter "klamm_fetched_bytes_total": "Bytes of record batches fetched."
    ConnectionsOpened Counter "klamm_connections_opened_total": "Connections accepted or moved in."
    Connections Gauge "klamm_connections": "Open connections."
    RequestsInProgress Gauge "klamm_requests_in_progress": "Requests that are not answered yet, long polls among them."
    FetchesWaiting Gauge "klamm_fetches_waiting": "Fetches that wait for records (long polls)."
    SlowRequests Counter "klamm_slow_requests_total": "Requests that took longer than slow.request.ms."
    Stalls Counter "klamm_stalls_total" by "cause": "Times the shard did not turn for 10 ms: a task held its core, or the core was not given to it."
    CpuSeconds Counter "klamm_shard_cpu_seconds_total": "CPU time of the shard's thread."
    Partitions Gauge "klamm_partitions": "Partitions owned."
    LogBytes Gauge "klamm_log_size_bytes": "Bytes of the logs of the shard's partitions."
    Groups Gauge "klamm_groups" by "state": "Groups that the shard coordinates."
    CallsWaiting Gauge "klamm_calls_waiting": "Calls to other shards and to the controller without an answer yet."
    MessagesKeptBack Gauge "klamm_messages_kept_back": "Messages to other threads that found their queue full."
    CommitEngine Gauge "klamm_commit_engine" by "engine": "How commits become durable at the moment: 1 for the engine in use."
    CommitsInFlight Gauge "klamm_commits_in_flight": "Journal writes that are on their way to the disk."
    JournalStagedBytes Gauge "klamm_journal_staged_bytes": "Bytes that wait for a journal write."
    JournalUsed Gauge "klamm_journal_used_ratio": "The part of the journal that no checkpoint covers yet; a checkpoint is due at 0.5."
    JournalWrites Counter "klamm_journal_writes_total": "Journal frames written without a flush of their own."
    JournalSyncs Counter "klamm_journal_syncs_total": "Flushes that made such frames durable."
    BypassedBytes Counter "klamm_journal_bypassed_bytes_total": "Bytes of large batches written straight to their segments, past the journal."
    JournalWaits Counter "klamm_journal_waits_total" by "reason": "Times a frame waited for a checkpoint to free a file, or for a file to be zeroed."
    Checkpoints Counter "klamm_checkpoints_total": "Checkpoints written."
    OpenSegments Gauge "klamm_open_segment_files": "Segment files that are open."
    LogDirectoryUp Gauge "klamm_log_directory_up": "1 while the log directory takes writes, 0 once a write or a sync has failed."
    MemoryBytes Gauge "klamm_memory_bytes" by "purpose": "Memory in use, by purpose."
    LentBytes Gauge "klamm_lent_bytes": "Records in memory that answers of other shards point to."
    MemoryLimitBytes Gauge "klamm_memory_limit_bytes": "The shard's part of memory.bytes: records and caches together stay below it."
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_what_prometheus_wants_them_to_be() {
        let mut seen = BTreeSet::new();
        for metric in Metric::ALL {
            let name = metric.name();
            assert!(seen.insert(name), "{name} stands twice");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind() == Kind::Counter, "{name}");
            assert!(metric.help().ends_with('.'), "{name}");
        }
    }
}
