//! Bounds that several rooms share or an operator meets, each with its reason; what one file alone needs stands there.

use super::units::{BLOCK, GIB, KIB, MIB};

/// The most shards that one process runs: a mesh has a queue for each pair.
pub const SHARD_COUNT_MAX: usize = 128;
/// A topic's name, as Kafka allows it.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
/// Partitions that one broker takes: their in-memory state is at most 2 KiB each.
pub const PARTITION_COUNT_MAX: usize = 200_000;
/// Partitions in one CreateTopics or CreatePartitions request (Kafka: 10,000 records a batch).
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;
/// Responses that one connection may have outstanding before its socket is read no further.
pub const PIPELINE_DEPTH_MAX: usize = 128;
/// Request bytes in flight on one connection before its socket is read no further; one larger
/// request is let through alone.
pub const CONNECTION_INFLIGHT_BYTES_MAX: usize = 8 * MIB;
/// Bytes of answers that wait on one connection for its client to read before its socket is read no
/// further; one larger answer waits alone, and a fetch is not answered before its turn.
pub const CONNECTION_OUTPUT_BYTES_MAX: usize = MIB;
/// Accepts of one listener of one shard that are in flight: so many descriptors at most does a flood
/// of connections take before the limits of connections are looked at.
pub const ACCEPTS_IN_FLIGHT_MAX: usize = 8;
/// Descriptors that connections leave alone, for each shard: its open segments, as many files again
/// that are being written, its journal, rings and memory, and what it accepts before it counts.
pub const DESCRIPTORS_PER_SHARD_KEPT: usize = 2 * OPEN_SEGMENTS_MAX + DESCRIPTORS_PER_SHARD_FIXED;
/// Those among them that do not become fewer where few are allowed.
pub const DESCRIPTORS_PER_SHARD_FIXED: usize = 128;
/// Descriptors that connections leave alone for the rest of the process.
pub const DESCRIPTORS_KEPT: usize = 256;
/// Batches of one producer that a partition remembers (Kafka: `NUM_BATCHES_TO_RETAIN`).
pub const PRODUCER_BATCHES_RETAINED: usize = 5;
/// Idempotent producers that one partition remembers before the longest idle one is dropped.
pub const PRODUCERS_PER_PARTITION_MAX: usize = 10_000;
/// Members of one group, whatever `group.max.size` says, and ids given out to members that have not
/// joined yet: a rebalance walks all of them, about a microsecond each.
pub const GROUP_MEMBERS_MAX: usize = 10_000;
/// What one group's members take in memory, with their subscriptions under all their protocols: half
/// a KiB each for [`GROUP_MEMBERS_MAX`], and more than a generation that fits one record batch.
pub const GROUP_SUBSCRIPTION_BYTES_MAX: usize = 16 * MIB;
/// The assignments of one generation of a group, which are written as one record.
pub const GROUP_ASSIGNMENT_BYTES_MAX: usize = 8 * MIB;
/// Bad records that one request's answer lists: each takes more memory until it is sent than it took to send.
pub const RECORD_FAULTS_LISTED_MAX: usize = 16_384;
/// What one compressed batch may take when it is opened: 64 times Kafka's default of
/// `max.message.bytes`, held once a shard and only while its records are walked.
pub const DECOMPRESSED_BATCH_BYTES_MAX: usize = 64 * MIB;
/// Bytes out of a compressed batch for each byte in it, from 1 KiB on: twice what deflate reaches.
pub const DECOMPRESSION_RATIO_MAX: usize = 2048;

/// The smallest piece of a partition's memory.
pub const CHUNK_BYTES_MIN: usize = 4 * KIB;
/// The largest piece of a partition's memory.
pub const CHUNK_BYTES_MAX: usize = 256 * KIB;
/// The least that `memory.bytes` may be for each shard: two commits, a receive pool and chunks
/// enough for the bytes of a full journal share are never below it.
pub const MEMORY_PER_SHARD_MIN: usize = 32 * MIB;

