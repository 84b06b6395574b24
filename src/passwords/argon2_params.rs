//! Computes one Argon2id hash: parameters, salt, PHC string and working memory. The hasher decides how many run at once.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use super::hash::OUTPUT_BYTES;
use super::{HashCost, PasswordHash};

/// Bytes of salt. NIST SP 800-63B-4 §3.1.1.2 requires 4, RFC 9106 recommends 16.
const SALT_BYTES: usize = 16;

/// The inputs of a hash besides the password: cost and salt.
#[derive(Clone)]
pub(crate) struct Argon2Params {
    params: Params,
    salt: Salt,
}

impl Argon2Params {
    /// Parameters with a random salt from the operating system.
    pub fn fresh(cost: &HashCost) -> Result<Self, HashingFailed> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| HashingFailed)?;
        Self::salted(cost, &salt)
    }

    /// Parameters of the same cost for a hash that is discarded, so the salt is fixed.
    pub fn dummy(cost: &HashCost) -> Result<Self, HashingFailed> {
        Self::salted(cost, &[0; SALT_BYTES])
    }

    fn salted(cost: &HashCost, salt: &[u8]) -> Result<Self, HashingFailed> {
        let params = cost.params().map_err(|_| HashingFailed)?;
        Ok(Self { params, salt: Salt::new(salt).map_err(|_| HashingFailed)? })
    }

    /// The memory that the hash needs, in blocks of 1 KiB.
    pub fn blocks(&self) -> usize {
        self.params.block_count()
    }

    /// Computes the hash of `password` in `memory`, which has at least [`Argon2Params::blocks`] blocks.
    pub fn derive(&self, password: &[u8], memory: &mut [Block]) -> Result<Zeroizing<Vec<u8>>, HashingFailed> {
        let mut out = Zeroizing::new(vec![0; self.params.output_len().unwrap_or(OUTPUT_BYTES)]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
            .hash_password_into_with_memory(password, &self.salt, &mut out, memory)
            .map_err(|_| HashingFailed)?;
        Ok(out)
    }

    /// The PHC string of these parameters and `output`.
    pub fn phc(&self, output: &[u8]) -> Result<PasswordHash, HashingFailed> {
        let phc = Phc {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&self.params).map_err(|_| HashingFailed)?,
            salt: Some(self.salt),
            hash: Some(Output::new(output).map_err(|_| HashingFailed)?),
        };
        Ok(PasswordHash::stored(phc.to_string()))
    }
}

/// A stored hash, parsed: its parameters and the expected output.
pub(crate) struct ParsedHash {
    pub params: Argon2Params,
    pub expected: Output,
}

impl ParsedHash {
    /// Parses a stored hash; `None` if it is not Argon2id v1.3 or exceeds the highest accepted cost.
    pub fn read(stored: &PasswordHash) -> Option<Self> {
        let phc = Phc::new(stored.as_str()).ok()?;
        if phc.algorithm != ARGON2ID_IDENT || phc.version != Some(Version::V0x13.into()) {
            return None;
        }
        let params = Params::try_from(&phc).ok()?;
        let (memory_kib, iterations, parallelism) = (params.m_cost(), params.t_cost(), params.p_cost());
        HashCost { memory_kib, iterations, parallelism }.params().ok()?;
        Some(Self { params: Argon2Params { params, salt: phc.salt? }, expected: phc.hash? })
    }

    /// Whether a new hash would have another cost or a longer salt (NIST SP 800-63B-4 §3.1.1.2: raise the cost over time;
    /// ASVS 5.0 11.2.2).
    pub fn is_outdated(&self, cost: &HashCost) -> bool {
        cost.params().is_ok_and(|today| today != self.params.params) || self.params.salt.len() < SALT_BYTES
    }
}

/// A hash could not be computed: the operating system gave no random bytes, or there is a bug.
#[derive(Debug)]
pub(crate) struct HashingFailed;

/// Working memory that is reused, because fresh pages cost a quarter of the time. Only holders of a permit borrow from it,
/// so it never has more pieces than there are permits.
pub(crate) struct MemoryPool {
    blocks: usize,
    spare: Mutex<Vec<Vec<Block>>>,
}

impl MemoryPool {
    /// Keeps pieces of the size that `params` need.
    pub fn for_params(params: &Argon2Params) -> Self {
        Self { blocks: params.blocks(), spare: Mutex::default() }
    }

    /// Runs `work` with at least `blocks` blocks and clears them afterwards, because the first blocks depend on the
    /// password through one cheap hash. A piece larger than usual, for an older and costlier hash, is freed.
    pub fn lend<T>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let usual = blocks <= self.blocks;
        let kept = if usual { self.spare().pop() } else { None };
        let mut piece = kept.unwrap_or_else(|| vec![Block::new(); blocks.max(self.blocks)]);
        let done = work(&mut piece);
        piece.fill(Block::new());
        if usual {
            self.spare().push(piece);
        }
        done
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_discarded_hash_costs_what_a_real_one_costs() {
        let cost = HashCost::default();
        let (real, dummy) = (Argon2Params::fresh(&cost).unwrap(), Argon2Params::dummy(&cost).unwrap());
        assert_eq!((real.params, real.salt.len()), (dummy.params, dummy.salt.len()));
    }

    #[test]
    fn working_memory_is_cleared_and_lent_again() {
        let memory = MemoryPool::for_params(
            &Argon2Params::dummy(&HashCost { memory_kib: 64, ..HashCost::default() }).unwrap(),
        );
        memory.lend(64, |blocks| blocks[0].as_mut().fill(7));
        assert_eq!(memory.spare().len(), 1);
        assert!(
            memory.lend(64, |blocks| blocks.iter().all(|block| block.as_ref().iter().all(|&word| word == 0)))
        );
        memory.lend(65, |blocks| assert_eq!(blocks.len(), 65));
        assert_eq!(memory.spare().len(), 1);
    }

    #[test]
    fn only_argon2id_of_bearable_cost_is_read() {
        let good =
            "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(ParsedHash::read(&PasswordHash::stored(good)).is_some());
        for (from, to) in [
            ("argon2id", "argon2i"),
            ("v=19", "v=16"),
            ("v=19$", ""),
            ("m=64", "m=4194304"),
            ("t=1", "t=4000000000"),
            ("p=1", "p=16777215"),
            ("$AAAA", ""),
            ("c2FsdHNhbHRzYWx0c2FsdA", ""),
            ("$argon2id", "argon2id"),
        ] {
            assert!(
                ParsedHash::read(&PasswordHash::stored(good.replacen(from, to, 1))).is_none(),
                "{from} → {to}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_stored_text_makes_reading_panic(text in "(\\$argon2id\\$v=19\\$)?[a-z0-9=,$+/]{0,80}|\\PC*") {
            let _ = ParsedHash::read(&PasswordHash::stored(text));
        }
    }
}
