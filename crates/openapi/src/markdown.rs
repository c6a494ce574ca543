//! The document for people who read rather than generate: a chapter for each service, in Markdown.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::json::{Json, Object};

/// The HTTP methods of a path, in the order in which they are shown.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "trace"];

/// The document as Markdown.
pub(crate) fn of(document: &Object) -> String {
    let mut text = String::new();
    let info = document.object("info");
    let said = |key: &str| info.and_then(|info| info.text(key)).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# {}\n\n{}\n", said("title"), said("description"));
    for tag in document.list("tags").iter().filter_map(Json::as_object) {
        let name = tag.text("name").unwrap_or_default();
        let _ = writeln!(text, "## {name}\n");
        paragraph(&mut text, tag.text("description"));
        let mut reasons = BTreeSet::new();
        for (path, item) in document.object("paths").into_iter().flat_map(Object::iter) {
            let operations = METHODS.iter().filter_map(|method| Some((*method, item.as_object()?.object(method)?)));
            for (method, operation) in operations.filter(|(_, operation)| is_tagged(operation, name)) {
                operation_of(&mut text, method, path, operation);
                reasons.extend(failures(operation).flat_map(|(status, about)| {
                    about
                        .lines()
                        .filter_map(|line| line.strip_prefix("- "))
                        .map(move |reason| (status.to_owned(), reason.to_owned()))
                }));
            }
        }
        reasons_of(&mut text, name, &reasons);
    }
    let _ = writeln!(text, "## Messages\n");
    let schemas = document.object("components").and_then(|components| components.object("schemas"));
    for (name, schema) in schemas.into_iter().flat_map(Object::iter) {
        if let Some(schema) = schema.as_object() {
            message(&mut text, name, schema);
        }
    }
    text.trim_end().to_owned() + "\n"
}

fn is_tagged(operation: &Object, name: &str) -> bool {
    operation.list("tags").iter().any(|tag| tag.as_text() == Some(name))
}

fn paragraph(text: &mut String, about: Option<&str>) {
    if let Some(about) = about.filter(|about| !about.is_empty()) {
        let _ = writeln!(text, "{about}\n");
    }
}

fn operation_of(text: &mut String, method: &str, path: &str, operation: &Object) {
    let _ = writeln!(text, "### `{} {path}`\n", method.to_uppercase());
    paragraph(text, operation.text("description"));
    let parameters = operation.list("parameters");
    if !parameters.is_empty() {
        text.push_str("| parameter | in | type | |\n|---|---|---|---|\n");
        for parameter in parameters.iter().filter_map(Json::as_object) {
            let said = |key: &str| parameter.text(key).unwrap_or_default();
            let kind = parameter.object("schema").map(kind).unwrap_or_default();
            let needed = if parameter.contains("required") { " (required)" } else { "" };
            let about = cell(said("description"));
            let _ = writeln!(text, "| `{}`{needed} | {} | {kind} | {about} |", said("name"), said("in"));
        }
        text.push('\n');
    }
    if let Some(body) = operation.object("requestBody") {
        let _ = writeln!(text, "Body: {}\n", contents(body));
        example(text, body);
    }
    for (status, answer) in operation.object("responses").into_iter().flat_map(Object::iter) {
        if let Some(answer) = answer.as_object().filter(|_| status.starts_with('2')) {
            let _ = writeln!(text, "{status}: {}\n", contents(answer));
        }
    }
    let statuses: Vec<_> = failures(operation).map(|(status, _)| status).collect();
    if !statuses.is_empty() {
        let _ = writeln!(text, "Failures: {}\n", statuses.join(", "));
    }
}

/// The statuses of an operation's failures, and what is said of each.
fn failures(operation: &Object) -> impl Iterator<Item = (&str, &str)> {
    let answers = operation.object("responses").into_iter().flat_map(Object::iter);
    let failures = answers.filter(|(status, _)| status.starts_with(['4', '5']));
    failures.filter_map(|(status, answer)| Some((status, answer.as_object()?.text("description")?)))
}

/// The reasons that failures of a service have.
fn reasons_of(text: &mut String, name: &str, reasons: &BTreeSet<(String, String)>) {
    if reasons.is_empty() {
        return;
    }
    let _ = writeln!(text, "### Why a call of {name} may fail\n\n| status | reason | |\n|---|---|---|");
    for (status, reason) in reasons {
        let (reason, about) = reason.split_once(": ").unwrap_or((reason, ""));
        let _ = writeln!(text, "| {status} | {reason} | {} |", cell(about));
    }
    text.push('\n');
}

