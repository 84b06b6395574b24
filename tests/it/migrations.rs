//! Migrations: each is applied, reverted and applied again; instances that start at once do not disturb each other; and
//! `schema.rs` matches the database.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use diesel::connection::SimpleConnection as _;
use diesel::migration::{Migration, MigrationSource as _};
use diesel::pg::{Pg, PgConnection};
use diesel::sql_types::{Bool, Text};
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use diesel_migrations::MigrationHarness as _;
use latchkey::db::migrations;
use uuid::Uuid;

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::process::Latchkey;

fn emptied() -> TestDb {
    let db = TestDb::new();
    db.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    db
}

fn all() -> Vec<Box<dyn Migration<Pg>>> {
    migrations::ComposedMigrations.migrations().unwrap()
}

/// The versions of the migrations that version 18 does not have.
fn since_version_18() -> Vec<String> {
    let versions = all().into_iter().map(|migration| migration.name().version().to_string());
    versions.filter(|version| version.as_str() >= "20261130").collect()
}

#[test]
fn each_migration_goes_up_down_and_up_again() {
    let mut conn = emptied_connection();
    let (_db, conn) = (&conn.0, &mut conn.1);
    for migration in &all() {
        let before = picture(conn);
        conn.run_migration(migration).unwrap();
        let after = picture(conn);
        assert_ne!(before, after, "{} changes nothing", migration.name());
        conn.revert_migration(migration).unwrap();
        assert_eq!(picture(conn), before, "{} leaves something behind", migration.name());
        conn.run_migration(migration).unwrap();
        assert_eq!(picture(conn), after, "{}", migration.name());
    }
    for migration in all().iter().rev() {
        conn.revert_migration(migration).unwrap();
    }
    let empty = "__diesel_schema_migrations";
    assert!(picture(conn).lines().all(|line| line.contains(empty)), "{}", picture(conn));
}

/// Managed databases offer no superuser.
#[test]
fn an_owner_who_is_no_superuser_brings_up_the_schema_and_erases_what_is_personal() {
    let mut conn = emptied_connection();
    let (db, conn) = (&conn.0, &mut conn.1);
    // A unique name, because roles belong to the whole server.
    let owner = format!("owner_{}", Uuid::new_v4().simple());
    db.execute(&format!(
        "CREATE ROLE {owner} NOSUPERUSER NOCREATEDB NOCREATEROLE; ALTER SCHEMA public OWNER TO {owner}; \
         ALTER TABLE __diesel_schema_migrations OWNER TO {owner}"
    ));
    conn.batch_execute(&format!("SET SESSION AUTHORIZATION {owner}")).unwrap();
    for migration in &all() {
        conn.run_migration(migration).unwrap_or_else(|error| panic!("{error}"));
    }
    let who = Uuid::new_v4();
    conn.batch_execute(&format!(
        "INSERT INTO users (id, email, email_key, name) VALUES ('{who}', 'ada@example.org', 'ada@example.org', 'Ada'); \
         INSERT INTO audit_events (act, actor, subject, address) VALUES ('logged-in', '{who}', '{who}', '192.0.2.1')"
    ))
    .unwrap();
    // As every version of the program erases.
    conn.batch_execute(&format!(
        "BEGIN; DELETE FROM users WHERE id = '{who}'; INSERT INTO audit_events (act, subject) VALUES ('deleted', '{who}'); \
         SELECT audit_erase('{who}', 'ada@example.org')"
    ))
    .unwrap();
    assert_eq!(
        lines(conn, "SELECT act || address AS line FROM audit_events ORDER BY id"),
        ["logged-in", "deleted"]
    );
    // Erasing is allowed only while the function runs.
    let why = conn.batch_execute("UPDATE audit_events SET address = '', user_agent = ''").unwrap_err();
    assert!(why.to_string().contains("only grows"), "{why}");
    conn.batch_execute("ROLLBACK; RESET SESSION AUTHORIZATION").unwrap();
    db.execute(&format!("DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}"));
}

/// During an upgrade, and after going back, the previous version works with the schema of the next one.
#[test]
fn no_newer_migration_takes_anything_away_or_demands_anything_new_of_what_there_was() {
    let mut conn = emptied_connection();
    let (_db, conn) = (&conn.0, &mut conn.1);
    let all = all();
    let (older, newer) = all.split_at(all.len() - since_version_18().len());
    for migration in older {
        conn.run_migration(migration).unwrap();
    }
    for migration in newer {
        let before = picture(conn);
        conn.run_migration(migration).unwrap();
        only_adds(&migration.name().to_string(), &before, &picture(conn));
    }
}

