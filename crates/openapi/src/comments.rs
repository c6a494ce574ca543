//! The comments of a contract, by the element that they stand at.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, FileDescriptor};

/// The comments of a set.
#[derive(Debug, Default)]
pub(crate) struct Comments(HashMap<(String, Vec<i32>), String>);

impl Comments {
    pub(crate) fn of(pool: &DescriptorPool) -> Self {
        let mut comments = HashMap::new();
        for file in pool.files() {
            let locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
            for location in locations {
                let text =
                    cleaned(location.leading_comments.as_deref().or(location.trailing_comments.as_deref()).unwrap_or_default());
                if !text.is_empty() {
                    comments.insert((file.name().to_owned(), location.path.clone()), text);
                }
            }
        }
        Self(comments)
    }

    /// The comment of an element, by its path in `google.protobuf.SourceCodeInfo`; empty if it has none.
    pub(crate) fn at(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        self.0.get(&(file.name().to_owned(), path.to_vec())).map_or("", String::as_str)
    }
}

/// Without the space that follows each `//`, and without directives to linters.
fn cleaned(comment: &str) -> String {
    let lines = comment.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    let lines: Vec<_> = lines.filter(|line| !line.trim_start().starts_with("buf:lint:")).collect();
    lines.join("\n").trim().to_owned()
}

/// The first sentence, without its full stop.
pub(crate) fn summary(comment: &str) -> String {
    let paragraph = comment.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let sentence = match paragraph.find(". ") {
        Some(end) => &paragraph[..end],
        None => paragraph.trim_end_matches('.'),
    };
    sentence.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_first_sentence() {
        assert_eq!(summary("Adds a\nproduct. It is new.\n\nMore."), "Adds a product");
        assert_eq!(summary("Adds."), "Adds");
        assert_eq!(summary(""), "");
    }

    #[test]
    fn a_comment_loses_its_margin() {
        assert_eq!(cleaned(" One.\n\n     GET /a\n buf:lint:ignore X\n Two. \n"), "One.\n\n    GET /a\nTwo.");
    }
}
