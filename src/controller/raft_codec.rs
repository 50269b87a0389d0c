//! The stored form of Raft's own structures: bounded, versioned, and none of protobuf's.
//!
//! Each begins with a format byte (1). Integers are big-endian.
//!
//! - entry: type (u8: 0 normal, 1 and 2 configuration changes), term (u64), index (u64), length of
//!   the context (u32), the context, and the data to the end of the bytes;
//! - hard state: term, vote, commit (u64 each);
//! - configuration: voters, learners, outgoing voters, next learners (lists of u64), and whether a
//!   joint configuration ends by itself (flag).

use raft::eraftpb::{ConfState, Entry, EntryType, HardState};

use crate::metadata::codec::{DecodeError, Reader, put_count};

const FORMAT: u8 = 1;
/// Bytes of an entry before its context.
pub const ENTRY_HEADER_BYTES: usize = 22;

fn check_format(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    match reader.u8()? {
        FORMAT => Ok(()),
        other => Err(DecodeError::UnknownFormat(other)),
    }
}

/// Writes an entry up to and with its context; its data follows as it is.
pub fn put_entry_header(out: &mut Vec<u8>, entry: &Entry) {
    let entry_type = match entry.entry_type {
        EntryType::EntryNormal => 0,
        EntryType::EntryConfChange => 1,
        EntryType::EntryConfChangeV2 => 2,
    };
    out.extend_from_slice(&[FORMAT, entry_type]);
    out.extend_from_slice(&entry.term.to_be_bytes());
    out.extend_from_slice(&entry.index.to_be_bytes());
    let length = u32::try_from(entry.context.len()).expect("a context is a few bytes");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&entry.context);
}

/// Parses an entry that takes all of `bytes`.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, DecodeError> {
    let mut reader = Reader::new(bytes);
    check_format(&mut reader)?;
    let entry_type = match reader.u8()? {
        0 => EntryType::EntryNormal,
        1 => EntryType::EntryConfChange,
        2 => EntryType::EntryConfChangeV2,
        other => return Err(DecodeError::BadFlag(other)),
    };
    let mut entry = Entry { entry_type, ..Entry::default() };
    entry.term = reader.u64()?;
    entry.index = reader.u64()?;
    let context = reader.u32()? as usize;
    entry.context = reader.bytes(context)?.to_vec().into();
    entry.data = reader.rest().to_vec().into();
    Ok(entry)
}

/// Writes a hard state.
pub fn put_hard_state(out: &mut Vec<u8>, state: &HardState) {
    out.push(FORMAT);
    for number in [state.term, state.vote, state.commit] {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// Reads a hard state.
pub fn read_hard_state(reader: &mut Reader<'_>) -> Result<HardState, DecodeError> {
    check_format(reader)?;
    let (term, vote, commit) = (reader.u64()?, reader.u64()?, reader.u64()?);
    Ok(HardState { term, vote, commit, ..HardState::default() })
}

/// Writes a configuration.
pub fn put_conf_state(out: &mut Vec<u8>, state: &ConfState) {
    out.push(FORMAT);
    for list in [&state.voters, &state.learners, &state.voters_outgoing, &state.learners_next] {
        put_count(out, list.len());
        for id in list {
            out.extend_from_slice(&id.to_be_bytes());
        }
    }
    out.push(u8::from(state.auto_leave));
}

/// Reads a configuration.
pub fn read_conf_state(reader: &mut Reader<'_>) -> Result<ConfState, DecodeError> {
    check_format(reader)?;
    Ok(ConfState {
        voters: reader.list(8, Reader::u64)?,
        learners: reader.list(8, Reader::u64)?,
        voters_outgoing: reader.list(8, Reader::u64)?,
        learners_next: reader.list(8, Reader::u64)?,
        auto_leave: reader.flag()?,
        ..ConfState::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(entry_type: EntryType, context: &[u8], data: &[u8]) -> Entry {
        let mut entry = Entry { entry_type, term: 3, index: 1 << 40, ..Entry::default() };
        entry.context = context.to_vec().into();
        entry.data = data.to_vec().into();
        entry
    }

    fn encode(entry: &Entry) -> Vec<u8> {
        let mut out = Vec::new();
        put_entry_header(&mut out, entry);
        out.extend_from_slice(&entry.data);
        out
    }

    #[test]
    fn entries_round_trip() {
        for entry_type in
            [EntryType::EntryNormal, EntryType::EntryConfChange, EntryType::EntryConfChangeV2]
        {
            for (context, data) in [(&b""[..], &b""[..]), (b"c", b"data"), (b"", b"d")] {
                let entry = entry(entry_type, context, data);
                assert_eq!(decode_entry(&encode(&entry)), Ok(entry));
            }
        }
    }

    #[test]
    fn a_cut_or_changed_entry_never_panics() {
        let whole = entry(EntryType::EntryNormal, b"context", b"data");
        let bytes = encode(&whole);
        for cut in 0..ENTRY_HEADER_BYTES + whole.context.len() {
            assert_eq!(decode_entry(&bytes[..cut]), Err(DecodeError::Truncated));
        }
        for position in 0..bytes.len() {
            for change in 1..=255u8 {
                let mut mutant = bytes.clone();
                mutant[position] ^= change;
                if let Ok(decoded) = decode_entry(&mutant) {
                    assert_eq!(encode(&decoded), mutant);
                }
            }
        }
    }

    #[test]
    fn states_round_trip_and_every_cut_is_an_error() {
        let hard = HardState { term: 1, vote: 2, commit: 3, ..HardState::default() };
        let conf = ConfState {
            voters: vec![1, 2],
            learners: vec![3],
            voters_outgoing: vec![],
            learners_next: vec![4],
            auto_leave: true,
            ..ConfState::default()
        };
        let mut bytes = Vec::new();
        put_hard_state(&mut bytes, &hard);
        put_conf_state(&mut bytes, &conf);
        let read = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let hard = read_hard_state(&mut reader)?;
            let conf = read_conf_state(&mut reader)?;
            reader.finish().map(|()| (hard, conf))
        };
        assert_eq!(read(&bytes), Ok((hard, conf)));
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Err(DecodeError::Truncated));
        }
    }
}
