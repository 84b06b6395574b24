//! `latchkey config`.

use serde_json::{Value, json};

use super::Failure;
use crate::config::{SettingRow, Settings};

const HEAD: [&str; 4] = ["SETTING", "VALUE", "FROM", "VARIABLE"];

pub fn run(settings: &Settings, as_json: bool) -> Result<(), Failure> {
    let rows = settings.rows();
    if as_json {
        let mut shown = serde_json::to_value(settings)?;
        shown["settings"] = json!(rows);
        print_line!("{shown}");
        return Ok(());
    }
    let rows: Vec<[String; 4]> = rows.into_iter().map(cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(HEAD.get(column).map(|head| head.len())).max().unwrap_or(0)
    };
    let (setting, value, from) = (width(0), width(1), width(2));
    let [head_setting, head_value, head_from, head_variable] = HEAD;
    print_line!("{head_setting:<setting$}  {head_value:<value$}  {head_from:<from$}  {head_variable}");
    for [name, text, source, variable] in &rows {
        print_line!("{name:<setting$}  {text:<value$}  {source:<from$}  {variable}");
    }
    Ok(())
}

fn cells(row: SettingRow) -> [String; 4] {
    let value = match row.value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    [row.setting, value, row.from, row.variable]
}
