//! Every test of the product, in one binary: one link, one private Postgres.

mod db;
mod deploy_files;
mod local_cluster;
mod log_in;
mod sessions;
mod support;
