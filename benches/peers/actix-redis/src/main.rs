//! actix-session with its Redis store, as the crate's documentation sets it up.

use std::env;

use actix_session::storage::RedisSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::error::ErrorInternalServerError;
use actix_web::web::{self, Data, Form, Html, Redirect};
use actix_web::{App, Either, HttpServer, Responder};
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    name: &'a str,
    filler: &'a str,
}

struct Filler(String);

async fn home(session: Session, filler: Data<Filler>) -> actix_web::Result<impl Responder> {
    let Some(name) = session.get::<String>("name")? else {
        return Ok(Either::Left(Redirect::to("/login").see_other()));
    };
    let page = HomePage { name: &name, filler: &filler.0 }.render().map_err(ErrorInternalServerError)?;
    Ok(Either::Right(Html::new(page)))
}

#[derive(Deserialize)]
struct LogIn {
    name: String,
}

async fn log_in(session: Session, Form(form): Form<LogIn>) -> actix_web::Result<impl Responder> {
    session.renew();
    session.insert("name", form.name)?;
    Ok(Redirect::to("/home").see_other())
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let variable = |name| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let secret = Key::derive_from(variable("SESSION_SECRET").as_bytes());
    let store = RedisSessionStore::new(variable("REDIS_URL")).await.expect("Redis");
    let filler = Data::new(Filler("x".repeat(variable("PAGE_FILLER").parse().expect("a number"))));
    HttpServer::new(move || {
        App::new()
            .wrap(SessionMiddleware::new(store.clone(), secret.clone()))
            .app_data(filler.clone())
            .route("/home", web::get().to(home))
            .route("/login", web::post().to(log_in))
    })
    .bind(("127.0.0.1", variable("PORT").parse().expect("a port")))?
    .run()
    .await
}
