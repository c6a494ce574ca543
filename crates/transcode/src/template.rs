//! Path templates of `google.api.http`.
//!
//! ```text
//! Template  = "/" [ Segments ] [ Verb ]
//! Segments  = Segment { "/" Segment }
//! Segment   = "*" | "**" | LITERAL | Variable
//! Variable  = "{" FieldPath [ "=" Segments ] "}"
//! FieldPath = IDENT { "." IDENT }
//! Verb      = ":" LITERAL
//! ```
//!
//! Behind `**` only literals may follow, so that what it takes is never in doubt.

/// Why a template was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// It does not begin with a slash.
    #[error("a template begins with a slash")]
    NoSlash,
    /// Two slashes in a row, or one at the end.
    #[error("a segment is empty")]
    EmptySegment,
    /// `:` without a name, or on no segment.
    #[error("a verb has no name or no segment")]
    InvalidVerb,
    /// A brace that is not closed, closed twice, nested, or beside a literal.
    #[error("a variable's braces do not enclose a whole segment")]
    InvalidVariable,
    /// Not `name.name`.
    #[error("a field path is not names joined by dots")]
    InvalidFieldPath,
    /// A star that is not a whole segment, or another character that paths do not have.
    #[error("a literal holds a character that a path cannot")]
    InvalidLiteral,
    /// `*`, `**` or a variable with one of them behind `**`.
    #[error("only literals may follow \"**\"")]
    WildcardAfterMulti,
    /// Two variables of one field.
    #[error("a field is captured twice")]
    RepeatedVariable,
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What the segments of a path must be; those of variables are among them.
    pub segments: Vec<Segment>,
    /// `cancel` of `/orders/{id}:cancel`.
    pub verb: Option<String>,
    /// The fields that the path fills, from left to right.
    pub variables: Vec<Variable>,
}

/// What a segment of a path must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// This text.
    Literal(String),
    /// One segment of any text: `*`.
    Single,
    /// Any number of segments: `**`.
    Multi,
}

/// A field that takes part of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// `a.b` as written.
    pub field: String,
    /// Its first segment among those of the template.
    pub from: usize,
    /// The segment behind its last.
    pub to: usize,
    /// It takes more than one segment, so an escaped slash stays escaped in it.
    pub multi: bool,
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let rest = text.strip_prefix('/').ok_or(TemplateError::NoSlash)?;
        let (rest, verb) = split_verb(rest)?;
        let mut template = Self { segments: Vec::new(), verb, variables: Vec::new() };
        if rest.is_empty() {
            return if template.verb.is_none() { Ok(template) } else { Err(TemplateError::InvalidVerb) };
        }
        for piece in split_segments(rest)? {
            if piece.starts_with('{') { template.variable(piece)? } else { template.segment(piece)? }
        }
        template.check()?;
        Ok(template)
    }

    fn segment(&mut self, text: &str) -> Result<(), TemplateError> {
        self.segments.push(match text {
            "" => return Err(TemplateError::EmptySegment),
            "*" => Segment::Single,
            "**" => Segment::Multi,
            literal if literal.chars().any(|c| matches!(c, '*' | '{' | '}' | '=' | ':' | '?' | '#') || c <= ' ') => {
                return Err(TemplateError::InvalidLiteral);
            }
            literal => Segment::Literal(literal.to_owned()),
        });
        Ok(())
    }

    /// `{field}` or `{field=segments}`.
    fn variable(&mut self, text: &str) -> Result<(), TemplateError> {
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or(TemplateError::InvalidVariable)?;
        if inner.contains(['{', '}']) {
            return Err(TemplateError::InvalidVariable);
        }
        let (field, segments) = inner.split_once('=').unwrap_or((inner, "*"));
        if !field.split('.').all(is_identifier) {
            return Err(TemplateError::InvalidFieldPath);
        }
        let from = self.segments.len();
        for segment in segments.split('/') {
            self.segment(segment)?;
        }
        let to = self.segments.len();
        let multi = to - from > 1 || self.segments[from] == Segment::Multi;
        self.variables.push(Variable { field: field.to_owned(), from, to, multi });
        Ok(())
    }

    fn check(&self) -> Result<(), TemplateError> {
        let mut behind_multi = self.segments.iter().skip_while(|segment| **segment != Segment::Multi).skip(1);
        if behind_multi.any(|segment| !matches!(segment, Segment::Literal(_))) {
            return Err(TemplateError::WildcardAfterMulti);
        }
        for (i, variable) in self.variables.iter().enumerate() {
            let within =
                |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            let overlaps = |other: &Variable| within(&other.field, &variable.field) || within(&variable.field, &other.field);
            if self.variables[..i].iter().any(overlaps) {
                return Err(TemplateError::RepeatedVariable);
            }
        }
        Ok(())
    }

    /// Where template position `position` lies in a path of `count` segments: `**` takes what the others leave.
    pub(crate) fn place(&self, position: usize, count: usize) -> usize {
        let multi = self.segments.iter().position(|segment| *segment == Segment::Multi);
        match multi {
            Some(multi) if position > multi => count - (self.segments.len() - position),
            _ => position,
        }
    }
}

