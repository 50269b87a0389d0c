//! Which keys records have, and which partition each goes to: `--key-distribution` and `--partitioner`.

use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use klamm::client::partition_of_key;

use crate::chance::{Chance, Zipf};

/// A distribution of keys.
#[derive(Clone, Debug)]
pub enum Keys {
    /// Records have none.
    None,
    /// Each of so many in turn: `sequential:1000`.
    Sequential(u64),
    /// Each of so many alike: `uniform:1000`.
    Uniform(u64),
    /// Few of so many far more often than the others: `zipf:1000` or `zipf:1000,1.2`.
    Zipf(u64, Zipf),
}

/// The exponent of a Zipf distribution that nobody gave: YCSB's.
const ZIPF_EXPONENT: f64 = 0.99;

impl FromStr for Keys {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Keys> {
        let parse = || -> Result<Keys> {
            let (name, rest) = text.split_once(':').unwrap_or((text, ""));
            let count = |text: &str| -> Result<u64> {
                let count = text.parse()?;
                ensure!(count > 0, "there is at least one key");
                Ok(count)
            };
            Ok(match name {
                "none" if rest.is_empty() => Keys::None,
                "sequential" => Keys::Sequential(count(rest)?),
                "uniform" => Keys::Uniform(count(rest)?),
                "zipf" => {
                    let (keys, exponent) = match rest.split_once(',') {
                        Some((keys, exponent)) => (keys, exponent.parse()?),
                        None => (rest, ZIPF_EXPONENT),
                    };
                    ensure!(exponent > 0.0 && f64::is_finite(exponent), "the exponent is above 0");
                    let keys = count(keys)?;
                    Keys::Zipf(keys, Zipf::new(keys, exponent))
                }
                _ => bail!("unknown"),
            })
        };
        parse().with_context(|| {
            format!("key-distribution {text}: none, sequential:KEYS, uniform:KEYS, zipf:KEYS or zipf:KEYS,EXPONENT")
        })
    }
}

/// How a record without a key finds its partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// A connection has partitions of its own, and moves to the next of them after each batch.
    #[default]
    Own,
    /// Each record to the next partition.
    RoundRobin,
    /// Each record to any partition.
    Random,
}

impl FromStr for Spread {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Spread> {
        Ok(match text {
            "own" => Spread::Own,
            "round-robin" => Spread::RoundRobin,
            "random" => Spread::Random,
            _ => {
                bail!("partitioner {text}: own, round-robin or random (keys always choose by hash)")
            }
        })
    }
}

/// Chooses the key and the partition of each record of one connection.
#[derive(Clone, Debug)]
pub struct Chooser {
    keys: Keys,
    spread: Spread,
    /// Places of partitions in `partitions` by number; `None` where another broker leads it.
    place_of: Vec<Option<usize>>,
    place_count: usize,
    turn: u64,
    key: Vec<u8>,
}

impl Chooser {
    /// For a connection that may write to `partitions` of `partition_count`; it begins at its `turn`.
    pub fn new(
        keys: Keys,
        spread: Spread,
        partitions: &[i32],
        partition_count: usize,
        turn: u64,
    ) -> Chooser {
        let mut place_of = vec![None; partition_count];
        for (place, partition) in partitions.iter().enumerate() {
            place_of[*partition as usize] = Some(place);
        }
        let place_count = partitions.len();
        Chooser { keys, spread, place_of, place_count, turn, key: Vec::new() }
    }

    /// The place of the next record's partition; [`key`](Self::key) is its key.
    #[inline]
    pub fn choose(&mut self, chance: &mut Chance) -> usize {
        loop {
            let number = match &self.keys {
                Keys::None => return self.without_key(chance),
                Keys::Sequential(count) => {
                    self.turn += 1;
                    self.turn % count
                }
                Keys::Uniform(count) => chance.below(*count),
                Keys::Zipf(_, zipf) => zipf.sample(chance),
            };
            write_key(number, &mut self.key);
            // A key of another broker's partition is another connection's: draw again.
            if let Some(place) = self.place_of[partition_of_key(&self.key, self.place_of.len())] {
                return place;
            }
        }
    }

    fn without_key(&mut self, chance: &mut Chance) -> usize {
        match self.spread {
            Spread::Own => (self.turn % self.place_count as u64) as usize,
            Spread::RoundRobin => {
                self.turn += 1;
                (self.turn % self.place_count as u64) as usize
            }
            Spread::Random => chance.below(self.place_count as u64) as usize,
        }
    }

    /// The key that was chosen last.
    pub fn key(&self) -> Option<&[u8]> {
        (!matches!(self.keys, Keys::None)).then_some(self.key.as_slice())
    }

    /// A batch was filled: a connection with partitions of its own moves on.
    pub fn batch_filled(&mut self) {
        if matches!(self.keys, Keys::None) && self.spread == Spread::Own {
            self.turn += 1;
        }
    }

    /// True where some of so many keys can ever reach this connection's partitions.
    pub fn is_satisfiable(&self) -> bool {
        let count = match &self.keys {
            Keys::None => return true,
            Keys::Sequential(count) | Keys::Uniform(count) | Keys::Zipf(count, _) => *count,
        };
        let mut key = Vec::new();
        (0..count.min(100_000)).any(|number| {
            write_key(number, &mut key);
            self.place_of[partition_of_key(&key, self.place_of.len())].is_some()
        })
    }
}

/// Twelve bytes, as `key-00000042`.
fn write_key(mut number: u64, key: &mut Vec<u8>) {
    key.clear();
    key.extend_from_slice(b"key-00000000");
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_parsed() {
        for text in ["none", "sequential:5", "uniform:1000", "zipf:10", "zipf:1000,1.2"] {
            assert!(text.parse::<Keys>().is_ok(), "{text}");
        }
        for text in ["", "none:1", "uniform", "uniform:0", "zipf:10,0", "zipf:10,x", "other:1"] {
            assert!(text.parse::<Keys>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_goes_where_kafka_sends_it_and_only_to_partitions_of_the_connection() {
        let mut chance = Chance::new(1);
        let keys: Keys = "uniform:1000".parse().unwrap();
        let mine = [1, 4];
        let mut chooser = Chooser::new(keys, Spread::Own, &mine, 6, 0);
        let mut counts = [0; 2];
        for _ in 0..1000 {
            let place = chooser.choose(&mut chance);
            let key = chooser.key().unwrap();
            assert_eq!(partition_of_key(key, 6), mine[place] as usize);
            counts[place] += 1;
        }
        assert!(counts[0] > 300 && counts[1] > 300, "{counts:?}");
    }

    #[test]
    fn without_keys_the_spread_decides() {
        let mut chance = Chance::new(1);
        let mut places = |spread| {
            let mut chooser = Chooser::new(Keys::None, spread, &[0, 1, 2], 3, 0);
            let place = |filled: bool, chooser: &mut Chooser, chance: &mut Chance| {
                let place = chooser.choose(chance);
                if filled {
                    chooser.batch_filled();
                }
                place
            };
            [false, true, false, true, true].map(|filled| place(filled, &mut chooser, &mut chance))
        };
        assert_eq!(places(Spread::Own), [0, 0, 1, 1, 2]);
        assert_eq!(places(Spread::RoundRobin), [1, 2, 0, 1, 2]);
    }
}
