//! Path templates, by the grammar of `google/api/http.proto`.
//!
//! A template is segments and at most one verb: `/v1/{parent=shelves/*}/books/{book}:archive`. A `*`
//! stands for one segment, `**` for the rest of the path and only at its end. A variable without
//! segments of its own stands for `*`.
//!
//! Captures are percent-decoded. In what `**` captures an encoded slash stays encoded, so that it can
//! be told from a slash between segments.

use percent_encoding::percent_decode_str;

/// A parsed template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Vec<Segment>,
    variables: Vec<Variable>,
    verb: Option<String>,
}

/// In order of precedence: where two templates fit a path, a literal beats `*`, and `*` beats `**`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    One,
    Rest,
}

#[derive(Debug, PartialEq, Eq)]
struct Variable {
    field: String,
    /// The segments that it captures.
    start: usize,
    end: usize,
}

/// What a variable of a template captured.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Capture<'t> {
    /// The path of the field that it fills: `product.id`.
    pub(crate) field: &'t str,
    /// The decoded text.
    pub(crate) value: String,
}

/// A template that breaks the grammar.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("it does not begin with a slash")]
    NoSlash,
    #[error("a brace is missing or misplaced")]
    Brace,
    #[error("a segment is empty")]
    EmptySegment,
    #[error("a variable has no name")]
    NoName,
    #[error("** is not the last segment")]
    RestNotLast,
}

/// Why a path that fits a template cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotUtf8;

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let path = text.strip_prefix('/').ok_or(TemplateError::NoSlash)?;
        let (path, verb) = split_verb(path);
        let mut template = Self { segments: Vec::new(), variables: Vec::new(), verb: verb.map(str::to_owned) };
        for part in split_outside_braces(path)? {
            match part.strip_prefix('{') {
                None => template.push(part)?,
                Some(variable) => template.push_variable(variable.strip_suffix('}').ok_or(TemplateError::Brace)?)?,
            }
        }
        let rest = template.segments.iter().position(|segment| *segment == Segment::Rest);
        match rest {
            Some(at) if at + 1 != template.segments.len() => Err(TemplateError::RestNotLast),
            _ => Ok(template),
        }
    }

    fn push_variable(&mut self, variable: &str) -> Result<(), TemplateError> {
        let (field, pattern) = variable.split_once('=').unwrap_or((variable, "*"));
        if field.is_empty() || field.split('.').any(str::is_empty) {
            return Err(TemplateError::NoName);
        }
        let start = self.segments.len();
        pattern.split('/').try_for_each(|part| self.push(part))?;
        self.variables.push(Variable { field: field.to_owned(), start, end: self.segments.len() });
        Ok(())
    }

    fn push(&mut self, part: &str) -> Result<(), TemplateError> {
        self.segments.push(match part {
            "" => return Err(TemplateError::EmptySegment),
            "*" => Segment::One,
            "**" => Segment::Rest,
            _ if part.contains(['{', '}', '*']) => return Err(TemplateError::Brace),
            _ => Segment::Literal(part.to_owned()),
        });
        Ok(())
    }

    /// The fields that its variables fill.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| variable.field.as_str())
    }

    /// What decides between templates that fit the same path: the smaller is tried first.
    pub(crate) fn precedence(&self) -> impl Ord + '_ {
        (&self.segments, self.verb.is_none())
    }

    /// The variables' values, if the path fits.
    pub(crate) fn captures(&self, path: &str) -> Option<Result<Vec<Capture<'_>>, NotUtf8>> {
        let path = path.strip_prefix('/')?;
        let path = match &self.verb {
            Some(verb) => path.strip_suffix(verb.as_str())?.strip_suffix(':')?,
            None => path,
        };
        let parts: Vec<_> = path.split('/').collect();
        let open = self.segments.last() == Some(&Segment::Rest);
        let fixed = self.segments.len() - usize::from(open);
        if parts.len() < fixed || !open && parts.len() > fixed {
            return None;
        }
        let fits = |(segment, part): (&Segment, &&str)| match segment {
            Segment::Literal(literal) => literal == part,
            Segment::One => !part.is_empty(),
            Segment::Rest => true,
        };
        if !self.segments.iter().zip(&parts).all(fits) {
            return None;
        }
        Some(self.variables.iter().map(|variable| self.capture(variable, &parts)).collect())
    }

    fn capture<'t>(&'t self, variable: &'t Variable, parts: &[&str]) -> Result<Capture<'t>, NotUtf8> {
        let several = self.segments[variable.start..variable.end] != [Segment::One];
        let end = if self.segments.get(variable.end - 1) == Some(&Segment::Rest) { parts.len() } else { variable.end };
        let mut value = String::new();
        for (index, part) in parts[variable.start..end].iter().enumerate() {
            if index > 0 {
                value.push('/');
            }
            let part = percent_decode_str(part).decode_utf8().map_err(|_| NotUtf8)?;
            if several { value.push_str(&part.replace('/', "%2F")) } else { value.push_str(&part) }
        }
        Ok(Capture { field: &variable.field, value })
    }
}

