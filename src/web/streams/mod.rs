//! Requests that are being passed on to apps, and what ends them: each is a stream of the store
//! ([`latchkey_sessions::Streams`]) from its decision until its last byte.
//!
//! A change of a session, user, app or rule marks the streams that it may concern, before the change is answered
//! (`live_streams.rs`). A marked stream passes nothing on until it has been decided again (`recheck.rs`): then it goes
//! on, or its connection fails.

mod credential;
mod facts;
mod gate;
mod live_streams;
mod recheck;

pub use credential::{Credential, CredentialId, LiveCredential};
pub use facts::{Destination, StreamFacts, StreamKey, ends_at};
pub use gate::StreamGate;
pub use live_streams::LiveStreams;
pub use recheck::start;
