//! A leased cache: entries of the application are found and revoked like sessions.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Bool, Nullable, Timestamptz, Uuid as SqlUuid};
use futures_util::future::{join, join_all};
use latchkey_db::Fault;
use latchkey_db::time::Moment;
use latchkey_sessions::{
    Key, KeyHash, LeasedCache, LeasedEntry, LeasedRow, Policy, Principal, Use, query_keys,
};
use time::OffsetDateTime;

use super::instances::{Instance, Watched, pass_gate, principal_and_gate};
use crate::support::TestDb;

const TABLE: &str = "
    CREATE TABLE vouchers (
        hash bytea PRIMARY KEY, owner uuid NOT NULL, suspended boolean NOT NULL DEFAULT false,
        expires_at timestamptz NOT NULL, used_at timestamptz);
    CREATE TRIGGER announce_update AFTER UPDATE ON vouchers FOR EACH ROW
        WHEN (OLD.suspended <> NEW.suspended) EXECUTE FUNCTION announce_change('owner');
    CREATE TRIGGER announce_delete AFTER DELETE ON vouchers FOR EACH ROW EXECUTE FUNCTION announce_change('owner');
    CREATE TRIGGER announce_truncate AFTER TRUNCATE ON vouchers EXECUTE FUNCTION announce_everything();";

/// A row of the application's table.
struct Voucher {
    owner: Principal,
}

#[derive(QueryableByName)]
struct VoucherRow {
    #[diesel(sql_type = Binary)]
    hash: Vec<u8>,
    #[diesel(sql_type = SqlUuid)]
    owner: Principal,
    #[diesel(sql_type = Bool)]
    suspended: bool,
    #[diesel(sql_type = Timestamptz)]
    expires_at: Moment,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    used_at: Option<Moment>,
    #[diesel(sql_type = Timestamptz)]
    read_at: Moment,
}

impl LeasedEntry for Voucher {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LeasedRow<Self>>, Fault> {
        let rows: Vec<VoucherRow> =
            diesel::sql_query("SELECT *, now() AS read_at FROM vouchers WHERE hash = ANY ($1)")
                .bind::<Array<Binary>, _>(query_keys(keys))
                .load(conn)?;
        Ok(rows
            .into_iter()
            .map(|row| {
                pass_gate(row.owner);
                LeasedRow {
                    key: KeyHash::new(row.hash.try_into().unwrap()),
                    principal: row.owner,
                    entry: (!row.suspended).then_some(Self { owner: row.owner }),
                    expires_at: row.expires_at,
                    last_used_at: row.used_at,
                    read_at: row.read_at,
                }
            })
            .collect())
    }

    fn touch(conn: &mut PgConnection, rows: &[(KeyHash, Moment)]) -> Result<usize, Fault> {
        let mut changed = 0;
        for (key, used_at) in rows {
            changed += diesel::sql_query("UPDATE vouchers SET used_at = $2 WHERE hash = $1")
                .bind::<Binary, _>(key.as_bytes())
                .bind::<Timestamptz, _>(used_at)
                .execute(conn)?;
        }
        Ok(changed)
    }
}

type Vouchers = LeasedCache<Voucher, Watched>;

fn cache_of(instance: &Instance) -> Vouchers {
    instance.sessions.leased_cache(1000)
}

async fn two(db: &TestDb, policy: Policy) -> ([Instance; 2], [Vouchers; 2]) {
    db.execute(TABLE);
    let instances = Instance::two_with(db, policy).await;
    let caches = [cache_of(&instances[0]), cache_of(&instances[1])];
    (instances, caches)
}

/// Inserts a row that expires after `valid`.
fn issue(db: &TestDb, owner: Principal, valid: &str) -> KeyHash {
    let key = Key::generate().unwrap().hash();
    db.execute(&format!(
        "INSERT INTO vouchers (hash, owner, expires_at) \
         VALUES ('\\x{}', '{owner}', now() + interval '{valid}')",
        data_encoding::HEXLOWER.encode(key.as_bytes())
    ));
    key
}

fn where_hash(key: &KeyHash) -> String {
    format!("WHERE hash = '\\x{}'", data_encoding::HEXLOWER.encode(key.as_bytes()))
}

async fn finds(cache: &Vouchers, key: KeyHash) -> bool {
    cache.find(key, Use::Background).await.unwrap().is_some()
}

