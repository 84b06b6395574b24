//! The kinds of responses that last until one side ends them.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// An event stream, which the client reads.
    Events,
    /// A download whose client has stopped reading.
    Download,
    /// A websocket, which the client reads.
    Websocket,
}

impl StreamKind {
    pub const ALL: [Self; 3] = [Self::Events, Self::Download, Self::Websocket];

    /// Its path in the app.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Events => "/events",
            Self::Download => "/download",
            Self::Websocket => "/socket",
        }
    }

    pub(super) fn of_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.path() == path)
    }
}