/// Commits of one journal in flight when each is to be durable; the second only with much in it.
pub const COMMITS_IN_FLIGHT_DURABLE: usize = 2;
/// Commits of one journal in flight when none has to be durable.
pub const COMMITS_IN_FLIGHT_RELAXED: usize = 8;
/// The largest single commit, a multiple of the block.
pub const COMMIT_BYTES_MAX: usize = MIB;
/// Batches of so many bytes go past the journal, straight to their segment: each costs a write and a sync of
/// its own, which is cheaper than writing its bytes twice from about here on.
pub const BYPASS_BYTES_MIN: usize = 128 * KIB;
/// The least journal for one shard.
pub const JOURNAL_BYTES_PER_SHARD_MIN: usize = 8 * MIB;
/// What of a fresh journal is zeroed before the broker is ready.
pub const JOURNAL_ZEROED_AT_START_BYTES: usize = MIB;
/// Segment files that one shard holds open, where it may.
pub const OPEN_SEGMENTS_MAX: usize = 512;
/// Segment files that it holds open however few descriptors there are.
pub const OPEN_SEGMENTS_MIN: usize = 16;
/// Open files that a broker should be allowed: segments of a few shards and 60,000 connections.
pub const OPEN_FILES_MIN: u64 = 65_536;
/// One read of a segment that is not in memory.
pub const COLD_READ_BYTES_MAX: usize = 256 * KIB;
/// The distance between two entries of a segment's sparse index.
pub const INDEX_INTERVAL_BYTES: usize = 32 * KIB;

/// The metadata quorum's journal: what it holds is also in memory until a checkpoint.
pub const METADATA_JOURNAL_BYTES: usize = 8 * MIB;
/// Records of one command: 10,000 partitions of 16 replicas.
pub const METADATA_BATCH_BYTES_MAX: usize = 2 * MIB;
/// Records that are decided before they are written together; one command more may come on top.
pub const METADATA_ROUND_BYTES_MAX: usize = MIB;
/// The metadata's checkpoint file: far more than `PARTITION_COUNT_MAX` partitions and their configs.
pub const METADATA_CHECKPOINT_BYTES_MAX: usize = GIB;
/// Commands that wait for the controller before their askers have to wait.
pub const COMMANDS_WAITING_MAX: usize = 1024;

/// Groups of one partition of `__consumer_offsets`: Kafka's default of 50 partitions keeps five
/// million.
pub const COORDINATOR_GROUPS_MAX: usize = 100_000;
/// What the groups and offsets of one such partition take before none of them grows: half a
/// million offsets, or the subscriptions of a thousand groups of a thousand members.
pub const COORDINATOR_BYTES_MAX: usize = 64 * MIB;
/// What they take before it takes in no groups that it does not know: the rest is for those that it does.
pub const COORDINATOR_NEWCOMERS_BYTES_MAX: usize = COORDINATOR_BYTES_MAX / 4 * 3;
/// Writes of one such partition that are not durable yet before it puts off what would add to them:
/// sixteen of the largest batches of Kafka's default `max.message.bytes`.
pub const COORDINATOR_WRITES_BYTES_MAX: usize = 16 * MIB;
/// Requests that wait for an answer in one partition of the group coordinator, most of them members
/// of groups that rebalance: a full rebalance of as many members fits.
pub const COORDINATOR_REQUESTS_WAITING_MAX: usize = 100_000;
/// Bytes of a partition of `__consumer_offsets` behind its snapshot before the next one is written,
/// or as many as that has, if that is more: what a start has to read of it.
pub const COORDINATOR_SNAPSHOT_EVERY_BYTES: usize = 4 * MIB;
/// A snapshot of one partition of the group coordinator that is read at all: far more than its
/// machine holds.
pub const COORDINATOR_SNAPSHOT_BYTES_MAX: usize = GIB;

/// Kafka's cap on a segment.
pub const SEGMENT_BYTES_MAX: usize = 2 * GIB - 1;
/// Messages that wait on one link of the mesh before its sender keeps them back.
pub const MESH_LINK_DEPTH: usize = 1024;

const _: () = assert!(COMMIT_BYTES_MAX.is_multiple_of(BLOCK));
const _: () = assert!(
    CHUNK_BYTES_MIN.is_multiple_of(BLOCK) && CHUNK_BYTES_MAX.is_multiple_of(CHUNK_BYTES_MIN)
);
const _: () = assert!(JOURNAL_BYTES_PER_SHARD_MIN >= 4 * COMMIT_BYTES_MAX);
// A checkpoint is due at half of the journal: a whole round has to fit the other half.
const _: () =
    assert!(METADATA_BATCH_BYTES_MAX + METADATA_ROUND_BYTES_MAX <= METADATA_JOURNAL_BYTES * 3 / 8);
