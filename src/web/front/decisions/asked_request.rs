//! Reads the request that a proxy asks about, from one family of headers and nothing else. A proxy that describes it in
//! two ways is set up in a way that lets clients choose what is decided, so anything unusual is an error.

use std::net::IpAddr;

use actix_http::RequestHead;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::http::{Method, Uri};

use super::flavour::{Flavour, X_FORWARDED_METHOD, X_FORWARDED_URI, X_ORIGINAL_METHOD, X_ORIGINAL_URL};
use crate::web::http::client_address;

/// The request that the proxy asks about.
#[derive(Debug, PartialEq)]
pub struct AskedRequest {
    pub method: Method,
    pub is_https: bool,
    /// May contain a port, which does not matter.
    pub host: String,
    /// Path and query.
    pub target: Target,
    pub client: IpAddr,
}

/// The path and query of a request.
#[derive(Debug, PartialEq)]
pub enum Target {
    Read(Uri),
    /// It contains a byte that no URL contains there, such as `#`, so servers disagree about the path.
    Ambiguous,
}

/// The proxy does not describe the request as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MisreadHeader {
    pub name: HeaderName,
    pub why: &'static str,
}

impl AskedRequest {
    /// * `rest`: path and query behind the path of the decision, for Envoy.
    /// * `hops`: how many of the operator's proxies are in front.
    pub fn read(
        flavour: Flavour,
        head: &RequestHead,
        rest: &str,
        hops: usize,
    ) -> Result<Self, MisreadHeader> {
        let headers = &head.headers;
        let read = |name| Header::only(headers, name);
        let ((is_https, host), target) = match flavour {
            Flavour::Nginx => {
                let url = read(X_ORIGINAL_URL)?;
                let (is_https, rest) =
                    match (url.text.strip_prefix("https://"), url.text.strip_prefix("http://")) {
                        (Some(rest), _) => (true, rest),
                        (None, Some(rest)) => (false, rest),
                        (None, None) => return Err(url.is("not an https or http URL")),
                    };
                let path_at = rest.find('/').ok_or_else(|| url.is("a URL without a path"))?;
                let (host, target) = rest.split_at(path_at);
                ((is_https, url.host(host)?), url.target(target)?)
            }
            Flavour::Forward | Flavour::Haproxy => {
                let (host, uri) = (read(header::X_FORWARDED_HOST)?, read(X_FORWARDED_URI)?);
                ((scheme(headers)?, host.host(host.text)?), uri.target(uri.text)?)
            }
            Flavour::Envoy => {
                let host = read(header::HOST)?;
                ((scheme(headers)?, host.host(host.text)?), Target::of(rest))
            }
        };
        let method = match flavour {
            Flavour::Nginx => read(X_ORIGINAL_METHOD)?.method()?,
            Flavour::Forward | Flavour::Haproxy => read(X_FORWARDED_METHOD)?.method()?,
            Flavour::Envoy => head.method.clone(),
        };
        Ok(Self { method, is_https, host: host.to_owned(), target, client: client(headers, hops)? })
    }
}

fn scheme(headers: &HeaderMap) -> Result<bool, MisreadHeader> {
    let proto = Header::only(headers, header::X_FORWARDED_PROTO)?;
    match proto.text {
        "https" => Ok(true),
        "http" => Ok(false),
        _ => Err(proto.is("neither https nor http")),
    }
}

/// The only header of the family that may be a list: each proxy on the way appends to it.
fn client(headers: &HeaderMap, hops: usize) -> Result<IpAddr, MisreadHeader> {
    let name = header::X_FORWARDED_FOR;
    let why = if headers.contains_key(&name) { "without an IP address at that hop" } else { "missing" };
    client_address::forwarded(headers, hops).ok_or(MisreadHeader { name, why })
}

/// A header that occurs once, with a value in ASCII.
struct Header<'h> {
    name: HeaderName,
    text: &'h str,
}

impl<'h> Header<'h> {
    fn only(headers: &'h HeaderMap, name: HeaderName) -> Result<Self, MisreadHeader> {
        let mut values = headers.get_all(&name);
        let why = match (values.next(), values.next()) {
            (None, _) => "missing",
            (Some(_), Some(_)) => "doubled",
            (Some(value), None) => match value.to_str() {
                Ok("") => "empty",
                Ok(text) => return Ok(Self { name, text }),
                Err(_) => "not in ASCII",
            },
        };
        Err(MisreadHeader { name, why })
    }

    fn is(&self, why: &'static str) -> MisreadHeader {
        MisreadHeader { name: self.name.clone(), why }
    }

    /// `text`, if it is a host, with or without a port: no list, no user name, no path.
    fn host<'t>(&self, text: &'t str) -> Result<&'t str, MisreadHeader> {
        let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let is_host = !text.is_empty() && text.bytes().all(is_of_host);
        if is_host { Ok(text) } else { Err(self.is("without a host of its own")) }
    }

    fn target(&self, text: &str) -> Result<Target, MisreadHeader> {
        if !text.starts_with('/') {
            return Err(self.is("not a path"));
        }
        // No request line contains white space: two values were joined.
        if text.contains([' ', '\t']) {
            return Err(self.is("a list"));
        }
        Ok(Target::of(text))
    }

    fn method(&self) -> Result<Method, MisreadHeader> {
        Method::from_bytes(self.text.as_bytes()).map_err(|_| self.is("not a method"))
    }
}

impl Target {
    fn of(text: &str) -> Self {
        // The parser would cut the path there.
        if text.contains('#') {
            return Self::Ambiguous;
        }
        text.parse().map_or(Self::Ambiguous, Self::Read)
    }
}

#[cfg(test)]
mod tests;
