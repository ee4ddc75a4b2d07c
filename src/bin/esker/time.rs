//! Points in time and durations, as people write them and as Kafka's tools take them.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};

/// Reads milliseconds since the Unix epoch, or a date and time in ISO 8601. One without a zone is in UTC, as in Kafka's
/// tools.
pub(crate) fn timestamp(text: &str) -> Result<i64, String> {
    if let Ok(milliseconds) = text.parse() {
        return Ok(milliseconds);
    }
    let with_zone = || text.parse::<Timestamp>().ok();
    let without_zone = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let found = with_zone().or_else(without_zone).map(|timestamp| timestamp.as_millisecond());
    found.ok_or_else(|| "expected milliseconds, or a time such as 2026-01-31T13:00:00Z".to_owned())
}

/// Reads an ISO 8601 duration, or one such as 90s or "2 days". A day has 24 hours.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let span = text.parse::<Span>().ok();
    let duration = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    duration
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "expected a duration such as PT1H30M, P7D or 90s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_or_iso_8601_in_utc_unless_they_say_otherwise() {
        assert_eq!(timestamp("1700000000123"), Ok(1_700_000_000_123));
        for text in ["2023-11-14T22:13:20.123", "2023-11-14T22:13:20.123Z", "2023-11-14T23:13:20.123+01:00"] {
            assert_eq!(timestamp(text), Ok(1_700_000_000_123), "{text}");
        }
        assert_eq!(timestamp("1970-01-02"), Ok(86_400_000));
        assert_eq!(timestamp("-1"), Ok(-1));
        for text in ["", "yesterday", "2023-13-01T00:00:00Z"] {
            assert!(timestamp(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_iso_8601_or_friendly_and_never_negative() {
        assert_eq!(duration("PT1H30M"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("P7D"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        for text in ["", "7", "-PT1S", "soon", "P1M"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
