//! Figures, and how they are printed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::targets::Target;

pub struct Report {
    rounds: usize,
    figures: Vec<Figure>,
    values: Vec<(String, f64)>,
}

struct Figure {
    name: String,
    unit: &'static str,
    rounds: Vec<f64>,
}

impl Report {
    pub fn new(rounds: usize) -> Self {
        Self { rounds, figures: Vec::new(), values: Vec::new() }
    }

    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// Adds the value of one round.
    pub fn note(&mut self, name: &str, unit: &'static str, value: f64) {
        match self.figures.iter_mut().find(|figure| figure.name == name && figure.unit == unit) {
            Some(figure) => figure.rounds.push(value),
            None => self.figures.push(Figure { name: name.to_owned(), unit, rounds: vec![value] }),
        }
    }

    /// Sets a value that may have a target. The JSON line has it under `key`.
    pub fn value(&mut self, key: &str, value: f64) {
        self.values.push((key.to_owned(), value));
    }

    /// Sets the median of the rounds.
    pub fn value_of_rounds(&mut self, key: &str, rounds: &[f64]) {
        self.value(key, percentile(rounds, 0.5));
    }

    /// The median of the rounds so far.
    pub fn median(&self, name: &str, unit: &str) -> f64 {
        let figure = self.figures.iter().find(|figure| figure.name == name && figure.unit == unit);
        figure.unwrap_or_else(|| panic!("no {name} in {unit}")).spread()[0]
    }

    pub fn print(&self, json: bool) {
        let mut table = "| what | median | least | most | unit |\n|---|--:|--:|--:|---|\n".to_owned();
        let mut values = serde_json::Map::new();
        for figure in &self.figures {
            let Figure { name, unit, rounds } = figure;
            let [median, least, most] = figure.spread();
            let shown = [median, least, most].map(digits);
            let _ = writeln!(table, "| {name} | {} | {} | {} | {unit} |", shown[0], shown[1], shown[2]);
            values.insert(
                format!("{name} ({unit})"),
                json!({ "median": median, "least": least, "most": most, "rounds": rounds }),
            );
        }
        if !self.values.is_empty() {
            table.push_str(
                "\n| compared with targets | measured | minimum | goal | met |\n|---|--:|--:|--:|---|\n",
            );
        }
        for (key, value) in &self.values {
            let [reach, then, met] =
                Target::of(key).map_or_else(Default::default, |target| target.judge(*value));
            let _ = writeln!(table, "| `{key}` | {} | {reach} | {then} | {met} |", digits(*value));
            values.insert(key.clone(), json!(value));
        }
        print!("{table}");
        if json {
            println!("{}", Value::Object(values));
        }
    }
}

impl Figure {
    /// Median, least, most.
    fn spread(&self) -> [f64; 3] {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        [sorted[sorted.len() / 2], sorted[0], sorted[sorted.len() - 1]]
    }
}

/// The value that the given share of `values` does not exceed.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() as f64 * share) as usize).min(sorted.len() - 1)]
}

/// Three significant digits.
fn digits(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.1 || v == 0.0 => format!("{v:.2}"),
        v => format!("{v:.4}"),
    }
}
