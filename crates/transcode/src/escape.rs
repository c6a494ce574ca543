//! Text between quotes, for names and parameters; values are escaped as they are copied.

/// `text` as it stands in a JSON string.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c < ' ' => {
                let hex = |nibble| char::from_digit(nibble, 16).unwrap_or('0');
                escaped.push_str("\\u00");
                escaped.extend([hex(c as u32 >> 4), hex(c as u32 & 15)]);
            }
            c => escaped.push(c),
        }
    }
    escaped
}
