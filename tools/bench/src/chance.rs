//! Seeded randomness: the same seed sends the same records at the same times.

use klamm::runtime::Random;

/// A generator, with the distributions that loads are made of.
#[derive(Debug)]
pub struct Chance(Random);

impl Chance {
    /// A generator that repeats itself for the same seed.
    pub fn new(seed: u64) -> Chance {
        Chance(Random::seeded(seed))
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next()
    }

    /// A number from 0 to below 1.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below `bound`, which is not 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// An exponentially distributed number: the time between two arrivals of a Poisson process.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -(1.0 - self.unit()).ln() * mean
    }

    /// A number of the standard normal distribution (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// Numbers from 0 to below a count, the first ones far more often: P(k) ~ 1 / (k + 1)^exponent.
///
/// Rejection-inversion after Hörmann and Derflinger, "Rejection-inversion to generate variates from
/// monotone discrete distributions" (1996): constant time and no table, for any count.
#[derive(Clone, Debug)]
pub struct Zipf {
    count: f64,
    exponent: f64,
    area_of_first: f64,
    area_of_all: f64,
    shortcut: f64,
}

impl Zipf {
    /// `count` numbers; `exponent` is above 0.
    pub fn new(count: u64, exponent: f64) -> Zipf {
        let mut zipf = Zipf {
            count: count as f64,
            exponent,
            area_of_first: 0.0,
            area_of_all: 0.0,
            shortcut: 0.0,
        };
        zipf.area_of_first = zipf.area(1.5) - 1.0;
        zipf.area_of_all = zipf.area(zipf.count + 0.5);
        zipf.shortcut = 2.0 - zipf.area_inverse(zipf.area(2.5) - zipf.height(2.0));
        zipf
    }

    /// The hat's integral up to `x`.
    fn area(&self, x: f64) -> f64 {
        let log = x.ln();
        log * ratio_or_one((1.0 - self.exponent) * log, f64::exp_m1)
    }

    fn area_inverse(&self, area: f64) -> f64 {
        let scaled = (area * (1.0 - self.exponent)).max(-1.0);
        (area * ratio_or_one(scaled, f64::ln_1p)).exp()
    }

    fn height(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// The next number.
    pub fn sample(&self, chance: &mut Chance) -> u64 {
        loop {
            let area = self.area_of_all + chance.unit() * (self.area_of_first - self.area_of_all);
            let x = self.area_inverse(area);
            let rank = x.round().clamp(1.0, self.count);
            if rank - x <= self.shortcut || area >= self.area(rank + 0.5) - self.height(rank) {
                return rank as u64 - 1;
            }
        }
    }
}

/// `function(x) / x`, and its limit 1 at 0.
fn ratio_or_one(x: f64, function: fn(f64) -> f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { function(x) / x }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_zipf(count: u64, exponent: f64) {
        let zipf = Zipf::new(count, exponent);
        let mut chance = Chance::new(7);
        let mut found = vec![0u64; count as usize];
        let draws = 200_000;
        for _ in 0..draws {
            found[zipf.sample(&mut chance) as usize] += 1;
        }
        let total: f64 = (1..=count).map(|rank| (rank as f64).powf(-exponent)).sum();
        for rank in [1, 2, count / 2 + 1, count].into_iter().filter(|rank| *rank <= count) {
            let expected = draws as f64 * (rank as f64).powf(-exponent) / total;
            let found = found[rank as usize - 1] as f64;
            let spread = 6.0 * expected.sqrt() + 3.0;
            assert!((found - expected).abs() < spread, "{exponent} {rank}: {found}, {expected}");
        }
    }

    #[test]
    fn zipf_has_its_shape() {
        for exponent in [0.5, 0.99, 1.0, 1.5] {
            check_zipf(100, exponent);
        }
        check_zipf(1, 1.0);
    }

    #[test]
    fn moments_are_right_and_a_seed_repeats() {
        let mut chance = Chance::new(1);
        let draws = 100_000;
        let mean = |next: &mut dyn FnMut() -> f64| (0..draws).map(|_| next()).sum::<f64>() / 1e5;
        assert!((mean(&mut || chance.exponential(3.0)) - 3.0).abs() < 0.05);
        assert!(mean(&mut || chance.normal()).abs() < 0.02);
        assert!((mean(&mut || chance.below(10) as f64) - 4.5).abs() < 0.05);
        assert_eq!(Chance::new(5).bits(), Chance::new(5).bits());
        assert_ne!(Chance::new(5).bits(), Chance::new(6).bits());
    }
}
