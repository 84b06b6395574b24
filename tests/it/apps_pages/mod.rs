//! The pages about apps and groups: for administrators, and for users.

mod apps;
mod groups;
mod own_apps;
mod proxy_config;
mod rules;
mod settings;
mod support;
mod tryout;
