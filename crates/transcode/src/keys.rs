//! Notices a key that occurs twice in a map.
//!
//! Each open map has its keys on one stack, as 32 bits of hash and the place of the key in the output. When the map
//! closes, a small filter tells most maps to be free of repeats; the others are sorted, and only equal hashes need a
//! look at the keys. The hash is seeded at random, so nobody can choose keys that collide.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// Up to this many keys the filter is worth its while.
const FEW: usize = 64;
/// Words of the filter: with twelve keys, two of them share one of 4,096 bits once in sixty maps.
const FILTER: usize = 64;

#[derive(Default)]
pub(crate) struct Keys {
    stack: Vec<u64>,
    state: Option<RandomState>,
}

impl Keys {
    /// Opens a map; `most` is about how many keys all open maps can have together.
    #[inline]
    pub(crate) fn open(&mut self, most: usize) -> usize {
        if self.stack.capacity() == 0 {
            self.stack.reserve_exact(most);
        }
        self.stack.len()
    }

    /// The seeded hash of a key.
    #[inline(always)]
    pub(crate) fn hash(&mut self, key: &[u8]) -> u64 {
        self.state.get_or_insert_with(RandomState::default).hash_one(key)
    }

    /// Notes a key by its hash and its place in the output.
    #[inline(always)]
    pub(crate) fn push(&mut self, hash: u64, at: usize) {
        self.stack.push(hash & 0xffff_ffff_0000_0000 | at as u64);
    }

    /// Closes the map opened as `base`: whether two keys are the same. `key` gives the key of a place.
    pub(crate) fn close<'k>(&mut self, base: usize, key: impl Fn(usize) -> &'k [u8]) -> bool {
        let keys = &mut self.stack[base..];
        let twice = (keys.len() > FEW || !are_distinct(keys)) && {
            let same = |a: u64, b: u64| key(a as u32 as usize) == key(b as u32 as usize);
            keys.sort_unstable();
            // Different keys of one hash are rare, but then equal keys need not be neighbours.
            keys.chunk_by(|a, b| a >> 32 == b >> 32)
                .any(|run| (1..run.len()).any(|i| run[..i].iter().any(|other| same(*other, run[i]))))
        };
        self.stack.truncate(base);
        twice
    }

    /// Closes all maps.
    pub(crate) fn clear(&mut self) {
        self.stack.clear();
    }
}

/// Whether no two hashes agree, or share a bit of the filter; keys of one hash always do.
fn are_distinct(keys: &[u64]) -> bool {
    if keys.len() <= 4 {
        return (1..keys.len()).all(|i| keys[..i].iter().all(|other| other >> 32 != keys[i] >> 32));
    }
    let mut filter = [0u64; FILTER];
    keys.iter().all(|key| {
        let word = &mut filter[(key >> 58) as usize % FILTER];
        let bit = 1 << (key >> 52 & 63);
        let new = *word & bit == 0;
        *word |= bit;
        new
    })
}
