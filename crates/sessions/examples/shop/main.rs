//! A shop with a users table of its own: log in with a token, list your sessions, end one of them.

use actix_session::{Session, SessionMiddleware};
use actix_web::error::{ErrorNotFound, ErrorServiceUnavailable, ErrorUnauthorized};
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{App, HttpServer, Result, cookie::Key, get, middleware::from_fn, post};
use diesel::{connection::SimpleConnection as _, pg::PgConnection, prelude::*};
use diesel_migrations::MigrationHarness as _;
use latchkey_sessions::{
    Db, Fault, Handle, KeyHash, LiveSession, NewSession, Owner, PoolSettings, Principal, Store,
};
use latchkey_sessions::{live_columns, live_sessions, owned, query_keys, request, schema::sessions};
use uuid::Uuid;

diesel::table! { users (id) { id -> Uuid, name -> Text, token_hash -> Bytea, } }
diesel::define_sql_function!(fn sha256(token: diesel::sql_types::Binary) -> diesel::sql_types::Binary);
latchkey_sessions::joinable_with_sessions!(users);

pub const USERS: &str = "CREATE TABLE IF NOT EXISTS users
       (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, token_hash bytea NOT NULL UNIQUE);
   CREATE OR REPLACE TRIGGER announce AFTER UPDATE OR DELETE ON users
       FOR EACH ROW EXECUTE FUNCTION announce_change('id')";

pub struct User(String);

impl Owner for User {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
        let live = live_sessions!(Self::KIND, query_keys(keys));
        let rows = live.inner_join(users::table.on(users::id.eq(sessions::principal)));
        owned(rows.select(live_columns!(users::name)).load(conn)?, |name| Ok(Self(name)))
    }
}

#[post("/login")]
async fn log_in(session: Session, store: Data<Store<User>>, token: String) -> Result<&'static str> {
    let user = users::table.filter(users::token_hash.eq(sha256(token.into_bytes()))).select(users::id);
    let found = store.db().read(move |conn| Ok(user.clone().first::<Uuid>(conn).optional()?)).await;
    let user = found.map_err(ErrorServiceUnavailable)?.ok_or_else(|| ErrorUnauthorized("no such token"))?;
    store
        .log_in(&session, NewSession::new(Principal(user), "token"))
        .await
        .map_err(ErrorServiceUnavailable)?;
    Ok("logged in")
}

#[get("/sessions")]
async fn list(store: Data<Store<User>>) -> Result<String> {
    let me = request::loaded::<User>().ok_or_else(|| ErrorUnauthorized("log in first"))?;
    let list = store.list_of(me.record.principal).await.map_err(ErrorServiceUnavailable)?;
    Ok(list.at(me.moment()).map(|session| format!("{} {}\n", me.owner.0, session.handle)).collect())
}

#[post("/sessions/{handle}/revoke")]
async fn revoke(store: Data<Store<User>>, handle: Path<Uuid>) -> Result<&'static str> {
    let me = request::loaded::<User>().ok_or_else(|| ErrorUnauthorized("log in first"))?.record.principal;
    let sessions = store.clone();
    let ended = store.write(move |tx| sessions.revoke(tx, Handle(*handle), Some(me))).await;
    ended.map_err(ErrorServiceUnavailable)?.map(|_| "ended").ok_or_else(|| ErrorNotFound("no such session"))
}

pub fn routes(config: &mut ServiceConfig) {
    config.service(log_in).service(list).service(revoke);
}

pub fn migrate(conn: &mut PgConnection) {
    conn.run_pending_migrations(latchkey_sessions::MIGRATIONS).expect("migrations");
    conn.batch_execute(USERS).expect("the users table");
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    migrate(&mut PgConnection::establish(&url).expect("a connection"));
    let db = Db::new(&url, PoolSettings::default());
    let (store, background) = Store::builder(db).owner::<User>().spawn();
    let key = Key::generate();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::new(store.clone()))
            .configure(routes)
            .wrap(SessionMiddleware::new(store.clone(), key.clone()))
            .wrap(from_fn(request::middleware))
    });
    server.bind("127.0.0.1:8080")?.run().await?;
    background.stop().await.map_err(std::io::Error::other)
}
