//! How messages print their enums.

use std::{fmt, marker::PhantomData};

/// The number of an enum `E`, printed as the value's name, or as the number if `E` does not list it.
pub struct EnumName<E>(i32, PhantomData<E>);

impl<E> EnumName<E> {
    /// The name of a number.
    pub fn of(number: i32) -> Self {
        Self(number, PhantomData)
    }
}

impl<E: TryFrom<i32> + fmt::Debug> fmt::Debug for EnumName<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match E::try_from(self.0) {
            Ok(value) => value.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EnumName;

    #[test]
    fn a_number_prints_as_its_name_if_it_has_one() {
        #[derive(Debug, prost::Enumeration)]
        #[repr(i32)]
        enum State {
            Placed = 1,
        }
        assert_eq!(format!("{:?}", [EnumName::<State>::of(State::Placed as i32), EnumName::of(9)]), "[Placed, 9]");
    }
}
