//! Finds a field or an enum value by name: one open-addressed table a message, built once.
//!
//! Only the schema fills the tables, so a stranger can look names up but not make them collide.

/// A slot: the place of a name in [`Names::text`] and what it names.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    at: u32,
    len: u32,
    target: u32,
}

const EMPTY: u32 = u32::MAX;

/// The slots of one message or enum.
#[derive(Clone, Copy, Default)]
pub(crate) struct Table {
    first: u32,
    mask: u32,
}

/// All tables, and the text that their names lie in.
#[derive(Default)]
pub(crate) struct Names {
    slots: Vec<Slot>,
    /// All names, ready to print.
    pub(crate) text: Vec<u8>,
}

/// A range of [`Names::text`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Text {
    pub(crate) at: u32,
    pub(crate) len: u32,
}

impl Names {
    /// Adds text and returns its place.
    pub(crate) fn add(&mut self, parts: &[&str]) -> Text {
        let at = self.text.len() as u32;
        for part in parts {
            self.text.extend_from_slice(part.as_bytes());
        }
        Text { at, len: self.text.len() as u32 - at }
    }

    pub(crate) fn get(&self, text: Text) -> &[u8] {
        &self.text[text.at as usize..(text.at + text.len) as usize]
    }

    /// Builds a table. The first of two equal names wins, as the first of two aliases does.
    pub(crate) fn table(&mut self, names: &[(Text, u32)]) -> Table {
        let size = (names.len() * 2).next_power_of_two().max(2);
        let first = self.slots.len();
        self.slots.resize(first + size, Slot { hash: 0, at: 0, len: 0, target: EMPTY });
        let table = Table { first: first as u32, mask: size as u32 - 1 };
        for &(name, target) in names {
            if self.find(table, self.get(name)).is_some() {
                continue;
            }
            let hash = hash(self.get(name));
            let mut i = hash & table.mask;
            while self.slots[(table.first + i) as usize].target != EMPTY {
                i = (i + 1) & table.mask;
            }
            self.slots[(table.first + i) as usize] = Slot { hash, at: name.at, len: name.len, target };
        }
        table
    }

    /// What `name` names.
    #[inline]
    pub(crate) fn find(&self, table: Table, name: &[u8]) -> Option<u32> {
        let hash = hash(name);
        let mut i = hash & table.mask;
        loop {
            let slot = self.slots[(table.first + i) as usize];
            if slot.target == EMPTY {
                return None;
            }
            let text = Text { at: slot.at, len: slot.len };
            if slot.hash == hash && slot.len as usize == name.len() && self.get(text) == name {
                return Some(slot.target);
            }
            i = (i + 1) & table.mask;
        }
    }
}

/// Mixes the length, the first eight and the last eight bytes: names of one message rarely agree in all three.
#[inline(always)]
fn hash(name: &[u8]) -> u32 {
    let (head, tail) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
    };
    let mixed = (head ^ tail.rotate_left(29) ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be() as u32 ^ (mixed >> 41) as u32
}