#[actix_web::test]
async fn an_entry_in_memory_is_found_without_a_query_and_with_the_databases_time() {
    let db = TestDb::new();
    let ([a, _b], [vouchers, _]) = two(&db, Policy::default()).await;
    let (ada, gate) = principal_and_gate();
    let key = issue(&db, ada, "1 hour");
    let before: OffsetDateTime = db.scalar("SELECT now()");
    for _ in 0..10 {
        let found = vouchers.find(key, Use::Background).await.unwrap().expect("a live entry");
        assert_eq!(found.owner, ada);
        assert!((OffsetDateTime::from(found.now()) - before).abs() < time::Duration::seconds(5));
    }
    assert_eq!((gate.queries(), vouchers.cached(), vouchers.counts().hits.get()), (1, 1, 9));
    // A log-in of the owner reads it again, and changes nothing.
    a.open(ada).await;
    assert!(finds(&vouchers, key).await);
}

#[actix_web::test]
async fn what_is_revoked_is_found_on_no_instance_when_the_revocation_returns() {
    let db = TestDb::new();
    let ([a, _b], [here, there]) = two(&db, Policy::default()).await;
    let (ada, _) = principal_and_gate();
    for _ in 0..20 {
        let (revoked, kept) = (issue(&db, ada, "1 hour"), issue(&db, ada, "1 hour"));
        for cache in [&here, &there] {
            assert!(finds(cache, revoked).await && finds(cache, kept).await && cache.cached() > 0);
        }
        a.change(&format!("DELETE FROM vouchers {}", where_hash(&revoked))).await;
        for cache in [&here, &there] {
            assert!(!finds(cache, revoked).await && finds(cache, kept).await);
        }
    }
}

/// The fill race: an entry is read, revoked, the revocation is answered, and only then is the entry cached.
#[actix_web::test]
async fn a_row_read_before_its_revocation_is_not_cached_after_it() {
    let db = TestDb::new();
    let ([a, _b], [_, there]) = two(&db, Policy::default()).await;
    for _ in 0..5 {
        let (ada, gate) = principal_and_gate();
        let key = issue(&db, ada, "1 hour");
        gate.shut();
        let reader = async {
            // The lookup began before the revocation.
            assert!(finds(&there, key).await);
        };
        let meanwhile = async {
            gate.holds(1).await;
            a.change(&format!("DELETE FROM vouchers {}", where_hash(&key))).await;
            gate.open();
        };
        join(reader, meanwhile).await;
        assert!(!finds(&there, key).await);
    }
    assert_eq!(there.cached(), 0);
}

#[actix_web::test]
async fn without_a_lease_every_lookup_reads_the_database() {
    let db = TestDb::new();
    let ([mut a, _b], [vouchers, _]) = two(&db, Policy::default()).await;
    let (ada, gate) = principal_and_gate();
    let (key, unknown) = (issue(&db, ada, "1 hour"), Key::generate().unwrap().hash());
    assert!(finds(&vouchers, key).await && !finds(&vouchers, unknown).await);
    a.leave();
    a.distrusted().await;
    for asked in 2..5 {
        assert!(finds(&vouchers, key).await);
        assert_eq!(gate.queries(), asked);
    }
    // This change is not announced.
    db.execute(&format!(
        "ALTER TABLE vouchers DISABLE TRIGGER ALL; DELETE FROM vouchers {}",
        where_hash(&key)
    ));
    assert!(!finds(&vouchers, key).await && !finds(&vouchers, unknown).await);
    assert_eq!(vouchers.counts().unknown.get(), 0, "an unknown key is looked up again, too");
}

#[actix_web::test]
async fn an_unknown_key_is_looked_up_once() {
    let db = TestDb::new();
    let ([a, _b], [vouchers, _]) = two(&db, Policy::default()).await;
    let unknown = Key::generate().unwrap().hash();
    assert!(!finds(&vouchers, unknown).await);
    // Revocations of others change nothing about it.
    let other = issue(&db, principal_and_gate().0, "1 hour");
    a.change(&format!("DELETE FROM vouchers {}", where_hash(&other))).await;
    let found = join_all((0..50).map(|_| finds(&vouchers, unknown))).await;
    assert!(!found.contains(&true));
    assert_eq!((vouchers.counts().misses.get(), vouchers.counts().unknown.get()), (1, 50));
}

#[actix_web::test]
async fn after_a_truncate_an_unknown_key_is_looked_up_again() {
    let db = TestDb::new();
    let ([a, _b], [vouchers, _]) = two(&db, Policy::default()).await;
    let (ada, _) = principal_and_gate();
    let key = issue(&db, ada, "1 hour");
    a.change("CREATE TABLE backup AS TABLE vouchers; TRUNCATE vouchers").await;
    assert!(!finds(&vouchers, key).await);
    a.change("TRUNCATE vouchers; INSERT INTO vouchers TABLE backup").await;
    assert!(finds(&vouchers, key).await);
}

