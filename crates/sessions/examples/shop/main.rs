//! A shop: log in with a token, list your sessions, end one of them. `users.sql` is its own table.

use actix_session::{Session, SessionMiddleware};
use actix_web::error::{ErrorNotFound, ErrorUnauthorized};
use actix_web::web::{Data, Path};
use actix_web::{App, HttpServer, Result, cookie::Key, get, middleware::from_fn, post, services};
use diesel::{pg::PgConnection, prelude::*};
use latchkey_sessions::request::{self, Current};
use latchkey_sessions::{Fault, Handle, KeyHash, LiveSession, NewSession, Owner, Principal, Store};
use latchkey_sessions::{live_columns, live_sessions, owned, query_keys, schema::sessions};
use schema::{sha256, users};
use uuid::Uuid;

mod schema;

pub struct User(String);

impl Owner for User {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
        let live = live_sessions!(Self::KIND, query_keys(keys));
        let rows = live.inner_join(users::table.on(users::id.eq(sessions::principal)));
        owned(rows.select(live_columns!(users::name)).load(conn)?, |name| Ok(Self(name)))
    }
}

#[post("/login")]
pub async fn log_in(session: Session, store: Data<Store<User>>, token: String) -> Result<String> {
    let user = users::table.filter(users::token_hash.eq(sha256(token.into_bytes()))).select(users::id);
    let found = store.db().read(move |conn| Ok(user.clone().first::<Uuid>(conn).optional()?)).await?;
    let user = found.ok_or_else(|| ErrorUnauthorized("no such token"))?;
    Ok(store.log_in(&session, NewSession::new(Principal(user), "token")).await?.to_string())
}

#[get("/sessions")]
pub async fn list(Current(me): Current<User>, store: Data<Store<User>>) -> Result<String> {
    let list = store.list_of(me.record.principal).await?;
    Ok(list.at(me.moment()).map(|session| format!("{} {}\n", me.owner.0, session.handle)).collect())
}

#[post("/sessions/{handle}/revoke")]
pub async fn revoke(me: Current<User>, store: Data<Store<User>>, handle: Path<Uuid>) -> Result<&'static str> {
    let ended = store.end(me.0.record.principal, Handle(*handle)).await?;
    ended.then_some("ended").ok_or_else(|| ErrorNotFound("no such session"))
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    latchkey_sessions::migrate(&url).expect("the tables of the sessions");
    let (store, background) = Store::on(&url).owner::<User>().spawn();
    let key = Key::generate();
    let server = HttpServer::new(move || {
        let app = App::new().app_data(Data::new(store.clone())).service(services![log_in, list, revoke]);
        app.wrap(SessionMiddleware::new(store.clone(), key.clone())).wrap(from_fn(request::middleware))
    });
    server.bind("127.0.0.1:8080")?.run().await?;
    background.stop().await.map_err(std::io::Error::other)
}
