//! Support code of the tests.

pub mod app;
mod app_keys;
pub mod authenticator;
pub mod authenticator_app;
pub mod browser;
pub mod certificates;
pub mod chrome;
pub mod db;
pub mod files;
pub mod generated;
pub mod parts;
pub mod process;
pub mod statements;
pub mod subjects;
pub mod tokens;
pub mod upstream;
