//! Parses `created_at` as other systems print it. A time without an offset is refused: it could be any of 26 hours.

use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::{Duration, OffsetDateTime};

/// More than the clocks of two machines differ.
const SKEW: Duration = Duration::days(1);

/// Parses RFC 3339 and similar formats (see `docs/moving-in.md`), RFC 5322 as JavaScript prints it, and seconds or
/// milliseconds since 1970. `None` for the future, for times before 1970, and for ambiguous text.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    let at = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        since_1970(text)?
    } else if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        OffsetDateTime::parse(text, &Rfc2822).ok()?
    } else {
        near_rfc_3339(text)?
    };
    (at >= OffsetDateTime::UNIX_EPOCH && at <= OffsetDateTime::now_utc() + SKEW).then_some(at)
}

/// Keycloak and Firebase export milliseconds. Seconds of the years 1973 to 2286 have 9 or 10 digits, milliseconds 12 or
/// 13, so they cannot be confused.
fn since_1970(digits: &str) -> Option<OffsetDateTime> {
    let number: i64 = digits.parse().ok()?;
    let seconds = match digits.len() {
        9 | 10 => return OffsetDateTime::from_unix_timestamp(number).ok(),
        12 | 13 => number / 1000,
        _ => return None,
    };
    Some(OffsetDateTime::from_unix_timestamp(seconds).ok()? + Duration::milliseconds(number % 1000))
}

/// `2024-05-17`, `T` or a space, `09:30`, perhaps seconds and a fraction, and an offset.
fn near_rfc_3339(text: &str) -> Option<OffsetDateTime> {
    // RFC 9557, as Java prints it: a zone in brackets after the offset.
    let text = text.strip_suffix(']').map_or(Some(text), |text| Some(text.rsplit_once('[')?.0))?;
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let zone_at = rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.')?;
    let (time, zone) = rest.split_at_checked(zone_at)?;
    // Java omits seconds if they are zero.
    let seconds = if time.matches(':').count() == 1 { ":00" } else { "" };
    OffsetDateTime::parse(&format!("{date}T{time}{seconds}{}", offset(zone)?), &Rfc3339).ok()
}

/// Converts `Z`, ` UTC`, `+00`, `+0000`, ` +00:00` and ` +0000 UTC` to the form of RFC 3339.
fn offset(zone: &str) -> Option<String> {
    let mut words = zone.split_whitespace();
    let (first, name) = (words.next()?, words.next());
    // Go prints the name of the zone after the offset.
    if name.is_some_and(|name| !name.bytes().all(|byte| byte.is_ascii_alphabetic())) || words.next().is_some()
    {
        return None;
    }
    if ["Z", "UTC", "GMT"].iter().any(|utc| first.eq_ignore_ascii_case(utc)) {
        return name.is_none().then(|| "Z".to_owned());
    }
    let sign = first.get(..1).filter(|sign| ["+", "-"].contains(sign))?;
    let digits = first.get(1..)?;
    // An earlier docs/moving-in.md said to append "+00", even if Postgres had written an offset already.
    let digits = digits.strip_suffix("+00").unwrap_or(digits);
    let (hours, minutes) = match (digits.len(), digits.split_once(':')) {
        (2, None) => (digits, "00"),
        (4, None) => digits.split_at_checked(2)?,
        (5, Some(parts)) => parts,
        _ => return None,
    };
    Some(format!("{sign}{hours}:{minutes}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn timestamps_of_other_systems_are_parsed() {
        let at = OffsetDateTime::parse("2024-05-17T09:30:00Z", &Rfc3339).unwrap();
        for text in [
            "2024-05-17T09:30:00Z",
            " 2024-05-17t09:30:00z\n",
            "2024-05-17 09:30:00+00",
            "2024-05-17 11:30:00.000000+02:00",
            "2024-05-17T04:00:00-05:30",
            "2024-05-17T09:30:00+0000",
            "2024-05-17T15:15:00.0+0545",
            "2024-05-17 09:30:00 UTC",
            "2024-05-17 09:30:00 gmt",
            "2024-05-17 11:30:00 +0200",
            "2024-05-17 11:30:00 +02",
            "2024-05-17 11:30:00.000000000 +0200 CEST",
            "2024-05-17 09:30:00+00+00",
            "2024-05-17T09:30Z",
            "2024-05-17T11:30+02:00[Europe/Berlin]",
            "Fri, 17 May 2024 09:30:00 GMT",
            "Fri, 17 May 2024 11:30:00 +0200",
            "1715938200",
            "1715938200000",
        ] {
            assert_eq!(parse(text), Some(at), "{text}");
        }
        let half = at + Duration::milliseconds(500);
        for text in ["1715938200500", "2024-05-17 09:30:00.5+00", "2024-05-17 09:30:00.500000000 +0000 UTC"] {
            assert_eq!(parse(text), Some(half), "{text}");
        }
    }

    #[test]
    fn ambiguous_and_invalid_timestamps_are_refused() {
        for bad in [
            "",
            "yesterday",
            "2024-05-17",
            "2024-05-17 09:30:00",
            "2024-05-17T09:30:00.5",
            "2024-05-17 09:30:00 EST",
            "2024-05-17 09:30:00 UTC+2",
            "2024-05-17 09:30:00 UTC CEST",
            "2024-05-17 09:30:00 +02 00",
            "2024-05-17 09:30:00+2",
            "2024-05-17 09:30:00+02:0",
            "2024-05-17 09:30:00+99",
            "2024-05-17 25:30:00Z",
            "2024-02-30 09:30:00Z",
            "0000-00-00 00:00:00Z",
            "2999-01-01T00:00:00Z",
            "32503680000000",
            "9999999999",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "17.05.2024 09:30",
            "05/17/2024 09:30:00 +0000",
            "20240517093000",
            "45429.395833",
            "-1715938200",
            "2024\u{2212}05-17T09:30:00Z",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_parsing_panic(text in "\\PC*|[0-9T:+Z -]{0,30}|[0-9]{0,20}") {
            let _ = parse(&text);
        }

        #[test]
        fn every_timestamp_is_parsed_in_each_format(seconds in 100_000_000_i64..1_700_000_000) {
            let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            let rfc = at.format(&Rfc3339).unwrap();
            let plain = rfc.trim_end_matches('Z');
            for text in [
                rfc.clone(),
                format!("{plain}+0000"),
                format!("{} UTC", plain.replace('T', " ")),
                format!("{} +00:00", plain.replace('T', " ")),
                at.format(&Rfc2822).unwrap(),
                seconds.to_string(),
                format!("{seconds}000"),
            ] {
                prop_assert_eq!(parse(&text), Some(at), "{}", text);
            }
        }
    }
}