/// The types of a body.
fn contents(body: &Object) -> String {
    let content = body.object("content").into_iter().flat_map(Object::iter);
    let shown = content.map(|(media, held)| {
        let schema = held.as_object().and_then(|held| held.object("schema"));
        match schema.and_then(|schema| schema.object("contentSchema")).or(schema) {
            Some(schema) if !schema.is_empty() => format!("{} (`{media}`)", kind(schema)),
            _ => format!("`{media}`"),
        }
    });
    shown.collect::<Vec<_>>().join(" or ")
}

fn example(text: &mut String, body: &Object) {
    let held = body.object("content").and_then(|content| content.object("application/json"));
    if let Some(example) = held.and_then(|held| held.get("example"))
        && let Ok(example) = serde_json::to_string_pretty(example)
    {
        let _ = writeln!(text, "```json\n{example}\n```\n");
    }
}

fn message(text: &mut String, name: &str, schema: &Object) {
    let _ = writeln!(text, "### {name}\n");
    paragraph(text, schema.text("description"));
    let Some(properties) = schema.object("properties").filter(|properties| !properties.is_empty()) else { return };
    let required: Vec<_> = schema.list("required").iter().filter_map(Json::as_text).collect();
    text.push_str("| field | type | |\n|---|---|---|\n");
    for (name, property) in properties.iter() {
        let Some(property) = property.as_object() else { continue };
        let needed = if required.contains(&name) { " (required)" } else { "" };
        let about = cell(property.text("description").unwrap_or_default());
        let _ = writeln!(text, "| `{name}`{needed} | {} | {about} |", kind(property));
    }
    text.push('\n');
}

/// A schema in a few words.
fn kind(schema: &Object) -> String {
    if let Some(name) = schema.text("$ref").and_then(|reference| reference.rsplit('/').next()) {
        let anchor: String =
            name.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
        return format!("[{}](#{anchor})", name.rsplit('.').next().unwrap_or(name));
    }
    let several = schema.list("anyOf").iter().filter_map(Json::as_object).map(kind).collect::<Vec<_>>();
    if !several.is_empty() {
        return several.join(" or ");
    }
    if let Some(value) = schema.get("const") {
        return serde_json::to_string(value).map(|value| format!("`{value}`")).unwrap_or_default();
    }
    let inner = |key: &str| schema.object(key).map(kind).unwrap_or_default();
    let named = match schema.text("type") {
        Some("array") => format!("list of {}", inner("items")),
        Some("object") if schema.object("additionalProperties").is_some() => {
            format!("map of {}", inner("additionalProperties"))
        }
        Some(kind) => schema.text("format").unwrap_or(kind).to_owned(),
        None => "anything".to_owned(),
    };
    [named, bounds(schema)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Constraints in a few words.
fn bounds(schema: &Object) -> String {
    const SIZES: [(&str, &str); 10] = [
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("exclusiveMinimum", "above"),
        ("exclusiveMaximum", "below"),
        ("minLength", "length at least"),
        ("maxLength", "length at most"),
        ("x-min-bytes", "bytes at least"),
        ("x-max-bytes", "bytes at most"),
        ("minItems", "items at least"),
        ("maxItems", "items at most"),
    ];
    // The bounds of the type itself say nothing new.
    let is_own = |value: &Json| !matches!(value, Json::Integer(bound) if [i64::from(i32::MIN), i64::from(i32::MAX), i64::from(u32::MAX)].contains(bound));
    let said = SIZES.iter().filter_map(|(key, words)| {
        let in_bytes = match *key {
            "minLength" => schema.contains("x-min-bytes"),
            "maxLength" => schema.contains("x-max-bytes"),
            _ => false,
        };
        let value = schema.get(key).filter(|value| is_own(value) && !in_bytes)?;
        Some(format!("{words} {}", serde_json::to_string(value).ok()?))
    });
    let mut said: Vec<_> = said.collect();
    let values: Vec<_> = schema.list("enum").iter().filter_map(|value| serde_json::to_string(value).ok()).collect();
    if !values.is_empty() {
        said.push(format!("one of `{}`", values.join("`, `")));
    }
    said.join(", ")
}

/// A text in one cell of a table.
fn cell(text: &str) -> String {
    text.replace("\n\n", "<br>").replace("\n- ", "<br>").replace('\n', " ").replace('|', "\\|")
}
