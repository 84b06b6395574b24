//! The outcome of a fault: its effect on the load and the missed expectations, as a line of the table.

use std::fmt;
use std::time::Duration;

/// Full service has to return within this time after the failed component did (5 s after the database, without a
/// restart).
pub const BACK_WITHIN: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Outcome {
    pub fault: String,
    pub load: String,
    /// Acknowledged, but missing afterwards.
    pub lost: Vec<String>,
    /// Served wrongly, spent twice, half done, or answered unexpectedly.
    pub wrong: Vec<String>,
    /// Other missed expectations.
    pub missed: Vec<String>,
    pub recovered_in: Option<Duration>,
    pub notes: Vec<String>,
}

impl Outcome {
    pub fn is_good(&self) -> bool {
        self.lost.is_empty() && self.wrong.is_empty() && self.missed.is_empty()
    }

    pub fn named(mut self, fault: &str) -> Self {
        self.fault = fault.to_owned();
        self
    }
}

/// As a Markdown row for docs/faults.md.
pub struct Table(pub Vec<Outcome>);

impl Table {
    pub fn is_good(&self) -> bool {
        self.0.iter().all(Outcome::is_good)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| fault | load | lost | served wrongly | back after | seen |")?;
        writeln!(f, "|---|---|--:|--:|--:|---|")?;
        for one in &self.0 {
            let back = one.recovered_in.map_or("-".into(), |time| format!("{:.1} s", time.as_secs_f64()));
            let Outcome { fault, load, lost, wrong, notes, .. } = one;
            let seen = notes.join("; ");
            writeln!(f, "| {fault} | {load} | {} | {} | {back} | {seen} |", lost.len(), wrong.len())?;
        }
        for one in &self.0 {
            for (what, lines) in [("lost", &one.lost), ("wrong", &one.wrong), ("missed", &one.missed)] {
                for line in lines.iter().take(10) {
                    writeln!(f, "MISS {}: {what}: {line}", one.fault)?;
                }
            }
        }
        Ok(())
    }
}
