//! From HTTP method and path to the gRPC method that serves them.
//!
//! [`Router::build`] reads every `google.api.http` rule of a schema and refuses, with a name, what could not work:
//! templates outside the grammar, fields that the request does not have, two methods on one route.

mod trie;

use std::{borrow::Cow, collections::HashSet};

use crate::percent::{self, Decode};
use crate::schema::{Field, FieldIndex, Form, HttpRule, Kind, MessageId, Method, Schema, Shape};
use crate::template::{Template, TemplateError};
use trie::{Split, Trie};

/// Segments of the longest path that is looked at.
const MAX_SEGMENTS: usize = 256;

/// Why the rules of a schema were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouterError {
    /// A path template outside the grammar.
    #[error("{method}: template {template:?}: {reason}")]
    Template {
        /// Full name of the method.
        method: String,
        /// The template.
        template: String,
        /// What is wrong with it.
        reason: TemplateError,
    },
    /// Two rules that the same requests fit.
    #[error("{first} and {second} both serve {http_method} {template}")]
    Conflict {
        /// The method declared first.
        first: String,
        /// The other; the same, if one method has two equal rules.
        second: String,
        /// HTTP method.
        http_method: String,
        /// The template of the second.
        template: String,
    },
    /// A rule names a field that the message does not have.
    #[error("{method}: no field {field} in {message}")]
    UnknownField {
        /// Full name of the method.
        method: String,
        /// The field path of the rule.
        field: String,
        /// Full name of the message.
        message: String,
    },
    /// A path variable must be a single value that a text can spell.
    #[error("{method}: {field} cannot be taken from the path: it is repeated or a message")]
    UnsuitableVariable {
        /// Full name of the method.
        method: String,
        /// The field path of the variable.
        field: String,
    },
}

/// What the body of a request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Whole,
    Field(FieldIndex),
}

/// A path variable and the fields it leads through.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) path: Vec<FieldIndex>,
    from: usize,
    to: usize,
    decode: Decode,
}

/// One rule of one method.
#[derive(Debug, Clone)]
pub struct Binding {
    index: usize,
    method: usize,
    rule: HttpRule,
    template: Template,
    pub(crate) variables: Vec<Variable>,
    pub(crate) body: Body,
    pub(crate) response_body: Option<FieldIndex>,
    pub(crate) input: MessageId,
    pub(crate) output: MessageId,
}

impl Binding {
    /// The gRPC method, among [`Schema::methods`].
    pub fn method<'s>(&self, schema: &'s Schema) -> &'s Method {
        &schema.methods()[self.method]
    }

    /// The place of the gRPC method among [`Schema::methods`].
    pub fn method_index(&self) -> usize {
        self.method
    }

    /// The binding's own place among [`Router::bindings`].
    pub fn index(&self) -> usize {
        self.index
    }

    /// The rule as declared.
    pub fn rule(&self) -> &HttpRule {
        &self.rule
    }

    /// Whether the request has a body.
    pub fn has_body(&self) -> bool {
        self.body != Body::None
    }
}

/// All routes of a schema.
#[derive(Debug)]
pub struct Router {
    bindings: Vec<Binding>,
    trie: Trie,
    verbs: HashSet<Box<str>>,
}

/// A request's route.
#[derive(Debug, Clone)]
pub struct Match<'r> {
    /// The rule that fits.
    pub binding: &'r Binding,
    /// The captured texts, decoded, in the order of the template's variables.
    pub(crate) captures: Vec<String>,
}

impl Match<'_> {
    /// Field path and value of each path variable.
    pub fn captures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.binding
            .template
            .variables
            .iter()
            .zip(&self.captures)
            .map(|(variable, value)| (variable.field.as_str(), value.as_str()))
    }
}

/// Why a request has no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// No template fits the path (404).
    #[error("no method serves this path")]
    NotFound,
    /// The path has other methods (405).
    #[error("the path serves {}", allowed.join(", "))]
    MethodNotAllowed {
        /// The HTTP methods that it has, for the `Allow` header.
        allowed: Vec<String>,
    },
    /// A captured segment has a broken percent escape or is not UTF-8 (400).
    #[error("the path is not percent-encoded UTF-8")]
    InvalidEncoding,
    /// More than 256 segments (414).
    #[error("the path has too many segments")]
    TooLong,
}

impl Router {
    /// Builds the routes of every rule in the schema.
    pub fn build(schema: &Schema) -> Result<Self, RouterError> {
        Self::build_for(schema, |_| true)
    }

    /// Builds the routes of the methods that are served, by their places among [`Schema::methods`].
    pub fn build_for(schema: &Schema, is_served: impl Fn(usize) -> bool) -> Result<Self, RouterError> {
        let mut router = Self { bindings: Vec::new(), trie: Trie::default(), verbs: HashSet::new() };
        for (index, method) in schema.methods().iter().enumerate().filter(|(index, _)| is_served(*index)) {
            for rule in &method.rules {
                let mut binding = bind(schema, index, method, rule)?;
                binding.index = router.bindings.len();
                if let Some(verb) = &binding.template.verb {
                    router.verbs.insert(verb.as_str().into());
                }
                let number = router.bindings.len() as u32;
                if let Err(other) = router.trie.insert(&binding.template, &rule.method, number) {
                    return Err(RouterError::Conflict {
                        first: router.bindings[other as usize].method(schema).full_name(),
                        second: method.full_name(),
                        http_method: rule.method.clone(),
                        template: rule.path.clone(),
                    });
                }
                router.bindings.push(binding);
            }
        }
        Ok(router)
    }

