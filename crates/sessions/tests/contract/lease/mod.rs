//! Several instances on one database: after one of them has revoked a session, none serves it from memory, even if an
//! instance is slow, silent or dead. No test waits for a fixed time: locks, gates and signals cause the delays.

mod clocks;
mod instances;
mod leased;
mod lookups;
mod memory;
mod observers;
mod paused;
mod races;
mod restart;
mod revoking;
mod scoped_keys;
mod silence;
mod touches;