fn only_adds(migration: &str, before: &str, after: &str) {
    // A trigger counts as the same if only the arguments of its function change.
    let kept: Vec<_> = after.lines().map(without_arguments).collect();
    for line in before.lines().map(without_arguments) {
        assert!(kept.contains(&line), "{migration} takes away: {line}");
    }
    let added = after.lines().filter(|line| !before.lines().any(|known| known == *line));
    for line in added {
        let of_old_table = |what: &str| {
            let table = line.strip_prefix(what).and_then(|rest| rest.split(['.', ' ']).next());
            table.is_some_and(|table| before.lines().any(|known| known.starts_with(&format!("r {table}."))))
        };
        let demands = of_old_table("column ") && line.ends_with(" NO ") || of_old_table("constraint ");
        assert!(!demands, "{migration} demands what the version before does not give: {line}");
    }
}

#[actix_web::test]
async fn reverting_and_reapplying_the_last_migration_logs_no_user_out() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let browser = app.logged_in(&ada).await;
    let migrations = all();
    let newest = migrations.last().unwrap();
    let lived_in = |app: &TestApp| -> String {
        app.db.scalar(
            "SELECT concat((SELECT count(*) FROM users), ' ', (SELECT count(*) FROM sessions WHERE revoked_at IS NULL), ' ', \
             (SELECT count(*) FROM audit_chain))",
        )
    };
    let before = lived_in(&app);
    app.db.connect().revert_migration(newest).unwrap();
    assert_eq!(lived_in(&app), before);
    let latchkey = Latchkey::on(&app.db.url());
    let running = latchkey.serve_ready().await;
    running.logged("schema migrated").await;
    let mut again = running.browser();
    again.cookies = browser.cookies.clone();
    assert!(again.is_in().await);
    assert_eq!(lived_in(&app), before);
}

#[test]
fn the_program_applies_every_migration_in_the_two_directories() {
    let db = emptied();
    let applied = migrations::run(&db.url()).unwrap();
    let directories = ["migrations", "crates/sessions/migrations"];
    assert_eq!(applied, Vec::from_iter(versions_below(&directories)));
    assert!(migrations::run(&db.url()).unwrap().is_empty());
}

#[test]
fn instances_that_migrate_an_empty_database_at_once_all_succeed_and_one_does_the_work() {
    let db = emptied();
    let (url, together) = (db.url(), Barrier::new(4));
    let applied: Vec<usize> = thread::scope(|scope| {
        let run = || {
            together.wait();
            migrations::run(&url).unwrap().len()
        };
        let instances: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        instances.into_iter().map(|instance| instance.join().unwrap()).collect()
    });
    assert_eq!(applied.iter().filter(|count| **count == 0).count(), 3, "{applied:?}");
    assert_eq!(applied.iter().sum::<usize>(), all().len());
}

#[test]
fn a_migration_that_fails_changes_nothing_and_lets_the_next_instance_try() {
    let db = emptied();
    // The first migration cannot create its table.
    db.execute("CREATE TABLE sessions (in_the_way text)");
    let why = migrations::run(&db.url()).unwrap_err().to_string();
    assert!(why.starts_with("migration failed: "), "{why}");
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM __diesel_schema_migrations"), 0);
    db.execute("DROP TABLE sessions");
    assert_eq!(migrations::run(&db.url()).unwrap().len(), all().len());
}

/// The tables of the sessions are in the `schema.rs` of their crate.
#[test]
fn both_files_schema_rs_are_what_diesel_would_print() {
    let db = TestDb::new();
    let sessions = |table: &str| ["listeners", "session_keys", "sessions"].contains(&table);
    let ours = print_schema(&mut db.connect(), |table| !sessions(table));
    assert_eq!(include_str!("../../src/db/schema.rs"), ours);
    let theirs = print_schema(&mut db.connect(), sessions);
    assert_eq!(include_str!("../../crates/sessions/src/schema.rs"), theirs);
}

