//! The table of results: the task, the measurement, and the required limit.

use std::fmt;
use std::time::Duration;

/// One line of the table.
pub struct Row {
    what: String,
    measured: String,
    expected: String,
    holds: bool,
}

impl Row {
    /// A journey that went as expected; otherwise it panics.
    pub fn went(what: &str) -> Self {
        Self { what: what.into(), measured: "as expected".into(), expected: String::new(), holds: true }
    }

    pub fn new(what: &str, measured: String, expected: &str, holds: bool) -> Self {
        Self { what: what.into(), measured, expected: expected.into(), holds }
    }

    /// The message of a panic.
    pub fn failed(message: &str) -> Self {
        let line: String = message.lines().next().unwrap_or_default().chars().take(200).collect();
        Self { what: "all of it".into(), measured: line, expected: String::new(), holds: false }
    }
}

#[derive(Default)]
pub struct Report(Vec<(&'static str, Vec<Row>, Duration)>);

impl Report {
    pub fn add(&mut self, part: &'static str, rows: Vec<Row>, took: Duration) {
        self.0.push((part, rows, took));
    }

    pub fn is_good(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|(_, rows, _)| rows.iter().all(|row| row.holds))
    }
}

/// As Markdown.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| part | what | measured | must hold | |")?;
        writeln!(f, "|---|---|---|---|---|")?;
        for (part, rows, took) in &self.0 {
            for Row { what, measured, expected, holds } in rows {
                let holds = if *holds { "" } else { "MISSED" };
                writeln!(f, "| {part} | {what} | {measured} | {expected} | {holds} |")?;
            }
            writeln!(f, "| {part} | seconds | {:.0} | | |", took.as_secs_f64())?;
        }
        Ok(())
    }
}
