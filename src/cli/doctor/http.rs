//! The HTTP/1.1 requests of the doctor, with and without TLS, each on its own connection. Follows no redirects.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::Builder;
use tokio::spawn;
use tokio::time::timeout;
use tokio_native_tls::{TlsConnector, native_tls};
use url::Url;

const CONNECT_WITHIN: Duration = Duration::from_secs(4);

const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// More than any page of the server.
const MAX_BODY: usize = 1 << 20;

pub struct Response {
    pub status: u16,
    headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The value of each header line with this name. Values that are not UTF-8 are left out.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| str::from_utf8(value.as_bytes()).ok())
    }
}

/// A request, as it is sent.
pub struct RequestSpec<'a> {
    pub method: &'a str,
    /// Path and query, byte for byte; or a whole URL, for the absolute form.
    pub target: &'a str,
    /// In addition to those that every request has. `Host` and `Connection` replace ours.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Vec<u8>,
    /// Whether names of headers begin in upper case.
    pub title_case: bool,
    pub within: Duration,
}

impl<'a> RequestSpec<'a> {
    pub fn get(target: &'a str, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { method: "GET", target, headers, body: Vec::new(), title_case: false, within: ANSWER_WITHIN }
    }
}

/// Sends a GET request with additional headers. Blocks.
pub fn get(url: &Url, headers: &[(&str, &str)]) -> Result<Response, String> {
    send(url, RequestSpec::get(url.path(), headers))
}

/// Sends a request to the host of `url`. Blocks.
pub fn send(url: &Url, spec: RequestSpec<'_>) -> Result<Response, String> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let response = runtime.block_on(exchange_with(url, spec));
    // A name that is still being looked up must not delay the result.
    runtime.shutdown_background();
    response
}

async fn exchange_with(url: &Url, spec: RequestSpec<'_>) -> Result<Response, String> {
    let (within, title_case) = (spec.within, spec.title_case);
    let request = request(url, url.host_str().unwrap_or_default(), spec)?;
    let stream = open(url, within).await?;
    let answered = timeout(within, exchange(stream, request, title_case)).await;
    answered.map_err(|_| no_answer(within))?
}

fn no_answer(within: Duration) -> String {
    format!("no complete response within {} s", within.as_secs())
}

/// A connection to the server, with TLS or without.
pub trait DoctorConnection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> DoctorConnection for S {}

/// Connects to the host of `url`.
pub async fn open(url: &Url, within: Duration) -> Result<Box<dyn DoctorConnection>, String> {
    // The brackets of an IPv6 address are not part of the name to look up and to verify.
    let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let stream = connect(name, url.port_or_known_default().unwrap_or(443)).await?;
    if url.scheme() != "https" {
        return Ok(Box::new(stream));
    }
    let tls = native_tls::TlsConnector::new().map_err(|error| format!("no TLS: {error}"))?;
    let tls = TlsConnector::from(tls);
    let stream = timeout(within, tls.connect(name, stream)).await.map_err(|_| no_answer(within))?;
    Ok(Box::new(stream.map_err(|error| format!("TLS: {error}"))?))
}

/// Tries each address of the host.
async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses = resolve(host, port).await?;
    let mut last = format!("{host} has no address");
    for address in addresses {
        let connected = timeout(CONNECT_WITHIN, TcpStream::connect(address)).await;
        match connected.map_err(io::Error::from).flatten() {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("{host} port {port}: {error}"),
        }
    }
    Err(last)
}

/// Names below `localhost` are this machine (RFC 6761 §6.3), as in browsers, even if the resolver does not know them.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    if host.ends_with(".localhost") {
        let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Ok(loopback.map(|address| (address, port).into()).to_vec());
    }
    let found = lookup_host((host, port)).await;
    found.map(Iterator::collect).map_err(|error| format!("{host} cannot be resolved: {error}"))
}

fn request(url: &Url, host: &str, spec: RequestSpec<'_>) -> Result<Request<Full<Bytes>>, String> {
    let target: Uri = spec.target.parse().map_err(|error| format!("{}: {error}", spec.target))?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let is_given = |name: &str| spec.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let mut request = Request::builder().method(spec.method).uri(target);
    if !is_given("host") {
        request = request.header(HOST, authority);
    }
    request = request.header(USER_AGENT, "latchkey-doctor").header(ACCEPT, "*/*");
    if !is_given("connection") {
        request = request.header(CONNECTION, "close");
    }
    for (name, value) in spec.headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| error.to_string())?;
        request = request.header(*name, value);
    }
    request.body(Full::from(spec.body)).map_err(|error| error.to_string())
}

