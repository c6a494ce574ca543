//! How much goes on one page of a list (AIP-158): the same for every list of every domain.

use prost::Message;

/// The size of a page if the request does not say one.
const DEFAULT_SIZE: usize = 50;
/// The largest page.
const MAX_SIZE: usize = 200;
/// The largest page in encoded bytes: well below what one message may be.
const MAX_BYTES: usize = 1024 * 1024;

/// How many items a page holds, by what the request says.
pub fn size(wanted: i32) -> usize {
    match usize::try_from(wanted) {
        Ok(0) | Err(_) => DEFAULT_SIZE,
        Ok(wanted) => wanted.min(MAX_SIZE),
    }
}

/// How many of `items` go on a page of `size`: as many as stay within its bytes (AIP-158 lets a page
/// be short), and one in any case.
pub fn fitting<M: Message>(items: &[M], size: usize) -> usize {
    let mut bytes = 0;
    let fits = |item: &&M| {
        let first = bytes == 0;
        bytes += item.encoded_len();
        first || bytes <= MAX_BYTES
    };
    items.iter().take(size).take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_size_even_if_none_is_said_and_never_too_large_a_one() {
        assert_eq!([-1, 0, 1, 200, 201, i32::MAX].map(size), [50, 50, 1, 200, 200, 200]);
    }

    #[test]
    fn a_page_is_cut_before_it_grows_too_large_for_a_message() {
        let of = |length: usize| "x".repeat(length);
        assert_eq!(fitting(&[of(1), of(2), of(3)], 2), 2);
        assert_eq!(fitting(&[of(MAX_BYTES / 2), of(MAX_BYTES / 2), of(1)], 3), 1);
        assert_eq!(fitting(&[of(MAX_BYTES * 2), of(1)], 2), 1);
        assert_eq!(fitting::<String>(&[], 2), 0);
    }
}
