//! Live connections of a run: the same lines behind its session and behind its token.
//!
//! The session's connection is a stream of the store ([`latchkey_sessions::Streams`]): a change marks it, and it writes
//! nothing until the session has been looked up again (`watch.rs`). The token's connection is that of a gateway that
//! verifies each request: the token is verified when the connection is opened, and never again.

mod open;
mod record;
mod registry;
mod watch;

pub use open::{OpenedStream, SessionGate, StreamRefusal};
pub use record::{EndCause, StreamEnding, StreamRecord, StreamSide};
pub use registry::{LabStreams, LineSource};
