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

#[cfg(test)]
mod tests {
    use super::parse;

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
