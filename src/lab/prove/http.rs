//! A minimal HTTP client for the instances: one kept connection, one request at a time.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any answer of the program may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// The host name of the portal, on every instance.
pub const PORTAL: &str = "localhost";

/// Our response headers are far smaller.
const MAX_HEADER_BYTES: usize = 16 * 1024;

pub struct HttpConnection {
    port: u16,
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

pub struct ProbeAnswer {
    pub status: u16,
    /// The target of a redirect.
    pub location: String,
    /// The first cookie that the answer sets, as a browser sends it.
    pub cookie: String,
    pub body: String,
}

impl ProbeAnswer {
    /// Whether the response redirects to this page of the portal, with any query.
    pub fn leads_to(&self, path: &str) -> bool {
        self.status == 303 && self.location.split('?').next() == Some(path)
    }
}

impl HttpConnection {
    pub fn new(port: u16) -> Self {
        Self { port, stream: None, received: Vec::new() }
    }

    pub async fn get(&mut self, path: &str, cookie: &str) -> Result<ProbeAnswer, Error> {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: {PORTAL}\r\ncookie: {cookie}\r\n\r\n")).await
    }

    /// Requests a page of `host` as a program with an access token does.
    pub async fn get_with_token(
        &mut self,
        host: &str,
        path: &str,
        token: &str,
    ) -> Result<ProbeAnswer, Error> {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n"))
            .await
    }

    /// Follows a link or redirect from another site, as a browser does.
    pub async fn navigate(&mut self, url: &str, cookie: &str) -> Result<ProbeAnswer, Error> {
        let (host, path) =
            url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap_or_default();
        self.send(&format!(
            "GET /{path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\nsec-fetch-site: cross-site\r\n\
             sec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n\r\n"
        ))
        .await
    }

    /// Posts a form like a browser on this page.
    pub async fn post(&mut self, path: &str, cookie: &str, form: &str) -> Result<ProbeAnswer, Error> {
        let length = form.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nhost: {PORTAL}\r\ncookie: {cookie}\r\norigin: http://{PORTAL}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
        ))
        .await
    }

    /// Never sends a request twice: a failed connection is dropped, and the next request opens another.
    async fn send(&mut self, request: &str) -> Result<ProbeAnswer, Error> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let answer = timeout(ANSWER_TIMEOUT, async {
            stream.write_all(request.as_bytes()).await?;
            self.receive(&mut stream).await
        });
        let answer = answer.await.map_err(|_| Error::from(ErrorKind::TimedOut))??;
        self.stream = Some(stream);
        Ok(answer)
    }

    async fn receive(&mut self, stream: &mut TcpStream) -> Result<ProbeAnswer, Error> {
        self.received.clear();
        let head_ends = loop {
            if stream.read_buf(&mut self.received).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some(at) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if self.received.len() > MAX_HEADER_BYTES {
                return Err(ErrorKind::InvalidData.into());
            }
        };
        let head = String::from_utf8_lossy(&self.received[..head_ends]).into_owned();
        let status = head.get(9..12).and_then(|digits| digits.parse().ok()).ok_or(ErrorKind::InvalidData)?;
        let length = header(&head, "content-length").and_then(|value| value.parse::<usize>().ok());
        let ends = head_ends + length.ok_or(ErrorKind::InvalidData)?;
        while self.received.len() < ends {
            if stream.read_buf(&mut self.received).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let location = header(&head, "location").unwrap_or_default().to_owned();
        let cookie = header(&head, "set-cookie").and_then(|value| value.split(';').next());
        let cookie = cookie.unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(&self.received[head_ends..ends]).into_owned();
        Ok(ProbeAnswer { status, location, cookie, body })
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let lines = head.split("\r\n").skip(1);
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
