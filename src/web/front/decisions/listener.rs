//! What every decision of one worker shares, and what is logged of each.

use actix_web::http::Method;
use actix_web::web::Data;

use super::flavour::Flavour;
use crate::apps::HostOwner;
use crate::web::front::log_line::LogFields;
use crate::web::http::shared::Shared;

pub struct DecisionListener {
    pub shared: Data<Shared>,
    /// How many of the operator's proxies are in front.
    pub hops: usize,
}

/// The facts of a log line that are found while a decision is made.
#[derive(Default)]
pub struct DecisionLog {
    /// That of the request that is decided.
    pub method: Method,
    pub app: Option<HostOwner>,
    /// How the proxy asked.
    pub proxy: Option<Flavour>,
    pub fields: LogFields,
}
