//! For the doctor: shows what an upstream would receive, without sending it, and whether it can be reached.

use actix_http::RequestHead;

use super::connect;
use super::error::ProxyError;
use super::identity::Identity;
use super::outgoing_head::OutgoingHead;
use super::request_headers::{self, BodyLength, RequestFacts};
use super::target;
use super::transport::{ClientFacts, Transport};
use crate::apps::App;

/// A request as the upstream of an app receives it.
pub struct UpstreamRequest {
    pub method: String,
    pub target: String,
    /// In the order in which they are sent.
    pub headers: Vec<(String, String)>,
}

/// Applies the rules for requests that are passed on.
pub fn preview(
    app: &App,
    head: &RequestHead,
    identity: &Identity<'_>,
    client: &ClientFacts<'_>,
) -> Result<UpstreamRequest, ProxyError> {
    let facts = RequestFacts {
        app,
        upstream: app.upstream.as_ref().ok_or(ProxyError::NoUpstream)?,
        identity: Some(identity),
        client: client.address,
        origin: client.origin,
        body: BodyLength::announced(&head.headers),
    };
    let target = target::of(head)?;
    let mut out = OutgoingHead::new(head.method.as_str(), &target);
    request_headers::write(&head.headers, &facts, &mut out)?;
    Ok(UpstreamRequest {
        method: head.method.to_string(),
        headers: out.headers().collect(),
        target: target.into_owned(),
    })
}

impl Transport {
    /// Opens a connection to the upstream of an app and closes it.
    pub async fn reach(&self, app: &App) -> Result<(), ProxyError> {
        let upstream = app.upstream.as_ref().ok_or(ProxyError::NoUpstream)?;
        let _counted = self.0.shared.count_connection().ok_or(ProxyError::TooManyConnections)?;
        connect::connect(upstream, &self.0.shared, app.limits.connect).await.map(drop)
    }
}
