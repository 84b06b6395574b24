//! Many users with a session each, whose keys can be computed from their numbers.

use std::ops::Range;

use diesel::RunQueryDsl as _;
use diesel::sql_types::Double;
use latchkey::db::migrations;
use latchkey_sessions::Key;
use uuid::Uuid;

use super::environment::execute;

/// Rows inserted by one statement.
const ROWS_PER_STATEMENT: u64 = 250_000;

/// The text of a key before and after its number of eight digits.
pub const KEY: (&str, &str) = ("0000000000000000000000000000000000", "A");

/// The number of the first key.
pub const FIRST: u64 = 10_000_000;

pub fn key(number: u64) -> Key {
    Key::parse(&format!("{}{}{}", KEY.0, FIRST + number, KEY.1)).expect("the text of 32 bytes")
}

/// What the scoped keys open.
pub const SCOPE: Uuid = Uuid::from_u128(0xA99);

/// As [`KEY`], for scoped keys.
const SCOPED_KEY: &str = "1000000000000000000000000000000000";

pub fn scoped_key(number: u64) -> Key {
    Key::parse(&format!("{SCOPED_KEY}{}{}", FIRST + number, KEY.1)).expect("the text of 32 bytes")
}

/// Inserts a scoped key for each of these sessions, on one of a few origins.
pub fn insert_scoped_keys(url: &str, numbers: Range<u64>) {
    execute(
        url,
        &format!(
            "SET synchronous_commit = off;
             INSERT INTO session_keys (key_hash, session, scope, origin, proved_at)
               SELECT sha256(('{SCOPED_KEY}' || {FIRST} + n || '{end}')::bytea), handle, '{SCOPE}',
                      'https://wiki' || n % 3 || '.example.org', now()
               FROM generate_series({}, {}) n
               JOIN sessions ON key_hash = sha256(('{begin}' || {FIRST} + n || '{end}')::bytea)",
            numbers.start,
            numbers.end - 1,
            begin = KEY.0,
            end = KEY.1,
        ),
    );
    execute(url, "VACUUM ANALYZE session_keys");
}

/// Inserts users and their sessions, with names, addresses and browsers of realistic variety.
pub fn insert(url: &str, numbers: Range<u64>) {
    let mut first = numbers.start;
    while first < numbers.end {
        let last = (first + ROWS_PER_STATEMENT).min(numbers.end) - 1;
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

/// Three browsers, three systems, four versions: 70 to 111 bytes.
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

/// The number that a query returns.
pub fn number(url: &str, query: &str) -> f64 {
    #[derive(diesel::QueryableByName)]
    struct Number {
        #[diesel(sql_type = Double)]
        number: f64,
    }
    let query = diesel::sql_query(format!("SELECT ({query})::double precision AS number"));
    query.get_result::<Number>(&mut migrations::connect(url).unwrap()).unwrap().number
}
