//! Latchkey: the front door for web apps. Users register, log in, see every device they are logged in on, and end any
//! session at once. Login state lives in server-side sessions in Postgres.
//!
//! Each room imports only from rooms to its left; `docs/architecture.md` describes them:
//!
//! ```text
//! secret ← config ← db ← mail ← identity ← … ← users ← accounts ← lab ← web ← cli ← main
//! ```
//!
//! * [`secret`]: keys derived from the one secret, sealing, mailed tokens.
//! * [`config`]: settings and every limit with its reason.
//! * [`db`]: access to Postgres; [`db::local`] starts a private server.
//! * [`latchkey_sessions`]: an actix-session store that lists, rotates and revokes. Usable without the rest.
//! * [`mail`]: emails, and the outbox they wait in.
//! * [`accounts`]: composes the services of the rooms from [`identity`] to [`users`], which hold the domain.
//! * [`lab`]: a session and a JSON Web Token side by side, for `/compare` and `latchkey prove`.
//! * [`web`]: guards, routes, pages, and every sentence that users read.
//! * [`cli`]: `latchkey serve` and the other commands.
//!
//! [`device`] names browsers; [`unicode`] checks what users type. These two use no other module.

pub mod accounts;
pub mod audit;
pub mod cleanup;
pub mod cli;
pub mod config;
pub mod db;
pub mod device;
pub mod factors;
pub mod identity;
pub mod lab;
pub mod login;
pub mod mail;
pub mod notices;
pub mod passwords;
pub mod secret;
pub mod throttle;
pub mod unicode;
pub mod users;
pub mod web;
