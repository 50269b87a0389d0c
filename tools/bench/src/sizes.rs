//! How large records are: `--record-size`.

use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

use crate::chance::Chance;
use crate::payload::STAMP_BYTES;

/// The largest record that the tool makes.
const SIZE_MAX: usize = 64 << 20;

/// A distribution of value sizes in bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Sizes {
    /// Always the same.
    Fixed(usize),
    /// Each size from the first to the last alike: `uniform:100-1000`.
    Uniform(usize, usize),
    /// Mean and standard deviation: `normal:1024,200`.
    Normal(f64, f64),
    /// Median and sigma of the logarithm, as many real topics are: `lognormal:512,1`.
    LogNormal(f64, f64),
    /// Sizes with their weights: `100@9,10000@1`.
    Weighted(Vec<(usize, f64)>),
}

impl FromStr for Sizes {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Sizes> {
        let parsed = parse(text).with_context(|| {
            format!("record-size {text}: a number of bytes, uniform:100-1000, normal:MEAN,DEVIATION, lognormal:MEDIAN,SIGMA or 100@9,10000@1")
        })?;
        let least = match &parsed {
            Sizes::Fixed(size) | Sizes::Uniform(size, _) => *size,
            Sizes::Normal(..) | Sizes::LogNormal(..) => STAMP_BYTES,
            Sizes::Weighted(sizes) => sizes.iter().map(|(size, _)| *size).min().unwrap_or(0),
        };
        ensure!(
            least >= STAMP_BYTES,
            "record-size {text}: at least {STAMP_BYTES} bytes, which carry the record's producer, sequence, time and checksum"
        );
        Ok(parsed)
    }
}

fn parse(text: &str) -> Result<Sizes> {
    if let Some(range) = text.strip_prefix("uniform:") {
        let (low, high) = range.split_once('-').context("two sizes with a - between")?;
        let (low, high) = (bytes(low)?, bytes(high)?);
        ensure!(low <= high, "the first size is the smaller one");
        return Ok(Sizes::Uniform(low, high));
    }
    if let Some(pair) = text.strip_prefix("normal:") {
        let (mean, deviation) = positive_pair(pair)?;
        return Ok(Sizes::Normal(mean, deviation));
    }
    if let Some(pair) = text.strip_prefix("lognormal:") {
        let (median, sigma) = positive_pair(pair)?;
        return Ok(Sizes::LogNormal(median, sigma));
    }
    if text.contains('@') {
        let weighted = text.split(',').map(|part| {
            let (size, weight) = part.split_once('@').context("a size, @ and a weight")?;
            let weight: f64 = weight.parse()?;
            ensure!(weight > 0.0 && weight.is_finite(), "a weight is above 0");
            Ok((bytes(size)?, weight))
        });
        return Ok(Sizes::Weighted(weighted.collect::<Result<_>>()?));
    }
    Ok(Sizes::Fixed(bytes(text)?))
}

fn positive_pair(text: &str) -> Result<(f64, f64)> {
    let (first, second) = text.split_once(',').context("two numbers with a comma between")?;
    let (first, second): (f64, f64) = (first.parse()?, second.parse()?);
    ensure!(first > 0.0 && first.is_finite() && second >= 0.0 && second.is_finite(), "positive");
    Ok((first, second))
}

/// A number of bytes, with `K`, `M` or `G` (times 1024) where wanted.
pub fn bytes(text: &str) -> Result<usize> {
    let text = text.trim();
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let count: usize =
        digits.parse().with_context(|| format!("{text} is not a number of bytes"))?;
    match count.checked_mul(unit) {
        Some(size) => Ok(size),
        None => bail!("{text} is too large"),
    }
}

impl Sizes {
    /// The next record's size.
    #[inline]
    pub fn sample(&self, chance: &mut Chance) -> usize {
        let real = |size: f64| (size.round() as usize).clamp(STAMP_BYTES, SIZE_MAX);
        match self {
            Sizes::Fixed(size) => *size,
            Sizes::Uniform(low, high) => low + chance.below((high - low) as u64 + 1) as usize,
            Sizes::Normal(mean, deviation) => real(mean + deviation * chance.normal()),
            Sizes::LogNormal(median, sigma) => real(median * (sigma * chance.normal()).exp()),
            Sizes::Weighted(sizes) => {
                let total: f64 = sizes.iter().map(|(_, weight)| weight).sum();
                let mut left = chance.unit() * total;
                let found = sizes.iter().find(|(_, weight)| {
                    left -= weight;
                    left < 0.0
                });
                found.or(sizes.last()).map_or(STAMP_BYTES, |(size, _)| *size)
            }
        }
    }

    /// The mean of what [`sample`](Self::sample) gives, without its bounds.
    pub fn mean(&self) -> f64 {
        match self {
            Sizes::Fixed(size) => *size as f64,
            Sizes::Uniform(low, high) => (low + high) as f64 / 2.0,
            Sizes::Normal(mean, _) => *mean,
            Sizes::LogNormal(median, sigma) => median * (sigma * sigma / 2.0).exp(),
            Sizes::Weighted(sizes) => {
                let total: f64 = sizes.iter().map(|(_, weight)| weight).sum();
                sizes.iter().map(|(size, weight)| *size as f64 * weight).sum::<f64>() / total
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Sizes>) {
        assert_eq!(text.parse::<Sizes>().ok(), expected, "{text}");
    }

    #[test]
    fn distributions_are_parsed() {
        check("100", Some(Sizes::Fixed(100)));
        check("4K", Some(Sizes::Fixed(4096)));
        check("uniform:100-1k", Some(Sizes::Uniform(100, 1024)));
        check("normal:1024,200", Some(Sizes::Normal(1024.0, 200.0)));
        check("lognormal:512,1", Some(Sizes::LogNormal(512.0, 1.0)));
        check("100@9,10000@1", Some(Sizes::Weighted(vec![(100, 9.0), (10_000, 1.0)])));
        for text in ["", "x", "31", "-5", "uniform:9-8", "uniform:5", "normal:1", "100@0", "10@1"] {
            check(text, None);
        }
    }

    #[test]
    fn means_are_those_of_the_samples() {
        let mut chance = Chance::new(3);
        for text in
            ["100", "uniform:100-1000", "normal:1024,100", "lognormal:500,0.5", "100@9,1000@1"]
        {
            let sizes: Sizes = text.parse().unwrap();
            let draws = 50_000;
            let sum: usize = (0..draws).map(|_| sizes.sample(&mut chance)).sum();
            let ratio = sum as f64 / f64::from(draws) / sizes.mean();
            assert!((0.97..1.03).contains(&ratio), "{text}: {ratio}");
        }
    }
}
