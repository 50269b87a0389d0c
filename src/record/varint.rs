//! The variable-length integers of a record (`ByteUtils`): zigzag, seven bits a byte, low bits first.
//!
//! A 32-bit one takes at most 5 bytes, a 64-bit one at most 10; bits that do not fit are dropped, as
//! Kafka drops them.

/// Reads the zigzag integer that `bytes` begins with: its value and what comes after it.
#[inline]
pub(super) fn read_i32(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let (raw, rest) = read_raw(bytes, 5)?;
    Some((unzigzag(raw & 0xffff_ffff) as i32, rest))
}

/// As [`read_i32`], for 64 bits.
#[inline]
pub(super) fn read_i64(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (raw, rest) = read_raw(bytes, 10)?;
    Some((unzigzag(raw), rest))
}

/// Most deltas take one byte and most lengths one or two.
#[inline]
fn read_raw(bytes: &[u8], size_max: usize) -> Option<(u64, &[u8])> {
    match bytes {
        [only @ 0..0x80, rest @ ..] => Some((u64::from(*only), rest)),
        [low, high @ 0..0x80, rest @ ..] => {
            Some((u64::from(low & 0x7f) | u64::from(*high) << 7, rest))
        }
        _ => read_long(bytes, size_max),
    }
}

#[cold]
fn read_long(bytes: &[u8], size_max: usize) -> Option<(u64, &[u8])> {
    let mut raw = 0;
    for (index, byte) in bytes.iter().take(size_max).enumerate() {
        raw |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((raw, &bytes[index + 1..]));
        }
    }
    None
}

fn unzigzag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

/// Appends a zigzag integer. 32-bit values have the same bytes as the same 64-bit values.
pub(super) fn write(value: i64, out: &mut Vec<u8>) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// The bytes that [`write`] appends.
pub(super) fn size(value: i64) -> usize {
    let raw = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (raw | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: &[i64] = &[
        0,
        -1,
        1,
        63,
        -64,
        64,
        -65,
        8191,
        -8192,
        8192,
        i32::MAX as i64,
        i32::MIN as i64,
        i32::MAX as i64 + 1,
        i64::MAX,
        i64::MIN,
    ];

    #[test]
    fn round_trip_and_truncation_at_every_byte() {
        for &value in VALUES {
            let mut bytes = Vec::new();
            write(value, &mut bytes);
            assert_eq!(bytes.len(), size(value), "{value}");
            assert_eq!(read_i64(&bytes), Some((value, &[][..])));
            let narrow = i32::try_from(value).ok();
            if let Some(narrow) = narrow {
                assert_eq!(read_i32(&bytes), Some((narrow, &[][..])));
            }
            for end in 0..bytes.len() {
                assert_eq!(read_i64(&bytes[..end]), None);
                assert_eq!(read_i32(&bytes[..end]), None);
            }
        }
    }

    #[test]
    fn known_bytes() {
        for (value, expected) in
            [(0, &[0][..]), (-1, &[1]), (1, &[2]), (-64, &[0x7f]), (64, &[0x80, 1])]
        {
            let mut bytes = Vec::new();
            write(value, &mut bytes);
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn too_long_is_refused() {
        assert_eq!(read_i32(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]), None);
        assert_eq!(read_i64(&[0x80; 11]), None);
        assert_eq!(read_i32(&[0xff, 0xff, 0xff, 0xff, 0x7f]), Some((i32::MIN, &[][..])));
    }
}
