//! Path templates, by the grammar of `google/api/http.proto`:
//!
//! ```text
//! Template = "/" Segments [ Verb ] ;
//! Segments = Segment { "/" Segment } ;
//! Segment  = "*" | "**" | LITERAL | Variable ;
//! Variable = "{" FieldPath [ "=" Segments ] "}" ;
//! Verb     = ":" LITERAL ;
//! ```

/// A template that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// The paths it matches, variables replaced by what they match: equal for templates that match the
    /// same paths.
    pub(super) shape: String,
    /// The fields that its variables fill.
    pub(super) fields: Vec<String>,
}

/// Reads a template, or says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Template, String> {
    let Some(rest) = text.strip_prefix('/') else { return Err("does not begin with `/`".to_owned()) };
    let (path, verb) = split_verb(rest);
    if verb.is_some_and(|verb| !is_literal(verb)) {
        return Err("has a verb that is no name".to_owned());
    }
    let mut template = Template { shape: String::new(), fields: Vec::new() };
    for segment in split(path)? {
        let Some(variable) = segment.strip_prefix('{') else {
            template.push(segment)?;
            continue;
        };
        let Some(variable) = variable.strip_suffix('}') else { return Err(format!("`{segment}` is no segment")) };
        let (field, pattern) = variable.split_once('=').unwrap_or((variable, "*"));
        if field.is_empty() || !field.split('.').all(is_field_name) {
            return Err(format!("`{field}` is no field's name"));
        }
        if template.fields.iter().any(|known| known == field) {
            return Err(format!("`{field}` stands in it twice"));
        }
        template.fields.push(field.to_owned());
        pattern.split('/').try_for_each(|segment| template.push(segment))?;
    }
    if let Some(verb) = verb {
        template.shape.push(':');
        template.shape.push_str(verb);
    }
    Ok(template)
}

impl Template {
    fn push(&mut self, segment: &str) -> Result<(), String> {
        if self.shape.ends_with("/**") {
            return Err("goes on after `**`, which matches the rest".to_owned());
        }
        if segment != "*" && segment != "**" && !is_literal(segment) {
            return Err(format!("`{segment}` is no segment"));
        }
        self.shape.push('/');
        self.shape.push_str(segment);
        Ok(())
    }
}

/// The verb is what follows the last colon, if that stands in no variable and no earlier segment.
fn split_verb(path: &str) -> (&str, Option<&str>) {
    match path.rsplit_once(':') {
        Some((before, verb)) if !verb.contains(['/', '}']) => (before, Some(verb)),
        _ => (path, None),
    }
}

/// Cuts at the slashes outside of variables.
fn split(path: &str) -> Result<Vec<&str>, String> {
    let (mut segments, mut start, mut inside) = (Vec::new(), 0, false);
    for (index, c) in path.char_indices() {
        match c {
            '{' if inside => return Err("has a variable inside a variable".to_owned()),
            '{' => inside = true,
            '}' => inside = false,
            '/' if !inside => {
                segments.push(&path[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    segments.push(&path[start..]);
    Ok(segments)
}

fn is_literal(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%!$&'()+,;@".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

fn is_field_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_gives_its_shape_and_fields() {
        for (text, shape, fields) in [
            ("/api/v1/orders", "/api/v1/orders", vec![]),
            ("/api/v1/orders/{id}:cancel", "/api/v1/orders/*:cancel", vec!["id"]),
            ("/v1/{parent=shelves/*}/books/{book.id}", "/v1/shelves/*/books/*", vec!["parent", "book.id"]),
            ("/v1/{name=files/**}", "/v1/files/**", vec!["name"]),
            ("/v1/*/{name=**}:read", "/v1/*/**:read", vec!["name"]),
        ] {
            let fields = fields.into_iter().map(str::to_owned).collect();
            assert_eq!(parse(text), Ok(Template { shape: shape.to_owned(), fields }), "{text}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (text, problem) in [
            ("api", "does not begin with `/`"),
            ("/", "`` is no segment"),
            ("/a//b", "`` is no segment"),
            ("/a/{id", "`{id` is no segment"),
            ("/a/{b{c}}", "has a variable inside a variable"),
            ("/a/{9}", "`9` is no field's name"),
            ("/a/{b}/{b}", "`b` stands in it twice"),
            ("/a/**/b", "goes on after `**`, which matches the rest"),
            ("/a b", "`a b` is no segment"),
            ("/a:", "has a verb that is no name"),
        ] {
            assert_eq!(parse(text), Err(problem.to_owned()), "{text}");
        }
    }
}