    /// Every rule, in the order of the schema.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The rule for an HTTP method and a path (without query). A literal segment beats `*`, which beats `**`; an exact
    /// HTTP method beats a rule for every method.
    pub fn find(&self, method: &str, path: &str) -> Result<Match<'_>, RouteError> {
        let rest = path.strip_prefix('/').ok_or(RouteError::NotFound)?;
        let mut segments = Vec::with_capacity(16);
        if !rest.is_empty() {
            for segment in rest.split('/') {
                if segments.len() == MAX_SEGMENTS {
                    return Err(RouteError::TooLong);
                }
                segments.push(segment);
            }
        }
        let mut allowed = Vec::new();
        // A colon is a verb's only if some template has that verb; else it belongs to the segment.
        if let Some(last) = segments.last().copied()
            && let Some((head, verb)) = last.rsplit_once(':')
            && self.verbs.contains(verb)
        {
            let mut split = Split { segments: segments.clone(), verb };
            if let Some(end) = split.segments.last_mut() {
                *end = head;
            }
            if let Some(found) = self.trie.find(method, &split, &mut allowed) {
                return self.matched(found, &split.segments);
            }
            // The path of a custom method is no resource's, whose id would end in the verb.
            if !allowed.is_empty() {
                return Err(not_allowed(allowed));
            }
        }
        let split = Split { segments, verb: "" };
        match self.trie.find(method, &split, &mut allowed) {
            Some(found) => self.matched(found, &split.segments),
            None if allowed.is_empty() => Err(RouteError::NotFound),
            None => Err(not_allowed(allowed)),
        }
    }

    fn matched(&self, binding: u32, segments: &[&str]) -> Result<Match<'_>, RouteError> {
        let binding = &self.bindings[binding as usize];
        let mut captures = Vec::with_capacity(binding.variables.len());
        for variable in &binding.variables {
            let from = binding.template.place(variable.from, segments.len());
            let to = binding.template.place(variable.to, segments.len());
            let text = match &segments[from..to] {
                [only] => percent::decode(only, variable.decode).map(Cow::into_owned),
                several => percent::decode(&several.join("/"), variable.decode).map(Cow::into_owned),
            };
            captures.push(text.map_err(|_| RouteError::InvalidEncoding)?);
        }
        Ok(Match { binding, captures })
    }
}

/// Resolves the names in a rule.
fn bind(schema: &Schema, index: usize, method: &Method, rule: &HttpRule) -> Result<Binding, RouterError> {
    let template = Template::parse(&rule.path).map_err(|reason| RouterError::Template {
        method: method.full_name(),
        template: rule.path.clone(),
        reason,
    })?;
    let unknown = |field: &str, message: MessageId| RouterError::UnknownField {
        method: method.full_name(),
        field: field.to_owned(),
        message: schema.message_name(message).to_owned(),
    };
    let mut variables = Vec::new();
    for variable in &template.variables {
        let path = resolve(schema, method.input, &variable.field).ok_or_else(|| unknown(&variable.field, method.input))?;
        if !path.last().is_some_and(|leaf| is_text(schema, schema.field(*leaf))) {
            return Err(RouterError::UnsuitableVariable { method: method.full_name(), field: variable.field.clone() });
        }
        let decode = if variable.multi { Decode::AllButSlash } else { Decode::All };
        variables.push(Variable { path, from: variable.from, to: variable.to, decode });
    }
    let top = |field: &str, message: MessageId| match resolve(schema, message, field).as_deref() {
        Some([only]) => Ok(*only),
        _ => Err(unknown(field, message)),
    };
    let body = match rule.body.as_str() {
        "" => Body::None,
        "*" => Body::Whole,
        field => Body::Field(top(field, method.input)?),
    };
    let response_body = match rule.response_body.as_str() {
        "" => None,
        field => Some(top(field, method.output)?),
    };
    let (input, output) = (method.input, method.output);
    Ok(Binding { index: 0, method: index, rule: rule.clone(), template, variables, body, response_body, input, output })
}

fn not_allowed(mut allowed: Vec<String>) -> RouteError {
    allowed.sort_unstable();
    allowed.dedup();
    RouteError::MethodNotAllowed { allowed }
}

/// The fields that `a.b.c` leads through: messages first, then anything.
pub(crate) fn resolve(schema: &Schema, message: MessageId, path: &str) -> Option<Vec<FieldIndex>> {
    let mut fields = Vec::new();
    let mut within = Some(message.0);
    for name in path.split('.') {
        let message = schema.get(within?);
        let index = FieldIndex(message.first + schema.field_by_name(message, name.as_bytes())? as u32);
        let field = schema.field(index);
        let inner = matches!(field.kind, Kind::Message | Kind::Group)
            && field.shape == Shape::Singular
            && schema.get(field.target).form == Form::Plain;
        within = inner.then_some(field.target);
        fields.push(index);
    }
    Some(fields)
}

/// Whether one text can spell the field's value.
pub(crate) fn is_text(schema: &Schema, field: &Field) -> bool {
    field.shape == Shape::Singular && is_text_kind(schema, field)
}

/// Whether one text can spell one value of the field.
pub(crate) fn is_text_kind(schema: &Schema, field: &Field) -> bool {
    match field.kind {
        Kind::Group => false,
        Kind::Message => {
            matches!(schema.get(field.target).form, Form::Wrapper | Form::Timestamp | Form::Duration | Form::FieldMask)
        }
        _ => true,
    }
}