/// Version 18 was the last with one directory of migrations. The fixtures contain its files where they differ.
fn schema_of_version_18(conn: &mut PgConnection) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = ["migrations", "tests/it/fixtures/migrations_18"]
        .iter()
        .flat_map(|directory| fs::read_dir(root.join(directory)).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.as_str() < "2026-11-30")
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 17, "{names:?}");
    for name in names {
        let then = root.join("tests/it/fixtures/migrations_18").join(&name).join("up.sql");
        let file = if then.exists() { then } else { root.join("migrations").join(&name).join("up.sql") };
        let version = name.split('_').next().unwrap().replace('-', "");
        conn.batch_execute(&format!(
            "BEGIN; {}; INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}'); COMMIT",
            fs::read_to_string(file).unwrap()
        ))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn a_database_of_version_18_is_upgraded_to_the_schema_of_a_fresh_one() {
    let (old, mut conn) = emptied_connection();
    schema_of_version_18(&mut conn);
    let state = migrations::state(&mut conn).unwrap();
    assert_eq!((&state.pending, state.unknown), (&since_version_18(), Vec::new()));
    assert_eq!(migrations::run(&old.url()).unwrap(), state.pending);
    let fresh = emptied();
    migrations::run(&fresh.url()).unwrap();
    let mut there = fresh.connect();
    assert_eq!(picture(&mut conn), picture(&mut there));
    assert_eq!(function_bodies(&mut conn), function_bodies(&mut there));
    for conn in [&mut conn, &mut there] {
        let state = migrations::state(conn).unwrap();
        assert_eq!((state.pending, state.unknown), (Vec::new(), Vec::new()));
    }
}

#[test]
fn going_back_to_version_18_makes_its_schema() {
    let (_old, mut conn) = emptied_connection();
    schema_of_version_18(&mut conn);
    let before = (picture(&mut conn), function_bodies(&mut conn));
    let newer = all().split_off(all().len() - since_version_18().len());
    newer.iter().for_each(|migration| drop(conn.run_migration(migration).unwrap()));
    newer.iter().rev().for_each(|migration| drop(conn.revert_migration(migration).unwrap()));
    assert_eq!((picture(&mut conn), function_bodies(&mut conn)), before);
}

#[test]
fn the_tables_of_the_application_announce_by_their_ids() {
    let db = TestDb::new();
    let mut listening = db.connect();
    db.execute("INSERT INTO users (email, email_key, name) VALUES ('a@example.org', 'a@example.org', 'Ada')");
    db.execute(
        "INSERT INTO lab_runs (key_hash, address, expires_at) VALUES (sha256('x'), '192.0.2.1', now() + interval '1 hour')",
    );
    let ids =
        ["users", "lab_runs"].map(|table| db.scalar::<String>(&format!("SELECT id::text FROM {table}")));
    listening.batch_execute("LISTEN latchkey").unwrap();
    for table in ["users", "lab_runs"] {
        listening.batch_execute(&format!("UPDATE {table} SET role = 'admin'")).unwrap();
    }
    listening.batch_execute("DELETE FROM users").unwrap();
    let heard: Vec<String> = listening.notifications_iter().map(|heard| heard.unwrap().payload).collect();
    let [user, run] = ids;
    assert_eq!(heard, [user.clone(), run, user]);
}

// ------------------------------------------------------------------------------------- the tools

fn emptied_connection() -> (TestDb, PgConnection) {
    let db = emptied();
    let mut conn = db.connect();
    // Creates diesel's own table.
    conn.pending_migrations(migrations::ComposedMigrations).unwrap();
    (db, conn)
}

/// The versions of the directories' migrations, in order.
fn versions_below(directories: &[&str]) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = directories.iter().flat_map(|directory| fs::read_dir(root.join(directory)).unwrap());
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| name.split('_').next().unwrap().replace('-', "")).collect()
}

fn without_arguments(line: &str) -> &str {
    line.split_once("EXECUTE FUNCTION announce_change(").map_or(line, |(trigger, _)| trigger)
}

