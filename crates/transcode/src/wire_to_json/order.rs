//! Notices when fields do not come as a serializer writes them.

use super::Halt;
use crate::schema::{Field, Message, NO_ONEOF};

/// The fields of one message so far. A field that comes behind a higher one is fine as long as it is new; that is
/// known for the first 64 fields, and the first 64 oneofs. What is not known counts as out of order.
#[derive(Default)]
pub(super) struct Order {
    /// One more than the highest field so far.
    next: usize,
    fields: u64,
    oneofs: u64,
}

impl Order {
    /// One more than the highest field so far.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn next(&self) -> usize {
        self.next
    }

    /// Notes the field with local index `index`. With `ascending`, none may come behind a higher one.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn take(&mut self, message: &Message, field: &Field, index: usize, ascending: bool) -> Result<(), Halt> {
        let bit = if index < 64 { 1 << index } else { 0 };
        if index >= self.next {
            self.next = index + 1;
        } else if ascending || bit == 0 || self.fields & bit != 0 {
            return Err(Halt::Unordered);
        }
        self.fields |= bit;
        if field.oneof != NO_ONEOF {
            let oneof = field.oneof - message.count;
            if oneof >= 64 || self.oneofs >> oneof & 1 != 0 {
                return Err(Halt::Unordered);
            }
            self.oneofs |= 1 << oneof;
        }
        Ok(())
    }
}
