//! wip
pub mod accounts;
pub mod config;
pub mod db;
pub mod device;
pub mod mail;
pub mod secret;
pub mod sessions;