/// Cuts off `:verb`: a colon behind the last slash and the last brace.
fn split_verb(text: &str) -> Result<(&str, Option<String>), TemplateError> {
    let last = text.rfind(['/', '}']).map_or(0, |at| at + 1);
    let Some(colon) = text[last..].find(':') else { return Ok((text, None)) };
    let (segments, verb) = (&text[..last + colon], &text[last + colon + 1..]);
    let plain = !verb.is_empty() && !verb.chars().any(|c| matches!(c, '*' | '{' | '}' | '=' | ':' | '?' | '#') || c <= ' ');
    if !plain || segments.is_empty() || segments.ends_with('/') {
        return Err(TemplateError::InvalidVerb);
    }
    Ok((segments, Some(verb.to_owned())))
}

/// Splits at the slashes outside braces.
fn split_segments(text: &str) -> Result<Vec<&str>, TemplateError> {
    let mut pieces = Vec::new();
    let (mut start, mut depth) = (0, 0usize);
    for (at, c) in text.char_indices() {
        match c {
            '{' if at != start => return Err(TemplateError::InvalidVariable),
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1).ok_or(TemplateError::InvalidVariable)?,
            '/' if depth == 0 => {
                pieces.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if depth != 0 {
        return Err(TemplateError::InvalidVariable);
    }
    pieces.push(&text[start..]);
    Ok(pieces)
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::format_push_string, reason = "a test fails by panicking")]
    use super::*;

    /// The template written out again, each variable as its range.
    fn shape(text: &str) -> String {
        let template = Template::parse(text).unwrap();
        let mut shape = String::new();
        for segment in &template.segments {
            shape.push('/');
            shape.push_str(match segment {
                Segment::Literal(literal) => literal,
                Segment::Single => "*",
                Segment::Multi => "**",
            });
        }
        if let Some(verb) = &template.verb {
            shape.push(':');
            shape.push_str(verb);
        }
        for Variable { field, from, to, multi } in &template.variables {
            shape.push_str(&format!(" {field}={from}..{to}{}", if *multi { "+" } else { "" }));
        }
        shape
    }

    #[test]
    fn the_whole_grammar_is_read() {
        for (text, expected) in [
            ("/", ""),
            ("/**", "/**"),
            ("/*", "/*"),
            ("/a:foo", "/a:foo"),
            ("/a/b/c:foo", "/a/b/c:foo"),
            ("/*/**", "/*/**"),
            ("/shelves/{shelf}/books/{book}", "/shelves/*/books/* shelf=1..2 book=3..4"),
            ("/a/{a.b.c}", "/a/* a.b.c=1..2"),
            ("/a/{b=*}", "/a/* b=1..2"),
            ("/a/{b=**}", "/a/** b=1..2+"),
            ("/a/{b=c/*/d}", "/a/c/*/d b=1..4+"),
            ("/a/{b=c/**/d}/e:verb", "/a/c/**/d/e:verb b=1..4+"),
            ("/{a.b=shelves/*/books/**}", "/shelves/*/books/** a.b=0..4+"),
            ("/*:verb", "/*:verb"),
            ("/**:verb", "/**:verb"),
            ("/{x}:verb", "/*:verb x=0..1"),
            ("/{x.y.z=*/*}:verb", "/*/*:verb x.y.z=0..2+"),
            ("/a/{b=*}/**:verb", "/a/*/**:verb b=1..2"),
            ("/a/{x=b}/c", "/a/b/c x=1..2"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    #[test]
    fn what_the_grammar_does_not_hold_is_refused() {
        for text in [
            "",
            "//",
            "/{}",
            "/a/",
            "/a//b",
            ":verb",
            "/:verb",
            "/a/:verb",
            ":",
            "/:",
            "/*:",
            "/**:",
            "/{var}:",
            "/a/b/:",
            "/a/b/*:",
            "/a/{",
            "/a/{var",
            "/a/{var.",
            "/a/{x=var:verb}",
            "a",
            "{x}",
            "{x=/a}",
            "a/b",
            "a/{x}/b:verb",
            "/a/{var=/b}",
            "/{var=a/{nested=b}}",
            "/a{x}",
            "/{x}a",
            "/a{x}b",
            "/{x}a{y}",
            "/a/{x}b",
            "/a/b{x}/s",
            "/a/**/*",
            "/a/**/foo/*",
            "/a/**/**",
            "/a/**/foo/**",
            "/a/{x=**}/{y=*}",
            "/{a}/{a}",
            "/{a}/{a.b}",
            "/{a.}",
            "/{1a}",
            "/a b",
            "/***",
            "/a*",
            "/a:b:c",
            "/{a=}",
            "/a}",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