async fn exchange(
    stream: Box<dyn DoctorConnection>,
    request: Request<Full<Bytes>>,
    title_case: bool,
) -> Result<Response, String> {
    let (mut sender, connection) = http1::Builder::new()
        // A header line that a proxy broke must not fail the whole request.
        .ignore_invalid_headers_in_responses(true)
        .title_case_headers(title_case)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| explain(&error))?;
    // The request and the body report its errors.
    spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| explain(&error))?;
    let (head, body) = response.into_parts();
    let has_length = [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| head.headers.contains_key(name));
    let body = read(body, has_length).await?;
    Ok(Response { status: head.status.as_u16(), headers: head.headers, body })
}

async fn read(body: Incoming, has_length: bool) -> Result<Vec<u8>, String> {
    let mut body = Limited::new(body, MAX_BODY);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend(frame.into_data().unwrap_or_default()),
            Err(error) if error.is::<LengthLimitError>() => return Err("the response does not end".into()),
            // The end of the connection ends the body, and some servers close TLS without a close_notify.
            Err(_) if !has_length => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(bytes)
}

/// The error and its cause, which hyper leaves out.
fn explain(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    if error.is_parse() {
        return format!("the response is not HTTP: {error}{cause}");
    }
    format!("{error}{cause}")
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    /// The result of a request to a server that answers with these bytes, and the request that the server got.
    fn answered(bytes: &[u8], headers: &[(&str, &str)]) -> (Result<Response, String>, String) {
        answered_to(bytes, RequestSpec::get("/a/path", headers))
    }

    fn answered_to(bytes: &[u8], spec: RequestSpec<'_>) -> (Result<Response, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let bytes = bytes.to_vec();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = vec![0; 4096];
            let read = client.read(&mut request).unwrap();
            // The client may have read enough.
            let _ = client.write_all(&bytes);
            String::from_utf8(request[..read].to_vec()).unwrap()
        });
        let response = send(&url, spec);
        (response, server.join().unwrap())
    }

    #[test]
    fn every_line_of_a_repeated_header_is_seen() {
        let (plain, _) = answered(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a\r\nset-cookie: b\r\nX: \xc3\xa9\r\n\r\nhi",
            &[],
        );
        let plain = plain.unwrap();
        assert_eq!((plain.status, plain.body.as_slice()), (200, &b"hi"[..]));
        assert_eq!(plain.all("set-cookie").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(plain.header("x"), Some("é"));
    }

    #[test]
    fn a_body_ends_with_its_last_chunk_or_with_the_connection() {
        let (chunked, _) = answered(
            b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
            &[],
        );
        let chunked = chunked.unwrap();
        assert_eq!((chunked.status, chunked.body.as_slice()), (404, &b"abcd"[..]));
        let (endless, _) = answered(b"HTTP/1.0 200 OK\r\n\r\nall of it", &[]);
        assert_eq!(endless.unwrap().body, b"all of it");
        let (cut_off, _) = answered(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", &[]);
        assert!(cut_off.is_err());
    }

    #[test]
    fn another_protocol_and_a_body_without_an_end_are_errors() {
        let (ssh, _) = answered(b"SSH-2.0-OpenSSH\r\n\r\n", &[]);
        assert!(ssh.err().unwrap().starts_with("the response is not HTTP: "));
        let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        let (endless, _) = answered(&[head, vec![b'x'; MAX_BODY + 1]].concat(), &[]);
        assert_eq!(endless.err().unwrap(), "the response does not end");
    }

    #[test]
    fn a_request_carries_forged_headers() {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let (_, request) = answered(response, &[("X-Forwarded-For", "192.0.2.1")]);
        let request = request.to_lowercase();
        assert!(request.starts_with("get /a/path http/1.1\r\n"), "{request}");
        for line in ["host: 127.0.0.1:", "connection: close\r\n", "x-forwarded-for: 192.0.2.1\r\n"] {
            assert!(request.contains(line), "{request}");
        }
    }

    #[test]
    fn a_target_is_sent_byte_for_byte() {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        for target in ["/a%2fb//c/%2e%2e/./d?x=/../y&z=%25", "//a", "http://wiki.localhost:8080/a?b"] {
            let spec = RequestSpec { method: "POST", title_case: true, ..RequestSpec::get(target, &[]) };
            let (_, request) = answered_to(response, spec);
            assert!(request.starts_with(&format!("POST {target} HTTP/1.1\r\nHost: ")), "{request}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_response_makes_the_doctor_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let _ = answered(&[head.as_slice(), &bytes].concat(), &[]);
            let _ = answered(&bytes, &[]);
        }
    }
}
