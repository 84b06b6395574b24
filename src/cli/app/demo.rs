//! `latchkey app demo`: a small app to try Latchkey with. It shows what an app receives, and has an event stream and a
//! websocket.

mod echo;
mod pages;

use std::net::{Ipv4Addr, TcpListener};

use actix_web::rt::System;
use actix_web::{App, HttpServer, web};

use crate::apps::{AppOrigin, Slug};
use crate::cli::Failure;
use crate::config::Settings;

/// Serves until it is interrupted.
pub fn run(settings: &Settings, port: u16) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .map_err(|error| format!("cannot listen on port {port}: {error}; try another --port"))?;
    let upstream = format!("http://{}", listener.local_addr()?);
    print_line!("The demo app listens on {upstream}");
    print_line!("Put it behind a log-in with: latchkey app add demo --upstream {upstream}");
    if settings.is_local()
        && let Some(origin) =
            Slug::parse("demo").ok().and_then(|slug| AppOrigin::local(&slug, &settings.server.public))
    {
        print_line!("Then open {origin}");
    }
    System::new().block_on(async move {
        HttpServer::new(|| {
            App::new()
                .route("/", web::get().to(pages::who_am_i))
                .route("/events", web::get().to(pages::events))
                .route("/socket", web::get().to(echo::open))
        })
        .workers(1)
        .listen(listener)?
        .run()
        .await
    })?;
    Ok(())
}
