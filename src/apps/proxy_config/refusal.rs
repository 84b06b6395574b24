//! Why no configuration is written.

/// Why there is no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyConfigRefusal {
    /// No app was named, and every app has an upstream.
    NoApps,
    /// One address of an app is https, another http, and both have this port.
    MixedPort(u16),
    /// The address of the decision listener is not `HOST:PORT`.
    Latchkey,
    /// A path contains characters that one of the proxies would read as more than a path.
    Path(&'static str),
}
