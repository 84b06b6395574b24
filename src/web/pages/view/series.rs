//! Daily figures for small charts.

/// One day of a chart; `height` is its share of the tallest, 0 to 100.
pub struct DayBar {
    pub label: String,
    pub value: String,
    pub height: u8,
}

/// Daily figures, drawn on a scale from zero to `top`.
pub struct Series {
    pub bars: Vec<DayBar>,
    pub top: String,
}

impl Series {
    pub fn new(days: impl Iterator<Item = (String, i64)>) -> Self {
        let days: Vec<_> = days.collect();
        let top = days.iter().map(|(_, value)| *value).max().unwrap_or(0).max(1);
        let height = |value: i64| u8::try_from(value.saturating_mul(100) / top).unwrap_or(0);
        let bar = |(label, value)| DayBar { label, value: grouped(value), height: height(value) };
        Self { bars: days.into_iter().map(bar).collect(), top: grouped(top) }
    }
}

/// A number with a comma as the thousands separator.
pub fn grouped(count: i64) -> String {
    let digits = count.max(0).to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart_and_a_series_is_drawn_from_zero() {
        for (count, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567"), (-1, "0")]
        {
            assert_eq!(grouped(count), text);
        }
        let series =
            Series::new([("a", 0), ("b", 5), ("c", 20)].map(|(day, n)| (day.to_owned(), n)).into_iter());
        assert_eq!(series.bars.iter().map(|bar| bar.height).collect::<Vec<_>>(), [0, 25, 100]);
        assert_eq!(series.top, "20");
        let nothing = Series::new([("a".to_owned(), 0)].into_iter());
        assert_eq!((nothing.bars[0].height, nothing.top.as_str()), (0, "1"));
    }
}
