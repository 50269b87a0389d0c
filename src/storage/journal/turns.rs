//! Which of a journal's files a start has to read, by the frames at their beginnings.
//!
//! The files take turns in the order of their numbers, round and round, so that turn `g` of an epoch is in file
//! `(g - 1) mod count`. What is wanted begins in the last turn whose first frame is not behind it; the turns before
//! that one are covered. The last turn that is seen is the last one, or the one before it where the first frame of
//! the last is torn or damaged: so the file that comes next is read as well, whatever its first frame says, and a
//! frame of the last turn is found in it that proves what was acknowledged. In the first round the files behind that
//! one have only what earlier epochs have left.

use super::entry::Sequence;

/// What the first frame of a file says, where it is whole and of this journal and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The file's turn in the epoch, from 1 on.
    pub generation: u64,
    /// The frame's first sequence.
    pub first: Sequence,
}

/// For each file, in the order of their numbers, whether frames in it may be wanted from `from` on, or prove that
/// such a frame is missing.
pub fn wanted(turns: &[(u16, Option<Turn>)], from: Sequence) -> Vec<bool> {
    let count = turns.len() as u64;
    let is_regular = turns.iter().zip(0..).all(|(&(file, turn), number)| {
        u64::from(file) == number
            && turn.is_none_or(|turn| turn.generation % count == (number + 1) % count)
    });
    if turns.is_empty() || !is_regular {
        return vec![true; turns.len()];
    }
    let seen = || turns.iter().filter_map(|(_, turn)| *turn);
    let last = seen().map(|turn| turn.generation).max().unwrap_or(0);
    let oldest = seen().filter(|turn| turn.first <= from).map(|turn| turn.generation).max();
    let next = last % count;
    let is_wanted = |(number, turn): (u64, Option<Turn>)| {
        number == next
            || match turn {
                Some(turn) => oldest.is_none_or(|oldest| turn.generation >= oldest),
                None => number < next || last >= count,
            }
    };
    (0..).zip(turns.iter().map(|(_, turn)| *turn)).map(is_wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each file by its generation and first sequence; 0 where its first frame says nothing.
    fn check(turns: &[(u64, u64)], from: u64, expected: &[u16]) {
        let turn = |&(generation, first): &(u64, u64)| {
            (generation > 0).then_some(Turn { generation, first: Sequence(first) })
        };
        let turns: Vec<_> = (0..).zip(turns.iter().map(turn)).collect();
        let found = wanted(&turns, Sequence(from));
        let found: Vec<u16> =
            (0..).zip(found).filter(|(_, is)| *is).map(|(file, _)| file).collect();
        assert_eq!(found, expected, "{turns:?} from {from}");
    }

    #[test]
    fn in_the_first_round_the_files_that_were_not_reached_are_left_out() {
        check(&[(0, 0), (0, 0), (0, 0), (0, 0)], 1, &[0]);
        check(&[(1, 1), (0, 0), (0, 0), (0, 0)], 1, &[0, 1]);
        check(&[(1, 1), (2, 10), (0, 0), (0, 0)], 1, &[0, 1, 2]);
        check(&[(1, 1), (2, 10), (0, 0), (0, 0)], 10, &[1, 2]);
        check(&[(1, 1), (2, 10), (3, 20), (4, 30)], 25, &[0, 2, 3]);
    }

    #[test]
    fn later_the_turns_that_are_wanted_and_the_next_file_are_read() {
        check(&[(5, 40), (6, 50), (3, 20), (4, 30)], 30, &[0, 1, 2, 3]);
        check(&[(5, 40), (6, 50), (3, 20), (4, 30)], 45, &[0, 1, 2]);
        check(&[(5, 40), (2, 10), (3, 20), (4, 30)], 99, &[0, 1]);
    }

    #[test]
    fn a_file_whose_first_frame_says_nothing_is_read_where_it_was_reached() {
        check(&[(0, 0), (2, 10), (3, 20), (0, 0)], 10, &[0, 1, 2, 3]);
        check(&[(0, 0), (6, 50), (3, 20), (4, 30)], 50, &[0, 1, 2]);
        // The first frames of the turns 5 and 6 are damaged.
        check(&[(0, 0), (0, 0), (3, 20), (4, 30)], 30, &[0, 1, 3]);
    }

    #[test]
    fn everything_is_read_where_the_files_are_not_in_turn() {
        check(&[(1, 1), (3, 10), (0, 0), (0, 0)], 10, &[0, 1, 2, 3]);
        let turn = Some(Turn { generation: 1, first: Sequence(1) });
        let found = wanted(&[(0, turn), (1, None), (3, None), (4, None)], Sequence(1));
        assert_eq!(found, [true; 4]);
        assert!(wanted(&[], Sequence(1)).is_empty());
    }
}
