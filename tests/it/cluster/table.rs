//! The table of results: the work, the load, and the outcome.

use std::fmt;

use crate::history::wire::Tally;

#[derive(Default)]
pub struct Table(pub Vec<Row>);

pub struct Row {
    pub what: String,
    pub load: String,
    /// Requests to the portal.
    pub tally: Tally,
    /// Requests to the app behind the instances, if there was one.
    pub app: Option<Tally>,
    /// Sessions that ended although no request ended them.
    pub lost: usize,
    /// Requests served with an ended session or with stale data.
    pub wrong: usize,
    pub seconds: f64,
    /// The violations, as text.
    pub misses: Vec<String>,
}

impl Table {
    pub fn misses(&self) -> Vec<String> {
        let of =
            |row: &Row| row.misses.iter().map(|miss| format!("{}: {miss}", row.what)).collect::<Vec<_>>();
        self.0.iter().flat_map(of).collect()
    }
}

const HEAD: [&str; 8] = [
    "what",
    "load",
    "failed GET",
    "failed POST",
    "app: failed GET, POST",
    "lost",
    "served wrongly",
    "seconds",
];

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = |row: &Row| {
            [
                row.what.clone(),
                row.load.clone(),
                failures(&row.tally, "GET"),
                failures(&row.tally, "POST"),
                row.app.as_ref().map_or("-".to_owned(), |app| {
                    format!("{}; {}", failures(app, "GET"), failures(app, "POST"))
                }),
                row.lost.to_string(),
                row.wrong.to_string(),
                format!("{:.1}", row.seconds),
            ]
        };
        writeln!(f, "| {} |", HEAD.join(" | "))?;
        writeln!(f, "|---|---|---|---|---|--:|--:|--:|")?;
        for row in &self.0 {
            writeln!(f, "| {} |", cells(row).join(" | "))?;
        }
        for miss in self.misses() {
            writeln!(f, "MISSED {miss}")?;
        }
        Ok(())
    }
}

/// `0 of 812`, or the failures by kind.
fn failures(tally: &Tally, method: &str) -> String {
    let sent = tally.sent.iter().filter(|(of, _)| **of == method).map(|(_, count)| count).sum::<usize>();
    let kinds: Vec<String> = tally
        .failed
        .iter()
        .filter(|((of, _), _)| *of == method)
        .map(|((_, why), count)| format!("{count} × {why}"))
        .collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    format!("{} of {sent}{kinds}", tally.failed(method))
}
