//! How many password hashes may run at once on this machine. Computed once, at start.

use super::HashCost;
use crate::config;

/// The budget in bytes if the system does not say how much memory there is (macOS, a sandbox): half of a small
/// container.
const UNKNOWN_BUDGET: u64 = 256 * 1024 * 1024;

/// Hashing may use one part in this many of the memory.
const SHARE: u64 = 2;

/// How many hashes may run at once: one per core if the memory suffices, and at least one (ASVS 5.0 15.1.3, 15.2.2:
/// bound costly work).
///
/// * `memory_budget_bytes`: the memory that hashing may use, see [`memory_budget`].
/// * `cost`: the cost of one hash.
/// * `cores`: cores this process may use, from `std::thread::available_parallelism`.
pub fn permits_for(memory_budget_bytes: u64, cost: HashCost, cores: usize) -> usize {
    let fitting = memory_budget_bytes / cost.memory_bytes().max(1);
    usize::try_from(fitting).unwrap_or(usize::MAX).min(cores).max(1)
}

/// The memory that hashing may use, in bytes.
pub fn memory_budget() -> u64 {
    budget(config::memory_limit())
}

fn budget(limit: Option<u64>) -> u64 {
    limit.map_or(UNKNOWN_BUDGET, |bytes| bytes / SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn permits_follow_the_scarcer_of_cores_and_memory_and_are_never_none() {
        let cost = HashCost::default();
        assert_eq!(permits_for(1024 * MIB, cost, 4), 4);
        assert_eq!(permits_for(64 * MIB, cost, 4), 3);
        assert_eq!(permits_for(0, cost, 4), 1);
        assert_eq!(permits_for(1024 * MIB, cost, 0), 1);
    }

    #[test]
    fn half_of_the_memory_is_for_hashing_and_a_small_budget_if_its_size_is_unknown() {
        assert_eq!(budget(Some(512 * MIB)), 256 * MIB);
        assert_eq!(budget(None), UNKNOWN_BUDGET);
    }
}
