//! `google.protobuf.FieldMask`: paths joined by commas, in lowerCamelCase as JSON, in `snake_case` as message.
//!
//! A path that the two spellings cannot carry there and back is refused, for else it would name another field.

/// Turns a JSON path into a message path.
pub(crate) fn to_snake(path: &[u8], snake: &mut Vec<u8>) -> Option<()> {
    for &byte in path {
        match byte {
            b'A'..=b'Z' => snake.extend_from_slice(&[b'_', byte.to_ascii_lowercase()]),
            b'_' => return None,
            _ if !is_plain(byte) => return None,
            _ => snake.push(byte),
        }
    }
    Some(())
}

/// Turns a message path into a JSON path.
pub(crate) fn to_camel(path: &[u8], camel: &mut Vec<u8>) -> Option<()> {
    let mut bytes = path.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            // A comma would make two paths of one.
            b'A'..=b'Z' | b',' => return None,
            b'_' => match bytes.next() {
                Some(letter) if letter.is_ascii_lowercase() => camel.push(letter.to_ascii_uppercase()),
                _ => return None,
            },
            _ if !is_plain(byte) => return None,
            _ => camel.push(byte),
        }
    }
    Some(())
}

/// Whether a path may hold the byte: ASCII that needs no escape in JSON. That is more than names and dots, for `*` and
/// map keys stand in masks too.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn paths_are_spelled_both_ways() {
        let (mut snake, mut camel) = (Vec::new(), Vec::new());
        to_snake(b"order.totalPrice", &mut snake).unwrap();
        to_camel(&snake, &mut camel).unwrap();
        assert_eq!(snake, b"order.total_price");
        assert_eq!(camel, b"order.totalPrice");
    }

    #[test]
    fn paths_that_would_come_back_changed_are_refused() {
        for path in ["fooBar", "foo_3_bar", "foo__bar", "foo_"] {
            assert_eq!(to_camel(path.as_bytes(), &mut Vec::new()), None, "{path}");
        }
        assert_eq!(to_snake(b"foo_bar", &mut Vec::new()), None);
    }
}
