//! Passwords: what a new one must be, how they are hashed, and the hashes of other software.

mod argon2_params;
mod blocklist;
mod capacity;
mod folded;
mod hash;
pub mod hasher;
mod legacy_hash;
mod password;
mod patterns;
mod personal;
mod policy;
mod service;
mod strength;
mod weak_password;
mod weakness;

pub(crate) use argon2_params::{Argon2Params, HashingFailed, MemoryPool, ParsedHash};
pub use capacity::{memory_budget, permits_for};
pub use hash::{HashCost, PasswordHash, UnsuitableCost};
pub use hasher::{Hasher, HasherBusy, HasherLoad, HashesRefused};
pub(crate) use legacy_hash::LegacyHash;
pub use legacy_hash::{CostBound, LegacyHashError};
pub use password::{GIVEN_MAX_BYTES, Password};
pub use policy::PasswordPolicy;
pub use service::Passwords;
pub use strength::{Strength, strength};
pub use weak_password::WeakPassword;
