//! Several instances over one database: when one of them has revoked a session, none serves it from memory any more,
//! even if an instance is slow, silent or dead. Nothing waits for a fixed time: locks, gates and signals hold things up.

mod clocks;
mod instances;
mod lookups;
mod memory;
mod paused;
mod races;
mod restart;
mod revoking;
mod silence;
mod touches;
