//! The query plan of a session lookup: the same plan for any number of keys.

use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use latchkey::config::{self, Pooler, Span};
use latchkey::db::Db;
use latchkey::identity::User;
use latchkey_sessions::{Key, Policy, Store};

use crate::support::db::TestDb;

#[derive(QueryableByName)]
struct Plans {
    #[diesel(sql_type = BigInt)]
    made_anew: i64,
    #[diesel(sql_type = BigInt)]
    kept: i64,
    #[diesel(sql_type = Text)]
    statement: String,
}

fn key(number: u64) -> Key {
    Key::parse(&format!("{}{number}A", "0".repeat(34))).unwrap()
}

/// Enough for Postgres to prefer an index to a sequential scan.
const PEOPLE: u64 = 3000;

#[actix_web::test]
async fn a_lookup_of_one_key_is_planned_once_and_not_each_time() {
    let test = TestDb::new();
    test.execute(&format!(
        "INSERT INTO users (email, email_key, name) SELECT n || '@example.org', n || '@example.org', 'Ada'
           FROM generate_series(1, {PEOPLE}) n;
         INSERT INTO sessions (key_hash, principal, factor, address, user_agent, expires_at)
           SELECT sha256((repeat('0', 34) || 10000000 + row_number() OVER () || 'A')::bytea), id, 'password', '192.0.2.7',
                  'Mozilla/5.0', now() + interval '1 day' FROM users;"
    ));
    for table in ["users", "sessions"] {
        test.execute(&format!("VACUUM ANALYZE {table}"));
    }
    let one_connection = config::Database {
        pooler: Pooler::None,
        pool_size: 1,
        checkout_wait: Span::seconds(2),
        statement_timeout: Span::seconds(20),
        lock_timeout: Span::seconds(10),
    };
    let db = Db::new(&test.url(), one_connection);
    let sessions =
        Store::builder(db.clone()).owner::<User>().policy(Policy { cached: 0, ..Policy::default() }).build();
    for number in 1..=20 {
        assert!(sessions.find(&key(10_000_000 + number)).await.unwrap().is_some());
    }
    assert!(sessions.find(&key(99_999_999)).await.unwrap().is_none());
    let plans: Vec<Plans> = db
        .read(|conn| {
            Ok(sql_query(
                "SELECT custom_plans AS made_anew, generic_plans AS kept, statement FROM pg_prepared_statements \
                 WHERE statement LIKE '%\"key_hash\" = ANY%'",
            )
            .load(conn)?)
        })
        .await
        .unwrap();
    let [Plans { made_anew, kept, statement }] = &plans[..] else { panic!("{} statements", plans.len()) };
    // Postgres always tries five custom plans first.
    assert_eq!((*made_anew, *kept), (5, 16), "{statement}");
}
