//! Figures, and how they are shown.

use std::fmt::Write as _;

use serde_json::{Value, json};

pub struct Report {
    rounds: usize,
    figures: Vec<Figure>,
}

struct Figure {
    name: String,
    unit: &'static str,
    rounds: Vec<f64>,
}

impl Report {
    pub fn new(rounds: usize) -> Self {
        Self { rounds, figures: Vec::new() }
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

    pub fn print(&self, json: bool) {
        let mut table = "| what | median | least | most | unit |\n|---|--:|--:|--:|---|\n".to_owned();
        let mut values = serde_json::Map::new();
        for Figure { name, unit, rounds } in &self.figures {
            let mut sorted = rounds.clone();
            sorted.sort_by(f64::total_cmp);
            let (least, median, most) = (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
            let shown = [median, least, most].map(digits);
            let _ = writeln!(table, "| {name} | {} | {} | {} | {unit} |", shown[0], shown[1], shown[2]);
            values.insert(
                format!("{name} ({unit})"),
                json!({ "median": median, "least": least, "most": most, "rounds": rounds }),
            );
        }
        print!("{table}");
        if json {
            println!("{}", Value::Object(values));
        }
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
