//! A segment file as the lines that Kafka's tool prints: one a batch, and with `--deep-iteration` one a record.
//!
//! Nothing that the file says is believed: a batch is read only where the file has all of its bytes.

use std::io::{self, BufReader, Read, Write};

use thiserror::Error;

use super::parser::{ParseError, Parser};
use crate::record::{
    BATCH_HEADER_BYTES, BatchError, BatchHeader, BatchView, DecompressionCaps, DecompressionError,
    Record, RecordError,
};

/// The bytes up to the magic; a file's last batch has more.
const HEADER_BYTES_TO_MAGIC: u64 = 17;
/// The offset and length fields, which the length does not count.
const LOG_OVERHEAD: u64 = 12;
/// `LegacyRecord.RECORD_OVERHEAD_V0`: a length below it is none of any format.
const LENGTH_MIN: i32 = 14;
/// `RecordBatch.NO_SEQUENCE`.
const NO_SEQUENCE: i32 = -1;

/// Why a dump ends early: the file is damaged, or nobody reads the output.
#[derive(Debug, Error)]
pub enum DumpError {
    /// Standard output takes no more.
    #[error("standard output: {0}")]
    Output(io::Error),
    /// The file cannot be read.
    #[error("{0}")]
    File(#[from] io::Error),
    /// A length that no batch can have.
    #[error(
        "Found record size {size} smaller than minimum record overhead ({LENGTH_MIN}) in file {path}."
    )]
    Size {
        /// As declared.
        size: i32,
        /// As given.
        path: String,
    },
    /// A batch's header.
    #[error("the batch at position {position} of {path} cannot be read: {reason}")]
    Batch {
        /// In the file.
        position: u64,
        /// As given.
        path: String,
        /// What is wrong.
        reason: BatchError,
    },
    /// A batch's records.
    #[error("the records of the batch at position {position} of {path} cannot be read: {reason}")]
    Records {
        /// In the file.
        position: u64,
        /// As given.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// What the file is about.
    #[error("{0}")]
    Parse(#[from] ParseError),
}

impl From<DecompressionError> for RecordsError {
    fn from(error: DecompressionError) -> RecordsError {
        RecordsError::Reason(error.to_string())
    }
}

impl From<RecordError> for RecordsError {
    fn from(error: RecordError) -> RecordsError {
        RecordsError::Reason(error.to_string())
    }
}

/// Why the records of one batch are not shown.
enum RecordsError {
    Output(io::Error),
    Parse(ParseError),
    Reason(String),
}

/// What is shown of a segment.
#[derive(Debug)]
pub struct Show {
    /// A line for each record.
    pub records: bool,
    /// Keys and values.
    pub contents: bool,
    /// Nothing of a record but its key and value.
    pub skip_metadata: bool,
    /// As much of the file as is read; `i32::MAX` is all.
    pub bytes_max: i32,
    /// How keys and values are shown.
    pub parser: Parser,
}

/// Offsets that do not follow one another: the one before, the one that came.
pub type Gaps = Vec<(i64, i64)>;

/// One after the other the batches of a file, each with its position.
pub struct Batches<R> {
    file: BufReader<R>,
    path: String,
    position: u64,
    end: u64,
    bytes: Vec<u8>,
}

impl<R: Read> Batches<R> {
    /// The batches of the first `end` bytes of `file`, which stands at `position`.
    pub fn new(file: R, path: &str, position: u64, end: u64) -> Batches<R> {
        let (file, path) = (BufReader::new(file), path.to_owned());
        Batches { file, path, position, end, bytes: Vec::new() }
    }

    /// Where the next batch begins, or where the whole ones end.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next whole batch and its position; `None` at the end, also at one in mid-batch.
    pub fn read_next(&mut self) -> Result<Option<(u64, BatchView<'_>)>, DumpError> {
        let position = self.position;
        if position + HEADER_BYTES_TO_MAGIC >= self.end {
            return Ok(None);
        }
        self.bytes.clear();
        self.read(HEADER_BYTES_TO_MAGIC)?;
        let length = self.bytes.get(8..12).and_then(|length| length.first_chunk());
        let size = i32::from_be_bytes(*length.unwrap_or(&[0; 4]));
        if size < LENGTH_MIN {
            return Err(DumpError::Size { size, path: self.path.clone() });
        }
        let size_bytes = LOG_OVERHEAD + size as u64;
        if position + size_bytes > self.end {
            return Ok(None);
        }
        self.read(size_bytes.saturating_sub(HEADER_BYTES_TO_MAGIC))?;
        let batch = BatchView::read(&self.bytes).map_err(|reason| {
            let path = self.path.clone();
            DumpError::Batch { position, path, reason }
        })?;
        self.position += size_bytes;
        Ok(Some((position, batch)))
    }

    fn read(&mut self, size: u64) -> io::Result<()> {
        let found = (&mut self.file).take(size).read_to_end(&mut self.bytes)?;
        if (found as u64) < size { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// Prints the batches of a segment of `size_bytes`; gives the gaps between its records where they are shown.
pub fn dump(
    file: impl Read,
    path: &str,
    size_bytes: u64,
    show: &Show,
    out: &mut impl Write,
) -> Result<Gaps, DumpError> {
    let mut gaps = Gaps::new();
    let mut last_offset = -1;
    let end = size_bytes.min(u64::try_from(show.bytes_max).unwrap_or(0));
    let mut batches = Batches::new(file, path, 0, end);
    while let Some((position, batch)) = batches.read_next()? {
        write_batch(out, &batch, position).map_err(DumpError::Output)?;
        if show.records {
            let shown = write_records(out, &batch, show, &mut last_offset, &mut gaps);
            shown.map_err(|error| match error {
                RecordsError::Output(error) => DumpError::Output(error),
                RecordsError::Parse(error) => error.into(),
                RecordsError::Reason(reason) => {
                    DumpError::Records { position, path: path.to_owned(), reason }
                }
            })?;
        }
    }
    let left = end - batches.position();
    if left > 0 && show.bytes_max == i32::MAX {
        let name = path.rsplit('/').next().unwrap_or(path);
        writeln!(out, "Found {left} invalid bytes at the end of {name}")
            .map_err(DumpError::Output)?;
    }
    Ok(gaps)
}

fn timestamp_type(header: &BatchHeader) -> &'static str {
    if header.is_log_append_time() { "LogAppendTime" } else { "CreateTime" }
}

/// The offset of the batch's last record, which may be any number here.
pub fn last_offset(header: &BatchHeader) -> i64 {
    header.base_offset.0.wrapping_add(i64::from(header.last_offset_delta))
}

/// `DefaultRecordBatch.incrementSequence`, which wraps from the largest to 0.
fn incremented(base: i32, increment: i32) -> i32 {
    if base > i32::MAX.wrapping_sub(increment) {
        return increment.wrapping_sub(i32::MAX.wrapping_sub(base)).wrapping_sub(1);
    }
    base.wrapping_add(increment)
}

fn write_batch(out: &mut impl Write, batch: &BatchView<'_>, position: u64) -> io::Result<()> {
    let header = batch.header();
    let base_sequence = header.base_sequence;
    let last_sequence = match base_sequence {
        NO_SEQUENCE => NO_SEQUENCE,
        base => incremented(base, header.last_offset_delta),
    };
    let horizon = match header.has_delete_horizon() {
        true => format!("OptionalLong[{}]", header.base_timestamp),
        false => "OptionalLong.empty".to_owned(),
    };
    write!(
        out,
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {base_sequence} lastSequence: {last_sequence} \
         producerId: {} producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} \
         deleteHorizonMs: {horizon}",
        header.base_offset,
        last_offset(header),
        header.record_count,
        header.producer_id,
        header.producer_epoch.0,
        header.leader_epoch,
        header.is_transactional(),
        header.is_control(),
    )?;
    writeln!(
        out,
        " position: {position} {}: {} size: {} magic: {} compresscodec: {} crc: {} isvalid: {}",
        timestamp_type(header),
        header.max_timestamp,
        header.size_bytes,
        crate::record::MAGIC,
        header.compression.name(),
        header.crc,
        header.size_bytes >= BATCH_HEADER_BYTES && batch.crc_is_valid(),
    )
}

fn write_records(
    out: &mut impl Write,
    batch: &BatchView<'_>,
    show: &Show,
    last_offset: &mut i64,
    gaps: &mut Gaps,
) -> Result<(), RecordsError> {
    let opened = batch.open(DecompressionCaps::default())?;
    for record in batch.records(&opened) {
        let record = record?;
        if record.offset.0 != last_offset.wrapping_add(1) {
            gaps.push((*last_offset, record.offset.0));
        }
        *last_offset = record.offset.0;
        if !show.skip_metadata {
            write_metadata(out, batch, &record)?;
        }
        if show.contents && !batch.is_control() {
            write_contents(out, &record, show)?;
        }
        writeln!(out).map_err(RecordsError::Output)?;
    }
    Ok(())
}

fn write_metadata(
    out: &mut impl Write,
    batch: &BatchView<'_>,
    record: &Record<'_>,
) -> Result<(), RecordsError> {
    let size = |field: Option<&[u8]>| field.map_or(-1, |field| field.len() as i64);
    let headers: Vec<_> =
        record.headers.map(|header| String::from_utf8_lossy(header.key)).collect();
    let sequence = match batch.base_sequence {
        ..0 => NO_SEQUENCE,
        base => incremented(base, record.offset_delta),
    };
    let mut line = format!(
        "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
        record.offset,
        timestamp_type(batch.header()),
        record.timestamp,
        size(record.key),
        size(record.value),
        headers.join(","),
    );
    if batch.is_control() {
        line.push_str(&control(record)?);
    }
    out.write_all(line.as_bytes()).map_err(RecordsError::Output)
}

/// What a control record says; its key is a version and a type, two bytes each.
fn control(record: &Record<'_>) -> Result<String, RecordsError> {
    const NAMES: [&str; 7] = [
        "ABORT",
        "COMMIT",
        "LEADER_CHANGE",
        "SNAPSHOT_HEADER",
        "SNAPSHOT_FOOTER",
        "KRAFT_VERSION",
        "KRAFT_VOTERS",
    ];
    let malformed = |what: &str| RecordsError::Reason(format!("the control record's {what}"));
    let kind = record.key.and_then(|key| key.get(2..4)).and_then(|kind| kind.first_chunk());
    let kind = kind.map(|kind| i16::from_be_bytes(*kind)).ok_or_else(|| malformed("key"))?;
    let name = usize::try_from(kind).ok().and_then(|at| NAMES.get(at)).copied();
    Ok(match name {
        Some(name @ ("ABORT" | "COMMIT")) => {
            let epoch = record.value.and_then(|value| value.get(2..6));
            let epoch = epoch.and_then(|epoch| epoch.first_chunk());
            let epoch = i32::from_be_bytes(*epoch.ok_or_else(|| malformed("value"))?);
            format!(" endTxnMarker: {name} coordinatorEpoch: {epoch}")
        }
        name => format!(" controlType: {}({kind})", name.unwrap_or("UNKNOWN")),
    })
}

fn write_contents(
    out: &mut impl Write,
    record: &Record<'_>,
    show: &Show,
) -> Result<(), RecordsError> {
    let (key, value) = show.parser.parse(record).map_err(RecordsError::Parse)?;
    let mut prefix = if show.skip_metadata { "| " } else { " " };
    let mut line = String::new();
    if let Some(key) = key {
        line.push_str(&format!("{prefix}key: {key}"));
        prefix = " ";
    }
    if let Some(value) = value {
        line.push_str(&format!("{prefix}payload: {value}"));
    }
    out.write_all(line.as_bytes()).map_err(RecordsError::Output)
}