#[actix_web::test]
async fn a_suspended_entry_is_not_found_and_works_again_later() {
    let db = TestDb::new();
    let ([a, _b], caches) = two(&db, Policy::default()).await;
    let (ada, gate) = principal_and_gate();
    let key = issue(&db, ada, "1 hour");
    for (suspended, found) in [("true", false), ("false", true), ("true", false)] {
        a.change(&format!("UPDATE vouchers SET suspended = {suspended} {}", where_hash(&key))).await;
        for cache in &caches {
            assert_eq!(finds(cache, key).await, found, "suspended: {suspended}");
            let asked = gate.queries();
            assert_eq!(finds(cache, key).await, found);
            assert_eq!(gate.queries(), asked, "a suspended entry is in memory, too");
        }
    }
}

#[actix_web::test]
async fn an_expired_entry_is_not_found() {
    let db = TestDb::new();
    let ([a, _b], [vouchers, _]) = two(&db, Policy::default()).await;
    let (ada, gate) = principal_and_gate();
    let (expired, expires) = (issue(&db, ada, "-1 second"), issue(&db, ada, "1 second"));
    for _ in 0..3 {
        assert!(!finds(&vouchers, expired).await);
    }
    assert_eq!(gate.queries(), 1, "nor read again");
    assert!(finds(&vouchers, expires).await);
    test_db::eventually("its end", async || (!finds(&vouchers, expires).await).then_some(())).await;
    assert!(a.sessions.has_lease());
}

#[actix_web::test]
async fn a_use_is_written_with_the_stores_touches_once_per_interval_and_never_in_a_request() {
    let db = TestDb::new();
    let hourly = Policy { touch_every: Duration::from_secs(3600), ..Policy::default() };
    let ([a, _b], [vouchers, _]) = two(&db, hourly).await;
    let (ada, _) = principal_and_gate();
    let key = issue(&db, ada, "3 hours");
    let is_used = || db.scalar::<bool>("SELECT bool_or(used_at IS NOT NULL) FROM vouchers");
    assert!(finds(&vouchers, key).await);
    assert_eq!(a.sessions.flush_touches().await.unwrap(), 0, "a background request is no use");
    for _ in 0..10 {
        assert!(vouchers.find(key, Use::Counts).await.unwrap().is_some());
    }
    assert!(!is_used());
    assert_eq!(a.sessions.flush_touches().await.unwrap(), 1);
    assert!(is_used());
    assert!(vouchers.find(key, Use::Counts).await.unwrap().is_some());
    assert_eq!(a.sessions.flush_touches().await.unwrap(), 0, "not twice within the interval");
    // Another instance reads that it was used a short time ago.
    let [b, _] = Instance::two_with(&db, hourly).await;
    let elsewhere = cache_of(&b);
    assert!(elsewhere.find(key, Use::Counts).await.unwrap().is_some());
    assert_eq!(b.sessions.flush_touches().await.unwrap(), 0);
}

#[actix_web::test]
async fn uses_that_could_not_be_written_are_written_later() {
    let db = TestDb::new();
    let ([a, _b], [vouchers, _]) = two(&db, Policy::default()).await;
    let key = issue(&db, principal_and_gate().0, "1 hour");
    assert!(vouchers.find(key, Use::Counts).await.unwrap().is_some());
    db.execute("ALTER TABLE vouchers RENAME TO moved");
    assert!(a.sessions.flush_touches().await.is_err());
    db.execute("ALTER TABLE moved RENAME TO vouchers");
    assert_eq!(a.sessions.flush_touches().await.unwrap(), 1);
}

#[actix_web::test]
async fn a_store_that_caches_nothing_caches_no_entries() {
    let db = TestDb::new();
    let (_instances, [vouchers, _]) = two(&db, Policy { cached: 0, ..Policy::default() }).await;
    let (ada, gate) = principal_and_gate();
    let (key, unknown) = (issue(&db, ada, "1 hour"), Key::generate().unwrap().hash());
    for asked in 1..4 {
        assert!(finds(&vouchers, key).await && !finds(&vouchers, unknown).await);
        assert_eq!(gate.queries(), asked);
    }
    assert_eq!((vouchers.cached(), vouchers.counts().unknown.get()), (0, 0));
}

#[actix_web::test]
async fn a_fault_is_not_remembered_as_unknown() {
    let db = TestDb::new();
    let (_instances, [vouchers, _]) = two(&db, Policy::default()).await;
    let key = issue(&db, principal_and_gate().0, "1 hour");
    db.execute("ALTER TABLE vouchers RENAME TO moved");
    assert!(vouchers.find(key, Use::Counts).await.is_err());
    db.execute("ALTER TABLE moved RENAME TO vouchers");
    assert!(finds(&vouchers, key).await, "and is not remembered as unknown");
}
