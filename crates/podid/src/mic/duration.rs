//! How long is `1h30m`? The flags of the original take Go's durations.

use std::time::Duration;

/// Units, longest first among those that begin alike, in nanoseconds.
const UNITS: [(&str, f64); 8] =
    [("ms", 1e6), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ns", 1.0), ("h", 3600e9), ("m", 60e9), ("s", 1e9)];

/// Reads a Go duration that is longer than nothing, such as `3m`, `1.5h` or `1m30s`.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let duration = parse_or_zero(text)?;
    if duration.is_zero() { Err(wrong(text)) } else { Ok(duration) }
}

/// Reads one that may also be nothing, as `0s`.
pub(super) fn parse_or_zero(text: &str) -> Result<Duration, String> {
    let wrong = || wrong(text);
    if text.is_empty() {
        return Err(wrong());
    }
    let mut rest = text;
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let (unit, factor) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit)).ok_or_else(wrong)?;
        rest = &rest[unit.len()..];
        nanoseconds += number * factor;
    }
    Duration::try_from_secs_f64(nanoseconds / 1e9).map_err(|_| wrong())
}

fn wrong(text: &str) -> String {
    format!("{text:?} is no duration; write one such as 15s, 3m or 1h30m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let cases = [
            ("3m", 180_000),
            ("3600s", 3_600_000),
            ("1h30m", 5_400_000),
            ("1.5s", 1_500),
            ("20ms", 20),
            ("1m0s", 60_000),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn nothing_is_a_duration_where_it_may_be() {
        assert_eq!(parse_or_zero("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_or_zero("10m"), parse("10m"));
        assert!(parse_or_zero("").is_err() && parse_or_zero("0").is_err());
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", "3", "m", "3 m", "-3m", "0s", "3x", "1..5s", "9e99h"] {
            assert!(parse(text).is_err_and(|error| error.contains("1h30m")), "{text}");
        }
    }
}
