//! The page is whole: what it names is there, and nothing of it comes from elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::Read as _;

use weft_api_viewer::{Content, FILES, File, POLICY, file};

fn text(file: &File) -> String {
    let mut text = String::new();
    match file.content {
        Content::Plain(content) => text.push_str(std::str::from_utf8(content).unwrap()),
        Content::Gzip(packed) => {
            flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
        }
    }
    text
}

/// What stands between `before` and the next of `end`, wherever it does.
fn between<'t>(text: &'t str, before: &str, end: &[char]) -> Vec<&'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

#[test]
fn what_the_page_loads_is_a_file_of_the_viewer() {
    let page = text(file("/docs").unwrap());
    let mut loaded = between(&page, "src=\"", &['"']);
    loaded.extend(between(&page, "href=\"", &['"']));
    assert!(loaded.len() >= 4, "{loaded:?}");
    for path in loaded {
        assert!(path == "data:," || file(path).is_some(), "{path} is no file of the viewer");
    }
    assert_eq!(page.matches("://").count(), 0, "no other host is named");
}

#[test]
fn the_styles_load_nothing() {
    let styles = text(file("/docs/viewer.css").unwrap());
    assert!(styles.contains(".swagger-ui"), "it is the style of the viewer");
    assert_eq!(styles.matches("@import").count(), 0);
    for loaded in between(&styles, "url(", &[')']) {
        assert!(loaded.trim_start_matches(['"', '\'']).starts_with("data:"), "{}", &loaded[..loaded.len().min(80)]);
    }
}

#[test]
fn the_document_is_asked_for_where_it_stands_and_judged_by_nobody() {
    let start = text(file("/docs/start.js").unwrap());
    assert_eq!(between(&start, "url: \"", &['"']), ["/openapi.json"]);
    assert!(start.contains("validatorUrl: null"));
    assert!(text(file("/docs/viewer.js").unwrap()).contains("SwaggerUIBundle"));
}

#[test]
fn the_policy_lets_nothing_come_from_elsewhere() {
    let sources = POLICY.split([';', ' ']).map(str::trim).filter(|word| !word.is_empty() && !word.ends_with("-src"));
    for source in sources.filter(|word| !["base-uri", "form-action", "frame-ancestors"].contains(word)) {
        assert!(["'none'", "'self'", "'unsafe-inline'", "data:"].contains(&source), "{source}");
    }
    assert!(POLICY.starts_with("default-src 'none'"), "what is not named is not loaded");
}

#[test]
fn the_viewer_is_small() {
    let size: usize = FILES
        .iter()
        .map(|file| match file.content {
            Content::Plain(content) | Content::Gzip(content) => content.len(),
        })
        .sum();
    assert!(size < 1_000_000, "{size} bytes");
}
