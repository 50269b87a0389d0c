//! Points in time and durations as `--to-datetime` and `--by-duration` take them (`Utils.getDateTime`, `Duration.parse`).

use regex::Regex;

const MS_PER_SECOND: i64 = 1000;
const SECONDS_PER_MINUTE: i64 = 60;
const SECONDS_PER_HOUR: i64 = 3600;
const SECONDS_PER_DAY: i64 = 86_400;

/// Milliseconds since 1970 of `YYYY-MM-DDThh:mm:ss.sss`, in UTC unless a zone (`Z`, `+hh`, `+hh:mm`, `+hhmm`) follows.
pub fn timestamp_ms(text: &str) -> Result<i64, String> {
    let Some((date, time)) = text.split_once('T').filter(|(_, time)| !time.is_empty()) else {
        let reason =
            "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format";
        return Err(reason.to_owned());
    };
    let full = if time.contains(['+', '-', 'Z']) { text.to_owned() } else { format!("{text}Z") };
    let unparseable = || format!("Unparseable date: \"{full}\"");
    let zoned = full.split_once('T').map_or("", |(_, time)| time);
    parse(date, zoned).ok_or_else(unparseable)
}

fn parse(date: &str, time: &str) -> Option<i64> {
    let pattern = r"^(\d{1,4})-(\d{1,2})-(\d{1,2})T(\d{1,2}):(\d{1,2}):(\d{1,2})\.(\d{1,9})(Z|[+-]\d{2}(?::?\d{2})?)";
    let shape = Regex::new(pattern).expect("the pattern is a regular expression");
    let text = format!("{date}T{time}");
    let found = shape.captures(&text)?;
    let field = |index: usize| found.get(index)?.as_str().parse::<i64>().ok();
    let (year, month, day) = (field(1)?, field(2)?, field(3)?);
    let (hour, minute, second, ms) = (field(4)?, field(5)?, field(6)?, field(7)?);
    let is_strict = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && ms < MS_PER_SECOND;
    let zone = zone_seconds(found.get(8)?.as_str())?;
    let seconds = days_since_1970(year, month, day) * SECONDS_PER_DAY
        + hour * SECONDS_PER_HOUR
        + minute * SECONDS_PER_MINUTE
        + second
        - zone;
    is_strict.then_some(seconds * MS_PER_SECOND + ms)
}

/// How far a zone is ahead of UTC.
fn zone_seconds(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, digits) = text.split_at(1);
    let digits = digits.replace(':', "");
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 =
        digits.get(2..).filter(|rest| !rest.is_empty()).unwrap_or("0").parse().ok()?;
    let seconds = hours * SECONDS_PER_HOUR + minutes * SECONDS_PER_MINUTE;
    let is_real = hours < 24 && minutes < 60;
    is_real.then_some(if sign == "-" { -seconds } else { seconds })
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, also before its time.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leaps = before / 4 - before / 100 + before / 400;
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    // 719,162 days lie between the first day of the year 1 and that of 1970.
    before * 365 + leaps + months + day - 1 - 719_162
}

/// The milliseconds of an ISO 8601 duration such as `P1DT2H3M4.5S`, whose parts may each be negative.
pub fn duration_ms(text: &str) -> Option<i64> {
    let pattern = r"(?i)^([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+)(?:[.,](\d{0,9}))?S)?)?$";
    let shape = Regex::new(pattern).expect("the pattern is a regular expression");
    let found = shape.captures(text)?;
    // A `T` that nothing follows, or no part at all, is no duration.
    let has_part = [2, 4, 5, 6].iter().any(|index| found.get(*index).is_some());
    if !has_part || found.get(3).is_some_and(|time| time.len() == 1) {
        return None;
    }
    let part = |index: usize, seconds: i64| match found.get(index) {
        Some(part) => part.as_str().parse::<i128>().ok()?.checked_mul(i128::from(seconds)),
        None => Some(0),
    };
    let whole = part(2, SECONDS_PER_DAY)?
        .checked_add(part(4, SECONDS_PER_HOUR)?)?
        .checked_add(part(5, SECONDS_PER_MINUTE)?)?
        .checked_add(part(6, 1)?)?;
    let is_negative = found.get(6).is_some_and(|seconds| seconds.as_str().starts_with('-'));
    let fraction = found.get(7).map_or("", |digits| digits.as_str());
    let fraction_ms: i128 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let fraction_ms = if is_negative { -fraction_ms } else { fraction_ms };
    let ms = whole.checked_mul(i128::from(MS_PER_SECOND))?.checked_add(fraction_ms)?;
    let ms = if &found[1] == "-" { -ms } else { ms };
    i64::try_from(ms).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_kafkas() {
        let check = |text: &str, expected: Result<i64, &str>| {
            assert_eq!(timestamp_ms(text), expected.map_err(str::to_owned), "{text}");
        };
        check("1970-01-01T00:00:00.000", Ok(0));
        check("2020-02-29T12:34:56.789", Ok(1_582_979_696_789));
        check("2020-02-29T12:34:56.789Z", Ok(1_582_979_696_789));
        check("2020-02-29T13:34:56.789+01", Ok(1_582_979_696_789));
        check("2020-02-29T14:04:56.789+01:30", Ok(1_582_979_696_789));
        check("2020-02-29T10:34:56.789-0200", Ok(1_582_979_696_789));
        check("1969-12-31T23:59:59.999", Ok(-1));
        check("2000-03-01T00:00:00.000", Ok(951_868_800_000));
        let shape =
            "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format";
        check("nonsense", Err(shape));
        check("2020-01-01", Err(shape));
        check("2020-01-01T", Err(shape));
        check("2020-01-01T00:00:00", Err("Unparseable date: \"2020-01-01T00:00:00Z\""));
        check("2021-02-29T00:00:00.000", Err("Unparseable date: \"2021-02-29T00:00:00.000Z\""));
        check("2021-02-28T24:00:00.000", Err("Unparseable date: \"2021-02-28T24:00:00.000Z\""));
    }

    #[test]
    fn durations_are_javas() {
        for (text, expected) in [
            ("PT0S", Some(0)),
            ("PT1H", Some(3_600_000)),
            ("P1DT2H3M4.5S", Some(93_784_500)),
            ("pt1.000999s", Some(1000)),
            ("-PT1S", Some(-1000)),
            ("PT-1.5S", Some(-1500)),
            ("-PT-6H+3M", Some(21_420_000)),
            ("P2D", Some(172_800_000)),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("1H", None),
            ("PT1H2S3M", None),
            ("nonsense", None),
            ("P99999999999999999999D", None),
            ("PT1234567890123456789012345678901234567890H", None),
        ] {
            assert_eq!(duration_ms(text), expected, "{text}");
        }
    }
}
