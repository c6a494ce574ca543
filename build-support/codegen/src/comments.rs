//! Comments of contracts as Rust documentation.
//!
//! Rustdoc compiles what it takes for an example: a block that is indented by four spaces, or fenced
//! without a language. A contract's examples are requests and paths, so both are marked as plain text.

/// The comment with its examples marked, without the space that follows each `//`.
pub(crate) fn documentation(comment: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut block = Block::None;
    let mut in_list = false;
    for line in comment.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()) {
        let indented = line.starts_with("    ");
        if block == Block::Indented && !line.is_empty() && !indented {
            close(&mut lines);
            block = Block::None;
        }
        if line.trim_start().starts_with("```") {
            let opens = block == Block::None;
            block = if opens { Block::Fenced } else { Block::None };
            lines.push(if opens && line.trim() == "```" { format!("{line}text") } else { line.to_owned() });
            continue;
        }
        if block == Block::None && !line.is_empty() && !indented {
            in_list = is_item(line) || in_list && line.starts_with(' ');
        }
        let after_gap = lines.last().is_none_or(String::is_empty);
        if block == Block::None && indented && after_gap && !in_list {
            lines.push("```text".to_owned());
            block = Block::Indented;
        }
        lines.push(line.to_owned());
    }
    if block == Block::Indented {
        close(&mut lines);
    }
    lines.join("\n").trim_end().to_owned()
}

#[derive(PartialEq)]
enum Block {
    None,
    Indented,
    Fenced,
}

/// Ends an indented block before the empty lines that follow it.
fn close(lines: &mut Vec<String>) {
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    lines.insert(end, "```".to_owned());
}

/// True for the first line of a list's item: what is indented below it belongs to the item.
fn is_item(line: &str) -> bool {
    let rest = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    ["- ", "* ", "+ ", ". ", ") "].iter().any(|mark| rest.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::documentation;

    #[test]
    fn examples_are_marked_as_text_and_prose_stays_as_it_is() {
        for (comment, expected) in [
            (" Lends books.\n Every day.\n", "Lends books.\nEvery day."),
            (
                " As in\n\n     GET /a\n\n     GET /b\n\n and so on.\n",
                "As in\n\n```text\n    GET /a\n\n    GET /b\n```\n\nand so on.",
            ),
            ("     GET /a\n", "```text\n    GET /a\n```"),
            (" Goes on\n     after a break.\n", "Goes on\n    after a break."),
            (" - an item\n\n     more of it\n", "- an item\n\n    more of it"),
            (" See\n ```\n GET /a\n ```\n", "See\n```text\nGET /a\n```"),
            (" ```json\n {}\n ```\n", "```json\n{}\n```"),
            ("", ""),
        ] {
            assert_eq!(documentation(comment), expected);
        }
    }
}
