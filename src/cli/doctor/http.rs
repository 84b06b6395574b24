//! A minimal HTTP/1.1 client for the doctor, with and without TLS. Follows no redirects.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use native_tls::TlsConnector;
use url::Url;

const CONNECT_WITHIN: Duration = Duration::from_secs(4);

const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// More than any page of the server.
const LONGEST: u64 = 1 << 20;

pub struct Response {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub fn get(url: &Url, headers: &[(&str, &str)]) -> Result<Response, String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let stream = connect(host, port)?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut request = format!(
        "GET {} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: latchkey-doctor\r\nAccept: */*\r\nConnection: close\r\n",
        url.path()
    );
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    if url.scheme() == "https" {
        let tls = TlsConnector::new().map_err(|error| format!("no TLS: {error}"))?;
        // The brackets of an IPv6 address are not part of the name to verify.
        let name = host.trim_matches(['[', ']']);
        let stream = tls.connect(name, stream).map_err(|error| format!("TLS: {error}"))?;
        exchange(stream, &request)
    } else {
        exchange(stream, &request)
    }
}

fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses = (host.trim_matches(['[', ']']), port)
        .to_socket_addrs()
        .map_err(|error| format!("{host} cannot be resolved: {error}"))?;
    let mut last = format!("{host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
            Ok(stream) => {
                let bounded = stream
                    .set_read_timeout(Some(ANSWER_WITHIN))
                    .and_then(|()| stream.set_write_timeout(Some(ANSWER_WITHIN)));
                return bounded.map(|()| stream).map_err(|error| error.to_string());
            }
            Err(error) => last = format!("{host} port {port}: {error}"),
        }
    }
    Err(last)
}

fn exchange(mut stream: impl Read + Write, request: &str) -> Result<Response, String> {
    let begun = Instant::now();
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let (mut bytes, mut some) = (Vec::new(), [0; 8192]);
    loop {
        match stream.read(&mut some) {
            Ok(0) => break,
            Ok(read) => bytes.extend_from_slice(&some[..read]),
            // Some servers close TLS without a close_notify.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(_) if parse(&bytes).is_some_and(|answer| is_whole(&answer)) => break,
            Err(error) => return Err(error.to_string()),
        }
        if bytes.len() as u64 > LONGEST || begun.elapsed() > ANSWER_WITHIN {
            return Err("the response does not end".into());
        }
        if parse(&bytes).is_some_and(|answer| is_whole(&answer)) {
            break;
        }
    }
    parse(&bytes).ok_or_else(|| "the response is not HTTP".into())
}

fn is_whole(answer: &Response) -> bool {
    let length = answer.header("content-length").and_then(|length| length.parse().ok());
    length.is_some_and(|length: usize| answer.body.len() >= length)
}

fn parse(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut answer = Response { status, headers, body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding").is_some_and(|encoding| encoding.contains("chunked")) {
        answer.body = unchunked(&answer.body);
    }
    Some(answer)
}

/// The chunks that have arrived.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = str::from_utf8(&rest[..end]).ok().and_then(|line| line.split(';').next());
        let size = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let Some(chunk) = size.filter(|size| *size > 0).and_then(|size| rest.get(end + 2..end + 2 + size))
        else {
            break;
        };
        whole.extend_from_slice(chunk);
        rest = rest.get(end + 4 + chunk.len()..).unwrap_or_default();
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_and_chunked_responses_are_parsed() {
        let plain =
            parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\nhi")
                .unwrap();
        assert_eq!((plain.status, plain.body.as_slice(), is_whole(&plain)), (200, &b"hi"[..], true));
        assert_eq!(plain.all("set-cookie").collect::<Vec<_>>(), ["a", "b"]);
        let chunked =
            parse(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\n\r\n").unwrap();
        assert_eq!((chunked.status, chunked.body.as_slice()), (404, &b"abcd"[..]));
        assert!(parse(b"SSH-2.0-OpenSSH\r\n\r\n").is_none());
    }

    proptest! {
        #[test]
        fn no_response_makes_parsing_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&[b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".as_slice(), &bytes].concat());
            let _ = parse(&bytes);
        }
    }
}
