//! Latchkey: a log-in server for web apps. Users register, log in, see every session, and end any of them at once.
//! Login state is kept in server-side sessions in Postgres.
//!
//! The modules are rooms; each imports only from rooms to its left:
//!
//! ```text
//! secret ← config ← db ← mail ← identity ← passwords ← audit ← throttle ← notices ← factors ← cleanup ← login
//!   ← recovery ← registration ← users ← maintenance ← groups ← apps ← tokens ← lab ← web ← cli
//! ```
//!
//! `docs/architecture.md` says what each one does. [`accounts`] composes the services from [`passwords`] to
//! [`tokens`]; [`device`] and [`unicode`] import nothing. [`latchkey_sessions`] can be used without the rest.

pub mod accounts;
pub mod apps;
pub mod audit;
pub mod cleanup;
pub mod cli;
pub mod config;
pub mod db;
pub mod device;
pub mod factors;
pub mod groups;
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
pub mod tokens;
pub mod unicode;
pub mod users;
pub mod web;
