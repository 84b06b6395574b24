//! Many people with a session each, whose key can be written down again from their number.

use std::ops::Range;

use diesel::RunQueryDsl as _;
use diesel::sql_types::Double;
use latchkey::db::migrations;
use latchkey_sessions::Key;

use super::place::execute;

/// Rows of one statement.
const AT_ONCE: u64 = 250_000;

/// What comes before and after a number of eight digits in the text of its key.
pub const KEY: (&str, &str) = ("0000000000000000000000000000000000", "A");

/// The number of the first of them.
pub const FIRST: u64 = 10_000_000;

pub fn key(number: u64) -> Key {
    Key::parse(&format!("{}{}{}", KEY.0, FIRST + number, KEY.1)).expect("the text of 32 bytes")
}

/// What somebody is called, where they write from and what with is as varied as people and browsers are.
pub fn admit(url: &str, numbers: Range<u64>) {
    let mut first = numbers.start;
    while first < numbers.end {
        let last = (first + AT_ONCE).min(numbers.end) - 1;
        execute(
            url,
            &format!(
                "SET synchronous_commit = off;
                 INSERT INTO users (id, email, email_key, name)
                   SELECT md5('user' || n)::uuid, email, email, given || ' ' || family FROM (
                     SELECT n, lower(given) || '.' || lower(family) || n || '@example.org' email, given, family FROM (
                       SELECT n, ({GIVEN})[1 + n % 8] given, ({FAMILY})[1 + n / 8 % 8] family
                       FROM generate_series({first}, {last}) n) a) b;
                 INSERT INTO sessions (key_hash, principal, factor, address, user_agent, expires_at)
                   SELECT sha256(('{}' || {FIRST} + n || '{}')::bytea), md5('user' || n)::uuid, 'password',
                          '203.0.' || n / 256 % 256 || '.' || n % 256, ({})[1 + n % {BROWSERS}], now() + interval '1 day'
                   FROM generate_series({first}, {last}) n;",
                KEY.0,
                KEY.1,
                browsers(),
            ),
        );
        first = last + 1;
    }
    execute(url, "VACUUM ANALYZE users");
    execute(url, "VACUUM ANALYZE sessions");
    execute(url, "CHECKPOINT");
}

const GIVEN: &str = "ARRAY['Ada','Grace','Alan','Edsger','Barbara','Donald','Frances','Niklaus']";
const FAMILY: &str = "ARRAY['Lovelace','Hopper','Turing','Dijkstra','Liskov','Knuth','Allen','Wirth']";

const BROWSERS: usize = 36;

/// Three kinds, three systems, four versions: 70 to 111 bytes.
fn browsers() -> String {
    let mut browsers = Vec::new();
    for system in ["Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64"] {
        for version in 147..151 {
            let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
            browsers
                .push(format!("Mozilla/5.0 ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"));
            browsers.push(format!("Mozilla/5.0 ({system}) {webkit} Chrome/{version}.0.0.0 Safari/537.36"));
            browsers.push(format!("Mozilla/5.0 ({system}) {webkit} Version/{version}.0 Safari/537.36"));
        }
    }
    assert_eq!(browsers.len(), BROWSERS);
    format!("ARRAY['{}']", browsers.join("','"))
}

/// One number that the database knows.
pub fn number(url: &str, query: &str) -> f64 {
    #[derive(diesel::QueryableByName)]
    struct Number {
        #[diesel(sql_type = Double)]
        number: f64,
    }
    let query = diesel::sql_query(format!("SELECT ({query})::double precision AS number"));
    query.get_result::<Number>(&mut migrations::connect(url).unwrap()).unwrap().number
}
