//! Both parsers, on typical exports and on random input.

use std::io::Cursor;

use proptest::prelude::*;

use super::{FileError, MAX_LINE, ParsedLine, Rows};

fn all(mut rows: Rows<Cursor<Vec<u8>>>) -> Vec<(u64, ParsedLine)> {
    let mut lines = Vec::new();
    while let Some(line) = rows.next().unwrap() {
        lines.push(line);
    }
    lines
}

fn csv(text: &str) -> Vec<(u64, ParsedLine)> {
    match Rows::csv(Cursor::new(text.as_bytes().to_vec())) {
        Ok(rows) => all(rows),
        Err(_) => panic!("{text}"),
    }
}

fn jsonl(text: &str) -> Vec<(u64, ParsedLine)> {
    all(Rows::jsonl(Cursor::new(text.as_bytes().to_vec())))
}

fn header(text: &str) -> String {
    match Rows::csv(Cursor::new(text.as_bytes().to_vec())) {
        Err(FileError::Header(why)) => why,
        _ => panic!("{text}"),
    }
}

fn fields((number, line): &(u64, ParsedLine)) -> (u64, [&str; 5]) {
    let row = line.as_ref().unwrap_or_else(|why| panic!("{why}"));
    (*number, [&row.email, &row.name, &row.password_hash, &row.role, &row.created_at])
}

fn reason((number, line): &(u64, ParsedLine)) -> (u64, &str) {
    (*number, line.as_ref().err().map_or("", String::as_str))
}

#[test]
fn csv_may_come_from_a_spreadsheet_in_another_order() {
    let text = "\u{feff}name,email,role,password_hash\r\n\"Lovelace, Ada \"\"A\"\"\",ada@example.org,,$2b$\r\n\r\nEve,e@x.org,admin,";
    let rows = csv(text);
    assert_eq!(fields(&rows[0]), (2, ["ada@example.org", "Lovelace, Ada \"A\"", "$2b$", "", ""]));
    assert_eq!(fields(&rows[1]), (4, ["e@x.org", "Eve", "", "admin", ""]));
}

#[test]
fn argon2_hashes_stand_in_quotation_marks_since_they_have_commas() {
    let rows =
        csv("email,name,password_hash\na@b.org,A,\"$argon2id$v=19$m=1,t=2,p=3$x$y\"\nb@b.org,B,$m=1,t=2\n");
    assert_eq!(fields(&rows[0]).1[2], "$argon2id$v=19$m=1,t=2,p=3$x$y");
    assert_eq!(reason(&rows[1]), (3, "the line has 4 columns, the header 3"));
}

#[test]
fn a_header_is_required_and_its_mistakes_are_named() {
    assert_eq!(header(""), "there is no header");
    assert!(header("email,name,password_hash,phone\n").contains("unknown column \"phone\""));
    assert!(header("email;name;password_hash\n").contains("unknown column \"email;name;password_hash\""));
    assert!(header("ada@example.org,Ada,x\n").contains("unknown column \"ada@example.org\""));
    assert_eq!(header("email,name\n"), "the header has no column \"password_hash\"");
    assert_eq!(header("email,name,name,password_hash\n"), "the header has the column \"name\" twice");
    assert!(header(&",".repeat(100)).contains("not a valid CSV row"));
}

#[test]
fn a_bad_line_is_one_bad_line() {
    let long = "x".repeat(3 * MAX_LINE);
    let text = format!("email,name,password_hash\n\"a@b.org,A,x\n{long}\nb@b.org,B\rC,x\nc@b.org,C,x\n");
    let rows = csv(&text);
    assert_eq!(reason(&rows[0]), (2, "a quotation mark is not closed on its line"));
    assert_eq!(reason(&rows[1]), (3, "the line is longer than 16384 bytes"));
    assert_eq!(reason(&rows[2]), (4, "the line is not a valid CSV row"));
    assert_eq!(fields(&rows[3]).0, 5);
    let latin1 = b"{\"email\":\"caf\xe9@x.org\"}\n{\"email\":\"a@x.org\"}".to_vec();
    let rows = all(Rows::jsonl(Cursor::new(latin1)));
    assert_eq!(reason(&rows[0]), (1, "the line is not UTF-8"));
    assert_eq!(fields(&rows[1]).0, 2);
}

