//! The facts about a request that a decision needs.

use std::net::IpAddr;

/// A request for an app, as a decision sees it.
#[derive(Clone, Copy, Debug)]
pub struct AccessRequest<'a> {
    pub method: &'a str,
    /// As it was sent, without the query.
    pub path: &'a str,
    pub kind: RequestKind,
    /// The IP address of the client, as the trusted proxies report it.
    pub client: Option<IpAddr>,
    /// Whether the IP address may be that of a proxy that is not configured: the request has `X-Forwarded-For`, and no
    /// proxy is trusted.
    pub client_is_doubtful: bool,
    /// The header `Origin`.
    pub origin: Option<&'a str>,
    /// The header `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
}

/// How a browser sent a request. It decides the form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A page that is opened in a tab.
    Navigation,
    /// A form that is sent in a tab or frame.
    Form,
    /// A page that is opened in a frame.
    Frame,
    Websocket,
    /// A browser asks whether another site may send a request.
    Preflight,
    /// Any other request: scripts, images, downloads, programs.
    Script,
}

/// The headers that a decision reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestHeaders<'a> {
    pub origin: Option<&'a str>,
    pub fetch_site: Option<&'a str>,
    pub fetch_mode: Option<&'a str>,
    pub fetch_dest: Option<&'a str>,
    pub accept: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub upgrade: Option<&'a str>,
    pub requested_with: bool,
    pub requested_method: bool,
    pub forwarded_for: bool,
}

fn only<'a>(known: &mut Option<&'a str>, value: &'a str) {
    *known = Some(if known.is_some() { "" } else { value });
}

fn first<'a>(known: &mut Option<&'a str>, value: &'a str) {
    known.get_or_insert(value);
}

impl<'a> RequestHeaders<'a> {
    /// * `headers`: names in lower case, and values. A value that is not text must be given as an empty text.
    ///
    /// Browsers send `Origin` and `Sec-Fetch-…` once. If one of them occurs twice, the app might read the other value, so
    /// it counts as empty. Of the others, the first counts.
    pub fn read(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut read = Self::default();
        headers.for_each(|(name, value)| read.note(name, value));
        read
    }

    fn note(&mut self, name: &str, value: &'a str) {
        match name {
            "origin" => only(&mut self.origin, value),
            "sec-fetch-site" => only(&mut self.fetch_site, value),
            "sec-fetch-mode" => only(&mut self.fetch_mode, value),
            "sec-fetch-dest" => only(&mut self.fetch_dest, value),
            "accept" => first(&mut self.accept, value),
            "content-type" => first(&mut self.content_type, value),
            "upgrade" => first(&mut self.upgrade, value),
            "x-requested-with" => self.requested_with = true,
            "access-control-request-method" => self.requested_method = true,
            "x-forwarded-for" => self.forwarded_for = true,
            _ => {}
        }
    }

    /// Whether [`Self::read`] needs the header, so that the values of others need not be examined.
    pub fn reads(name: &str) -> bool {
        let mut read = Self::default();
        read.note(name, "");
        read != Self::default()
    }

    fn has_fetch_metadata(&self) -> bool {
        self.fetch_site.is_some() || self.fetch_mode.is_some() || self.fetch_dest.is_some()
    }

    /// Whether an old browser or a program requests a page.
    fn asks_for_html(&self) -> bool {
        let has_html =
            |accept: &str| accept.as_bytes().windows(9).any(|w| w.eq_ignore_ascii_case(b"text/html"));
        !self.has_fetch_metadata() && !self.requested_with && self.accept.is_some_and(has_html)
    }

    fn navigates_to(&self, destinations: &[&str]) -> bool {
        self.fetch_mode == Some("navigate")
            && self.fetch_dest.is_some_and(|dest| destinations.contains(&dest))
    }
}

impl RequestKind {
    /// * `has_body`: whether the request announces a body.
    pub fn of(method: &str, headers: &RequestHeaders<'_>, has_body: bool) -> Self {
        let reads = matches!(method, "GET" | "HEAD");
        if headers.upgrade.is_some_and(is_websocket) {
            Self::Websocket
        } else if method == "OPTIONS" && headers.origin.is_some() && headers.requested_method && !has_body {
            Self::Preflight
        } else if reads && (headers.navigates_to(&["document"]) || headers.asks_for_html()) {
            Self::Navigation
        } else if reads && headers.navigates_to(&["iframe", "frame", "embed", "object", "fencedframe"]) {
            Self::Frame
        } else if method == "POST"
            && (headers.navigates_to(&["document", "iframe", "frame"])
                || (headers.asks_for_html() && headers.content_type.is_some_and(is_form)))
        {
            Self::Form
        } else {
            Self::Script
        }
    }
}

fn is_websocket(upgrade: &str) -> bool {
    upgrade.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]
        .iter()
        .any(|form| essence.eq_ignore_ascii_case(form))
}

/// Whether a method must not change anything (RFC 9110 §9.2.1).
pub fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

impl<'a> AccessRequest<'a> {
    /// * `path`: as it was sent, without the query.
    /// * `client`: the IP address of the client, as `hops` trusted proxies report it.
    pub fn new(
        method: &'a str,
        path: &'a str,
        headers: &RequestHeaders<'a>,
        has_body: bool,
        client: Option<IpAddr>,
        hops: usize,
    ) -> Self {
        Self {
            method,
            path,
            kind: RequestKind::of(method, headers, has_body),
            client,
            client_is_doubtful: hops == 0 && headers.forwarded_for,
            origin: headers.origin,
            fetch_site: headers.fetch_site,
        }
    }

    /// A user opens `path` in a tab.
    pub fn navigation(path: &'a str, client: Option<IpAddr>) -> Self {
        Self {
            method: "GET",
            path,
            kind: RequestKind::Navigation,
            client,
            client_is_doubtful: false,
            origin: None,
            fetch_site: None,
        }
    }
}
