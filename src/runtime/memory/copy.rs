//! Copies that take the same time wherever the two stretches of memory lie.

/// What one call of the C library copies at most: below what makes it use `rep movsb`.
const PIECE_BYTES: usize = 1024;

/// Copies `source` into `target`, which is as long.
///
/// Many a glibc copies more than a few KiB by `rep movsb` where the CPU calls that quick. AMD's Zen 3 and
/// 4 do, and yet move 1 GB/s, a thirtieth of the usual, if the target lies less than 64 bytes behind the
/// source, each counted from the begin of its page (glibc's bug 30994): one copy in sixty by chance, and
/// some kinds of copies always. What stays below its threshold goes by vector moves, as quick as the
/// rest, wherever it lies.
pub fn copy(target: &mut [u8], source: &[u8]) {
    assert_eq!(target.len(), source.len(), "a copy fills its target");
    for (target, source) in target.chunks_mut(PIECE_BYTES).zip(source.chunks(PIECE_BYTES)) {
        target.copy_from_slice(source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_arrives_whole() {
        let source: Vec<u8> = (0..3 * PIECE_BYTES + 1).map(|at| (at % 251) as u8).collect();
        for length in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, source.len()] {
            let mut target = vec![0; length + 1];
            copy(&mut target[..length], &source[..length]);
            assert_eq!(target[..length], source[..length]);
            assert_eq!(target[length], 0);
        }
    }

    #[test]
    #[should_panic(expected = "a copy fills its target")]
    fn lengths_that_differ_are_refused() {
        copy(&mut [0; 2], &[1; 3]);
    }
}