#[test]
fn the_longest_line_that_fits_is_read_with_and_without_an_end() {
    let row = |length: usize| format!("{{\"email\":\"{}\"}}", "x".repeat(length - 12));
    assert_eq!(row(100).len(), 100);
    for end in ["", "\n"] {
        assert!(jsonl(&(row(MAX_LINE) + end))[0].1.is_ok());
        assert!(jsonl(&(row(MAX_LINE + 1) + end))[0].1.is_err());
    }
}

#[test]
fn json_has_the_same_fields_and_no_others() {
    let rows =
        jsonl("\u{feff}{\"email\":\"a@b.org\",\"name\":null,\"password_hash\":\"x\",\"role\":\"admin\"}\r\n");
    assert_eq!(fields(&rows[0]), (1, ["a@b.org", "", "x", "admin", ""]));
    let rows = jsonl(
        "{\"email\":\"a@b.org\",\"created_at\":1715938200000}\n{\"email\":\"a@b.org\",\"created_at\":\"x\"}",
    );
    assert_eq!(fields(&rows[0]).1[4], "1715938200000");
    assert_eq!(fields(&rows[1]).1[4], "x");
    for (text, why) in [
        ("{\"email\":\"a@b.org\",\"created_at\":-1}", "number of milliseconds"),
        ("{\"email\":\"a@b.org\",\"phone\":\"1\"}", "unknown field `phone`"),
        ("{\"email\":\"a\",\"email\":\"b\"}", "duplicate field `email`"),
        ("{\"name\":\"A\"}", "missing field `email`"),
        ("[\"a@b.org\",\"A\",\"x\"]", "not a JSON object"),
        ("{\"email\":1}", "invalid type"),
        ("{\"email\":\"a@b.org\"", "EOF"),
        ("{\"email\":\"a@b.org\"} {}", "trailing characters"),
    ] {
        let rows = jsonl(text);
        assert!(reason(&rows[0]).1.contains(why), "{text}: {}", reason(&rows[0]).1);
    }
    assert!(jsonl(&"[".repeat(10_000))[0].1.is_err());
    assert!(jsonl(&format!("{{\"email\":{}", "[".repeat(10_000)))[0].1.is_err());
}

proptest! {
    #[test]
    fn nothing_makes_either_parser_panic_and_every_line_is_counted(
        bytes in prop::collection::vec(prop::sample::select(b"ae,\"\r\n\\{}:\0\xc3\xa9 ".to_vec()), 0..400),
    ) {
        let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
        let header = b"email,name,password_hash\n".to_vec();
        let Ok(rows) = Rows::csv(Cursor::new([header, bytes.clone()].concat())) else { panic!() };
        prop_assert!(all(rows).last().is_none_or(|(number, _)| *number <= lines + 1));
        prop_assert!(all(Rows::jsonl(Cursor::new(bytes.clone()))).last().is_none_or(|(number, _)| *number <= lines));
        let _ = Rows::csv(Cursor::new(bytes));
    }

    #[test]
    fn csv_and_json_round_trip(fields in prop::collection::vec("[^\r\n]{0,30}", 5)) {
        let quoted: Vec<String> = fields.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
        let rows = csv(&format!("email,name,password_hash,role,created_at\n{}\n", quoted.join(",")));
        prop_assert_eq!(self::fields(&rows[0]).1.to_vec(), fields.clone());
        let names = ["email", "name", "password_hash", "role", "created_at"];
        let object: serde_json::Map<String, serde_json::Value> =
            names.iter().zip(&fields).map(|(name, field)| ((*name).to_owned(), field.clone().into())).collect();
        let rows = jsonl(&serde_json::Value::Object(object).to_string());
        prop_assert_eq!(self::fields(&rows[0]).1.to_vec(), fields);
    }
}
