//! Several instances over one database: what one of them takes back is gone from the memory of all when it says
//! so, whoever is slow, silent or dead meanwhile. Nothing waits for a fixed time: locks, gates and signals hold
//! things up.

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
