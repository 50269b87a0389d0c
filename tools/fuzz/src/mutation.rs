//! Mutations of bytes that are the same for the same number.

/// A small generator (xorshift64*): a run repeats itself.
pub struct Random(u64);

impl Random {
    /// The sequence of that number.
    pub fn new(number: u64) -> Random {
        // Neighbouring numbers start far apart, and none starts at zero.
        Random((number ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() >> 11) as usize % bound
    }
}

/// An input never grows beyond this.
pub const INPUT_BYTES_MAX: usize = 64 << 10;

/// Values at which lengths, counts and versions go wrong.
const NUMBERS: [i64; 16] = [
    0,
    1,
    -1,
    2,
    127,
    128,
    255,
    256,
    32_767,
    65_535,
    65_536,
    1 << 24,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
];

/// The input of that number: one of `seeds`, mutated a few times.
pub fn input(seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let mut bytes = seeds[random.below(seeds.len())].clone();
    let other = &seeds[random.below(seeds.len())];
    for _ in 0..=random.below(4) {
        mutate(&mut random, &mut bytes, other, 0);
    }
    bytes
}

/// Changes something of `bytes` behind the first `kept`; `other` lends a piece of itself.
pub fn mutate(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8], kept: usize) {
    if bytes.len() <= kept {
        bytes.push(random.next_u64() as u8);
        return;
    }
    let at = kept + random.below(bytes.len() - kept);
    match random.below(10) {
        0 | 1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = random.next_u64() as u8,
        3 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0xfe][random.below(6)],
        4 => write_number(random, bytes, at),
        5 => write_varint(random, bytes, at),
        6 => bytes.truncate(at),
        7 => drop(bytes.drain(at..bytes.len().min(at + 1 + random.below(16)))),
        8 => {
            let end = bytes.len().min(at + 1 + random.below(64));
            let piece = bytes[at..end].to_vec();
            splice(bytes, at, &piece);
        }
        _ if other.is_empty() => bytes.insert(at, 0),
        _ => {
            let from = random.below(other.len());
            let end = other.len().min(from + 1 + random.below(64));
            splice(bytes, at, &other[from..end]);
        }
    }
}

fn splice(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    if bytes.len() + piece.len() <= INPUT_BYTES_MAX {
        bytes.splice(at..at, piece.iter().copied());
    }
}

fn write_number(random: &mut Random, bytes: &mut [u8], at: usize) {
    let number = NUMBERS[random.below(NUMBERS.len())].to_be_bytes();
    let size = [2, 4, 8][random.below(3)].min(bytes.len() - at);
    let mut piece = number[8 - size..].to_vec();
    if random.below(4) == 0 {
        piece.reverse();
    }
    bytes[at..at + size].copy_from_slice(&piece);
}

/// Writes an unsigned varint as the protocol has it, up to one of 2^35.
fn write_varint(random: &mut Random, bytes: &mut Vec<u8>, at: usize) {
    let mut value = random.next_u64() >> (29 + random.below(35));
    let mut piece = Vec::with_capacity(6);
    while value >= 0x80 {
        piece.push(value as u8 | 0x80);
        value >>= 7;
    }
    piece.push(value as u8);
    let end = bytes.len().min(at + piece.len());
    bytes.splice(at..end, piece);
}
