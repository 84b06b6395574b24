//! The cost of a password hash, and a hash as it is stored.

use std::fmt;

use argon2::Params;

/// Bytes of a hash: as strong as SHA-256.
pub(super) const OUTPUT_BYTES: usize = 32;

/// The highest cost of a stored hash. A hash above it was not written by Latchkey, and computing it could exhaust the
/// machine.
const MOST: HashCost = HashCost { memory_kib: 256 * 1024, iterations: 16, parallelism: 16 };

/// The cost of one Argon2id hash. The defaults are OWASP's: 19 MiB, two passes, one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB. It makes guessing on graphics cards expensive.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub iterations: u32,
    /// Lanes. One, because a server uses its other cores for other requests.
    pub parallelism: u32,
}

impl Default for HashCost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 }
    }
}

impl HashCost {
    /// The memory of one running hash, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_kib) * 1024
    }

    /// Whether this meets the minimum of ASVS 5.0 (11.4.2, appendix C): 46 MiB in one pass, 19 MiB in two, 12 MiB in
    /// three or more. Only tests run below it.
    pub fn meets_floor(&self) -> bool {
        let floor_mib = match self.iterations {
            0 => return false,
            1 => 46,
            2 => 19,
            _ => 12,
        };
        self.memory_kib >= floor_mib * 1024 && self.parallelism >= 1
    }

    /// The parameters of the argon2 crate. Every hash, made or verified, uses them.
    pub(super) fn params(&self) -> Result<Params, UnsuitableCost> {
        let within = self.memory_kib <= MOST.memory_kib
            && self.iterations <= MOST.iterations
            && self.parallelism <= MOST.parallelism;
        let params = Params::new(self.memory_kib, self.iterations, self.parallelism, Some(OUTPUT_BYTES));
        params.ok().filter(|_| within).ok_or(UnsuitableCost(*self))
    }
}

/// Argon2id does not accept this cost, or hashes of this cost could not be verified again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsuitableCost(pub HashCost);

impl fmt::Display for UnsuitableCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HashCost { memory_kib, iterations, parallelism } = self.0;
        write!(
            f,
            "password hashing cannot cost {memory_kib} KiB, {iterations} iterations, {parallelism} lanes: use at least \
             8 KiB a lane and 1 iteration, at most {} KiB, {} iterations, {} lanes",
            MOST.memory_kib, MOST.iterations, MOST.parallelism
        )
    }
}

impl std::error::Error for UnsuitableCost {}

/// A password hash as a PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`), the form in which
/// the database stores it. No `Debug` or `Display`, so that it cannot get into a log.
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a hash from the database without checking it. [`Hasher::verify`] rejects an unreadable hash and reports it as
    /// [`Verification::unreadable`].
    ///
    /// [`Hasher::verify`]: crate::passwords::hasher::Hasher::verify
    /// [`Verification::unreadable`]: crate::passwords::hasher::Verification::unreadable
    pub fn stored(phc: impl Into<String>) -> Self {
        Self(phc.into())
    }

    /// Whether other software made it. Imported Argon2id hashes are stored with another prefix to tell them apart.
    pub fn is_legacy(&self) -> bool {
        !self.0.starts_with("$argon2id$")
    }

    /// The PHC string, for the query that writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_cost_is_owasps_and_meets_the_floor() {
        assert!(HashCost::default().meets_floor());
        let floor = |memory_mib: u32, iterations| {
            HashCost { memory_kib: memory_mib * 1024, iterations, parallelism: 1 }.meets_floor()
        };
        assert!(floor(46, 1) && floor(12, 3) && floor(12, 5));
        assert!(!floor(45, 1) && !floor(18, 2) && !floor(11, 3) && !floor(64, 0));
    }

    #[test]
    fn impossible_costs_are_refused() {
        for (memory_kib, iterations, parallelism) in
            [(7, 1, 1), (8, 0, 1), (8, 1, 0), (u32::MAX, 1, 1), (64, 1, 16)]
        {
            let cost = HashCost { memory_kib, iterations, parallelism };
            assert_eq!(cost.params(), Err(UnsuitableCost(cost)));
        }
    }
}