/// The source of every function of ours.
fn function_bodies(conn: &mut PgConnection) -> Vec<String> {
    lines(
        conn,
        "SELECT format('%s %s', oid::regprocedure, prosrc) AS line FROM pg_proc
         WHERE pronamespace = 'public'::regnamespace ORDER BY line",
    )
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn lines(conn: &mut PgConnection, query: &str) -> Vec<String> {
    let rows: Vec<Line> = sql_query(query).load(conn).unwrap_or_else(|error| panic!("{query}: {error}"));
    rows.into_iter().map(|row| row.line).collect()
}

/// Every relation, column, constraint, index, function and trigger of ours, one per line.
fn picture(conn: &mut PgConnection) -> String {
    conn.batch_execute("SET search_path TO public").unwrap();
    lines(
        conn,
        "SELECT line FROM (
           SELECT format('%s %s.%s', c.relkind, c.relname, coalesce(array_to_string(c.reloptions, ','), '')) AS line
             FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
           UNION ALL
           SELECT format('column %s.%s %s %s %s%s', table_name, column_name, udt_name, is_nullable, column_default, identity_generation)
             FROM information_schema.columns WHERE table_schema = 'public'
           UNION ALL
           SELECT format('constraint %s %s', conrelid::regclass, pg_get_constraintdef(oid))
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace
           UNION ALL
           SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = 'public'
           UNION ALL
           SELECT format('function %s', p.oid::regprocedure) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
           UNION ALL
           SELECT format('trigger %s', pg_get_triggerdef(t.oid)) FROM pg_trigger t WHERE NOT t.tgisinternal
         ) AS everything ORDER BY line",
    )
    .join("\n")
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    column: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
    #[diesel(sql_type = Bool)]
    in_key: bool,
}

/// The output of `diesel print-schema` with our diesel.toml, as far as we use it.
fn print_schema(conn: &mut PgConnection, wanted: impl Fn(&str) -> bool) -> String {
    let columns: Vec<Column> = sql_query(
        "SELECT c.relname::text AS \"table\", a.attname::text AS \"column\",
                CASE WHEN t.typelem <> 0 AND t.typcategory = 'A' THEN 'Array<Nullable<' || initcap(e.typname) || '>>'
                     ELSE initcap(t.typname) END AS kind,
                NOT a.attnotnull AS nullable, a.attnum = ANY (coalesce(k.conkey, '{}')) AS in_key
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = t.typelem
         LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           AND c.relname NOT LIKE '\\_\\_diesel%'
         ORDER BY c.relname, a.attnum",
    )
    .load(conn)
    .unwrap();
    let mut tables: BTreeMap<&str, Vec<&Column>> = BTreeMap::new();
    for column in columns.iter().filter(|column| wanted(&column.table)) {
        tables.entry(&column.table).or_default().push(column);
    }
    let mut out = "// @generated automatically by Diesel CLI.\n".to_owned();
    for (table, columns) in &tables {
        let key: Vec<_> =
            columns.iter().filter(|column| column.in_key).map(|column| column.column.as_str()).collect();
        write!(out, "\ndiesel::table! {{\n    {table} ({}) {{\n", key.join(", ")).unwrap();
        for Column { column, kind, nullable, .. } in columns {
            let kind = if *nullable { format!("Nullable<{kind}>") } else { kind.clone() };
            writeln!(out, "        {column} -> {kind},").unwrap();
        }
        out.push_str("    }\n}\n");
    }
    // Tables that refer to the primary key of another one once, through one column; diesel leaves the others out.
    let mut joinable = lines(
        conn,
        "SELECT format('diesel::joinable!(%s -> %s (%s));', conrelid::regclass, confrelid::regclass, min(attname)) AS line
         FROM pg_constraint c JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
         WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conrelid <> confrelid
         GROUP BY conrelid, confrelid HAVING count(*) = 1 AND bool_and(cardinality(conkey) = 1 AND EXISTS (
             SELECT FROM pg_constraint p WHERE p.contype = 'p' AND p.conrelid = c.confrelid AND p.conkey = c.confkey))
         ORDER BY conrelid::regclass::text, confrelid::regclass::text",
    );
    joinable.retain(|line| line.split(['(', ' ']).nth(1).is_some_and(&wanted));
    if !joinable.is_empty() {
        write!(out, "\n{}\n", joinable.join("\n")).unwrap();
    }
    // A short list is printed on one line.
    let names: Vec<&str> = tables.keys().copied().collect();
    let (open, between, close) = if names.len() > 3 { ("\n    ", ",\n    ", ",\n") } else { ("", ", ", ",") };
    let list = names.join(between);
    write!(out, "\ndiesel::allow_tables_to_appear_in_same_query!({open}{list}{close});\n").unwrap();
    out
}
