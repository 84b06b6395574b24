//! Figures, and how they are shown.

use std::fmt::Write as _;

use serde_json::{Value, json};

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

    /// One round's value.
    pub fn note(&mut self, name: &str, unit: &'static str, value: f64) {
        match self.figures.iter_mut().find(|figure| figure.name == name && figure.unit == unit) {
            Some(figure) => figure.rounds.push(value),
            None => self.figures.push(Figure { name: name.to_owned(), unit, rounds: vec![value] }),
        }
    }

    /// What a target is held against: under `key` itself in the last line.
    pub fn value(&mut self, key: &str, value: f64) {
        self.values.push((key.to_owned(), value));
    }

    /// Of the rounds noted so far.
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
            table.push_str("\n| held against targets | |\n|---|--:|\n");
        }
        for (key, value) in &self.values {
            let _ = writeln!(table, "| `{key}` | {} |", digits(*value));
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

/// Three of them count.
fn digits(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}
