//! A duration as written in settings: `90s`, `10m`, `24h`, `30d`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(u32);

impl Span {
    pub const fn seconds(n: u32) -> Self {
        Self(n)
    }
    pub const fn minutes(n: u32) -> Self {
        Self(n * 60)
    }
    pub const fn hours(n: u32) -> Self {
        Self(n * 3600)
    }
    pub const fn days(n: u32) -> Self {
        Self(n * 86_400)
    }

    pub fn as_secs(self) -> u32 {
        self.0
    }

    pub fn std(self) -> Duration {
        Duration::from_secs(self.0.into())
    }

    pub fn time(self) -> time::Duration {
        time::Duration::seconds(self.0.into())
    }

    /// `None` if the text is not a number and one of the units.
    pub fn parse(text: &str) -> Option<Self> {
        let unit = text.chars().last()?;
        let number = text[..text.len() - unit.len_utf8()].trim();
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        number.parse::<u32>().ok()?.checked_mul(seconds).map(Self)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
        match units.into_iter().find(|(size, _)| self.0 != 0 && self.0.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}s", self.0),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::custom(format!("{text:?} is not a span such as 90s, 10m, 24h or 30d")))
    }
}

/// "24 hours", "30 minutes".
pub fn in_words(span: Span) -> String {
    duration_in_words(span.std())
}

pub fn duration_in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    let (number, unit) = match seconds {
        s if s >= 2 * 86_400 && s % 86_400 == 0 => (s / 86_400, "day"),
        s if s >= 3600 && s % 3600 == 0 => (s / 3600, "hour"),
        s => (s.div_ceil(60), "minute"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_they_are_written() {
        for text in ["0s", "90s", "10m", "24d", "5h"] {
            assert_eq!(Span::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Span::parse("48h").unwrap().to_string(), "2d");
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "h", "10", "-1m", "1.5h", "99999999999d", "5 µ", "١d"] {
            assert!(Span::parse(text).is_none(), "{text}");
        }
    }
}
