//! Lists of CPUs as Linux writes them: `0-3,5`.

/// A bound on what a list can name: the largest machine that Linux is built for.
const CPU_MAX: usize = 8191;

/// The CPUs of a list, in its order; each may stand in it once.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub fn parse(text: &str) -> Result<Vec<usize>, String> {
    let mut cpus = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |digits: &str| match digits.trim().parse::<usize>() {
            Ok(cpu) if cpu <= CPU_MAX && !digits.contains('+') => Ok(cpu),
            _ => Err(format!("`{part}` is no CPU and no range of CPUs like 0-3")),
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("the range `{part}` runs backwards"));
        }
        for cpu in first..=last {
            if cpus.contains(&cpu) {
                return Err(format!("CPU {cpu} stands in it twice"));
            }
            cpus.push(cpu);
        }
    }
    Ok(cpus)
}

/// The shortest list of some CPUs, in rising order.
pub fn text(cpus: &[usize]) -> String {
    let mut cpus = cpus.to_vec();
    cpus.sort_unstable();
    cpus.dedup();
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let range = |(first, last): &(usize, usize)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::{parse, text};

    #[test]
    fn texts_are_short_and_read_back() {
        for (cpus, short) in
            [(&[0, 1, 2, 3][..], "0-3"), (&[0, 4], "0,4"), (&[2, 1, 5, 5], "1,2,5"), (&[], "")]
        {
            assert_eq!(text(cpus), short);
        }
        assert_eq!(text(&parse("0-3,5,7-9").unwrap()), "0-3,5,7-9");
    }

    fn check(text: &str, expected: Result<&[usize], &str>) {
        assert_eq!(parse(text), expected.map(<[_]>::to_vec).map_err(str::to_owned), "{text}");
    }

    #[test]
    fn lists_and_ranges() {
        check("0", Ok(&[0]));
        check("0-3,5", Ok(&[0, 1, 2, 3, 5]));
        check(" 7 , 2 - 3 ", Ok(&[7, 2, 3]));
        check("8191", Ok(&[8191]));
        check("", Err("`` is no CPU and no range of CPUs like 0-3"));
        check("1,", Err("`` is no CPU and no range of CPUs like 0-3"));
        check("a", Err("`a` is no CPU and no range of CPUs like 0-3"));
        check("+1", Err("`+1` is no CPU and no range of CPUs like 0-3"));
        check("-1", Err("`-1` is no CPU and no range of CPUs like 0-3"));
        check("1-2-3", Err("`1-2-3` is no CPU and no range of CPUs like 0-3"));
        check("0-99999999999", Err("`0-99999999999` is no CPU and no range of CPUs like 0-3"));
        check("3-1", Err("the range `3-1` runs backwards"));
        check("0-2,1", Err("CPU 1 stands in it twice"));
    }
}
