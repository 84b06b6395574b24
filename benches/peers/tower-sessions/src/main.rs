//! tower-sessions with its Postgres store behind axum, as the store's documentation sets it up. The database is
//! named by the PG* variables, which sqlx reads itself.

use std::env;
use std::error::Error;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tower_sessions::{ExpiredDeletion, Expiry, Session, SessionManagerLayer, session};
use tower_sessions_sqlx_store::PostgresStore;
use tower_sessions_sqlx_store::sqlx::PgPool;
use tower_sessions_sqlx_store::sqlx::postgres::PgConnectOptions;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    name: &'a str,
    filler: &'a str,
}

async fn home(session: Session, State(filler): State<Arc<str>>) -> Result<Response, Failure> {
    let Some(name) = session.get::<String>("name").await? else {
        return Ok(Redirect::to("/login").into_response());
    };
    Ok(Html(HomePage { name: &name, filler: &filler }.render()?).into_response())
}

#[derive(Deserialize)]
struct LogIn {
    name: String,
}

async fn log_in(session: Session, Form(form): Form<LogIn>) -> Result<Redirect, Failure> {
    session.cycle_id().await?;
    session.insert("name", form.name).await?;
    Ok(Redirect::to("/home"))
}

/// Maps every error to a 500.
struct Failure;

impl From<session::Error> for Failure {
    fn from(_: session::Error) -> Self {
        Self
    }
}

impl From<askama::Error> for Failure {
    fn from(_: askama::Error) -> Self {
        Self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let filler: Arc<str> = "x".repeat(env::var("PAGE_FILLER")?.parse()?).into();
    let store = PostgresStore::new(PgPool::connect_with(PgConnectOptions::new()).await?);
    store.migrate().await?;
    tokio::spawn(store.clone().continuously_delete_expired(tokio::time::Duration::from_secs(60)));
    let sessions = SessionManagerLayer::new(store).with_expiry(Expiry::OnInactivity(time::Duration::days(1)));
    let app = Router::new()
        .route("/home", get(home))
        .route("/login", post(log_in))
        .layer(sessions)
        .with_state(filler);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", env::var("PORT")?.parse()?)).await?;
    axum::serve(listener, app).await?;
    Ok(())
}
