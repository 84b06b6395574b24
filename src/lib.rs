//! Latchkey: the front door for web apps. People register, log in and see every device they are logged in
//! on; anything can be taken back at once. Login state lives in server-side sessions in Postgres.
//!
//! The rooms, each knowing only those to its left:
//!
//! ```text
//! secret ← config ← db ← (latchkey_sessions) ← mail ← accounts ← lab ← web ← cli ← main
//! ```
//!
//! * [`secret`]: keys derived from the one secret, sealing, mailed tokens.
//! * [`config`]: settings and every limit with its reason.
//! * [`db`]: the only door to Postgres; [`db::local`] brings one along.
//! * [`latchkey_sessions`]: an actix-session store that lists, rotates and revokes. Usable without the rest.
//! * [`mail`]: letters, and the outbox they wait in.
//! * [`accounts`]: people and their proofs, one operation a file.
//! * [`lab`]: a session and a JSON Web Token side by side, for `/compare` and `latchkey prove`.
//! * [`web`]: guards, routes, pages.
//! * [`cli`]: `latchkey serve` and its siblings.
//!
//! [`device`] names browsers; [`unicode`] judges what people type. These two use no other module.

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
pub mod maintenance;
pub mod notices;
pub mod passwords;
pub mod recovery;
pub mod registration;
pub mod secret;
pub mod throttle;
pub mod unicode;
pub mod users;
pub mod web;