/// The path and the verb after its last segment's colon.
fn split_verb(path: &str) -> (&str, Option<&str>) {
    match path.rsplit_once(':') {
        // A colon inside of a variable or before a slash is none of a verb's.
        Some((path, verb)) if !verb.contains(['/', '}']) => (path, Some(verb)),
        _ => (path, None),
    }
}

/// Splits at the slashes between segments, not at those inside of a variable.
fn split_outside_braces(path: &str) -> Result<Vec<&str>, TemplateError> {
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'{' if inside => return Err(TemplateError::Brace),
            b'}' if !inside => return Err(TemplateError::Brace),
            b'{' | b'}' => inside = !inside,
            b'/' if !inside => {
                parts.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&path[start..]);
    if inside { Err(TemplateError::Brace) } else { Ok(parts) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn captured(template: &str, path: &str) -> Option<Result<Vec<(String, String)>, NotUtf8>> {
        let template = Template::parse(template).unwrap();
        let captures = template.captures(path)?;
        Some(captures.map(|all| all.into_iter().map(|c| (c.field.to_owned(), c.value)).collect()))
    }

    fn fits(template: &str, path: &str, expected: &[(&str, &str)]) {
        let expected = expected.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect();
        assert_eq!(captured(template, path), Some(Ok(expected)), "{template} {path}");
    }

    #[test]
    fn variables_capture_what_stands_in_their_place() {
        fits("/v1/orders", "/v1/orders", &[]);
        fits("/v1/orders/{id}", "/v1/orders/7", &[("id", "7")]);
        fits("/v1/orders/{id}:cancel", "/v1/orders/7:cancel", &[("id", "7")]);
        fits("/v1/products/{product.id}", "/v1/products/7", &[("product.id", "7")]);
        fits("/v1/{a=x/*}/{b}", "/v1/x/1/2", &[("a", "x/1"), ("b", "2")]);
        fits("/v1/files/{path=**}", "/v1/files/a/b", &[("path", "a/b")]);
        fits("/v1/files/{path=**}:get", "/v1/files/a/b:get", &[("path", "a/b")]);
        fits("/v1/{name=files/**}", "/v1/files/a/b", &[("name", "files/a/b")]);
        fits("/v1/variants:batchGet", "/v1/variants:batchGet", &[]);
        fits("/v1/*/x", "/v1/anything/x", &[]);
    }

    #[test]
    fn a_path_of_another_shape_does_not_fit() {
        for (template, path) in [
            ("/v1/orders", "/v1/orders/"),
            ("/v1/orders", "/v1"),
            ("/v1/orders/{id}", "/v1/orders/"),
            ("/v1/orders/{id}", "/v1/orders/7/8"),
            ("/v1/orders/{id}:cancel", "/v1/orders/7"),
            ("/v1/orders/{id}:cancel", "/v1/orders/7:other"),
            ("/v1/orders/{id}:cancel", "/v1/orders/:cancel"),
            ("/v1/orders", "*"),
        ] {
            assert_eq!(captured(template, path), None, "{template} {path}");
        }
    }

    #[test]
    fn captures_are_percent_decoded_and_keep_encoded_slashes_apart_where_it_matters() {
        fits("/v1/{id}", "/v1/a%20b%2Fc", &[("id", "a b/c")]);
        fits("/v1/{path=**}", "/v1/a%2Fb/c%20d", &[("path", "a%2Fb/c d")]);
        assert_eq!(captured("/v1/{id}", "/v1/%ff"), Some(Err(NotUtf8)));
    }

    #[test]
    fn a_literal_is_tried_before_one_segment_and_that_before_the_rest() {
        let mut templates: Vec<_> =
            ["/v1/{a=**}", "/v1/{a}", "/v1/x", "/v1/{a}:verb"].map(|text| (text, Template::parse(text).unwrap())).into();
        templates.sort_by(|(_, a), (_, b)| a.precedence().cmp(&b.precedence()));
        assert_eq!(
            templates.iter().map(|(text, _)| *text).collect::<Vec<_>>(),
            ["/v1/x", "/v1/{a}:verb", "/v1/{a}", "/v1/{a=**}"]
        );
    }

    #[test]
    fn a_template_that_breaks_the_grammar_is_refused() {
        for (text, expected) in [
            ("v1", TemplateError::NoSlash),
            ("/v1/{a", TemplateError::Brace),
            ("/v1/a}", TemplateError::Brace),
            ("/v1/x{a}", TemplateError::Brace),
            ("/v1/{{a}}", TemplateError::Brace),
            ("/v1//x", TemplateError::EmptySegment),
            ("/v1/{=x}", TemplateError::NoName),
            ("/v1/{a.}", TemplateError::NoName),
            ("/v1/{a=**}/x", TemplateError::RestNotLast),
        ] {
            assert_eq!(Template::parse(text), Err(expected), "{text}");
        }
    }
}
