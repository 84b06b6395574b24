//! wip
pub mod config;
pub mod db;
pub mod mail;
pub mod secret;
pub mod sessions;
