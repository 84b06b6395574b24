//! Reads users from a CSV or JSONL file, one per line, with a bound on the length of a line.

use std::io::{self, BufRead, Read as _};

use csv::{ReaderBuilder, StringRecord};
use serde::Deserialize;

use crate::registration::ImportRow;

/// Bytes per line, many times more than a user takes. Longer lines are skipped without being buffered.
pub const MAX_LINE: usize = 16 * 1024;

/// More columns than are known.
const MAX_COLUMNS: usize = 32;

const COLUMNS: [&str; 5] = ["email", "name", "password_hash", "role", "created_at"];
const REQUIRED: [&str; 3] = ["email", "name", "password_hash"];

/// A row, or why the line is not one.
pub type ParsedLine = Result<ImportRow, String>;

pub struct Rows<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    bytes: u64,
    format: Format,
}

enum Format {
    /// For each column, which of [`COLUMNS`] it is.
    Csv(Vec<usize>),
    Jsonl,
}

/// Why the file cannot be read.
pub enum FileError {
    Io(io::Error),
    Header(String),
}

impl<R: BufRead> Rows<R> {
    pub fn jsonl(input: R) -> Self {
        Self { input, line: Vec::new(), number: 0, bytes: 0, format: Format::Jsonl }
    }

    /// Reads the header, which names the columns in any order.
    pub fn csv(input: R) -> Result<Self, FileError> {
        let mut rows = Self::jsonl(input);
        let header = match rows.next_line().map_err(FileError::Io)? {
            Some(true) => rows.text().and_then(fields).map_err(FileError::Header)?,
            _ => return Err(FileError::Header("there is no header".into())),
        };
        rows.format = Format::Csv(columns(&header).map_err(FileError::Header)?);
        Ok(rows)
    }

    /// The next line that is not empty, with its number, beginning with 1.
    pub fn next(&mut self) -> io::Result<Option<(u64, ParsedLine)>> {
        loop {
            let Some(fits) = self.next_line()? else { return Ok(None) };
            if fits && self.line.trim_ascii().is_empty() {
                continue;
            }
            let line = if fits { self.text().and_then(|text| self.parse(text)) } else { Err(too_long()) };
            return Ok(Some((self.number, line)));
        }
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn parse(&self, text: &str) -> ParsedLine {
        match &self.format {
            Format::Csv(columns) => csv_row(columns, text),
            Format::Jsonl => json_row(text),
        }
    }

    fn text(&self) -> Result<&str, String> {
        str::from_utf8(&self.line).map_err(|_| "the line is not UTF-8".to_owned())
    }

    /// Reads the next line: `false` if it is too long, `None` at the end of the file.
    fn next_line(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        let limit = MAX_LINE as u64 + 1;
        let read = self.input.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.bytes += read as u64;
        self.number += 1;
        if self.line.pop_if(|byte| *byte == b'\n').is_some() {
            self.line.pop_if(|byte| *byte == b'\r');
        } else if read > MAX_LINE {
            self.skip_line()?;
            return Ok(Some(false));
        }
        if self.number == 1 && self.line.starts_with("\u{feff}".as_bytes()) {
            self.line.drain(..3);
        }
        Ok(Some(true))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |at| at + 1);
            let over = end.is_some() || buffer.is_empty();
            self.input.consume(length);
            self.bytes += length as u64;
            if over {
                return Ok(());
            }
        }
    }
}

fn too_long() -> String {
    format!("the line is longer than {MAX_LINE} bytes")
}

fn columns(header: &StringRecord) -> Result<Vec<usize>, String> {
    let mut columns = Vec::new();
    for name in header.iter().map(str::trim) {
        let column = COLUMNS.iter().position(|known| *known == name);
        let column = column.ok_or_else(|| {
            format!("the header has the unknown column {name:?}: known are {}", COLUMNS.join(", "))
        })?;
        if columns.contains(&column) {
            return Err(format!("the header has the column {name:?} twice"));
        }
        columns.push(column);
    }
    for name in REQUIRED {
        if !columns.iter().any(|column| COLUMNS.get(*column) == Some(&name)) {
            return Err(format!("the header has no column {name:?}"));
        }
    }
    Ok(columns)
}

/// One line of CSV (RFC 4180), without line breaks in its fields. Each line is parsed by itself, so that a missing
/// quotation mark spoils one row and not the rest of the file.
fn fields(text: &str) -> Result<StringRecord, String> {
    if text.matches('"').count() % 2 == 1 {
        return Err("a quotation mark is not closed on its line".into());
    }
    let input = format!("{text}\n");
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(input.as_bytes());
    let mut record = StringRecord::new();
    let is_record = reader.read_record(&mut record).unwrap_or(false);
    // A carriage return would end the record before the end of the line.
    let is_whole = reader.position().byte() == input.len() as u64;
    if !is_record || !is_whole || record.len() > MAX_COLUMNS {
        return Err("the line is not a valid CSV row".into());
    }
    Ok(record)
}

fn csv_row(columns: &[usize], text: &str) -> ParsedLine {
    let fields = fields(text)?;
    if fields.len() != columns.len() {
        return Err(format!("the line has {} columns, the header {}", fields.len(), columns.len()));
    }
    let mut row = ImportRow::default();
    for (field, column) in fields.iter().map(str::to_owned).zip(columns) {
        match column {
            0 => row.email = field,
            1 => row.name = field,
            2 => row.password_hash = field,
            3 => row.role = field,
            _ => row.created_at = field,
        }
    }
    Ok(row)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    email: String,
    name: Option<String>,
    password_hash: Option<String>,
    role: Option<String>,
    created_at: Option<ImportedTime>,
}

/// Keycloak and Firebase export a number of milliseconds.
#[derive(Deserialize)]
#[serde(untagged, expecting = "`created_at` must be text or a number of milliseconds")]
enum ImportedTime {
    Text(String),
    Number(u64),
}

fn json_row(text: &str) -> ParsedLine {
    if !text.trim_start().starts_with('{') {
        return Err("the line is not a JSON object".into());
    }
    // The error of serde never quotes a password hash: every field takes a string, and the time a number too.
    let Object { email, name, password_hash, role, created_at } =
        serde_json::from_str(text).map_err(|error| format!("the line is invalid: {error}"))?;
    let text = Option::unwrap_or_default;
    Ok(ImportRow {
        email,
        name: text(name),
        password_hash: text(password_hash),
        role: text(role),
        created_at: match created_at {
            None => String::new(),
            Some(ImportedTime::Text(text)) => text,
            Some(ImportedTime::Number(number)) => number.to_string(),
        },
    })
}

#[cfg(test)]
mod tests;
