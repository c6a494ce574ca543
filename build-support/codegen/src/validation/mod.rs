//! Field rules (`buf.validate`), compiled to plain checks.
//!
//! Semantics are protovalidate's: rules of a field without presence always hold, those of a field with
//! presence only while it is set, and `ignore` narrows both. A rule that cannot be compiled is refused
//! by name, so none is ever silently unchecked. Every string is held to one
//! rule more, also where the others are ignored: it contains no NUL.

mod bounds;
mod field;
mod text;
mod value;

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, Value};
use quote::quote;

use crate::{Refusal, generator::Generator, names, options};

/// What `buf.validate.FieldRules` says of a field, an item, a key or a value.
struct Rules {
    required: bool,
    ignore: Ignore,
    /// The rules of the type, and their name: `string`.
    of_type: Option<(String, DynamicMessage)>,
}

/// `buf.validate.Ignore`
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ignore {
    Unspecified,
    IfZeroValue,
    Always,
}

impl Rules {
    const NONE: Self = Self { required: false, ignore: Ignore::Unspecified, of_type: None };

    fn read(message: &DynamicMessage) -> Result<Self, String> {
        let mut rules = Self::NONE;
        for (field, value) in message.fields() {
            match (field.name(), value) {
                ("required", Value::Bool(required)) => rules.required = *required,
                ("ignore", Value::EnumNumber(0)) => rules.ignore = Ignore::Unspecified,
                ("ignore", Value::EnumNumber(1)) => rules.ignore = Ignore::IfZeroValue,
                ("ignore", Value::EnumNumber(3)) => rules.ignore = Ignore::Always,
                (name, Value::Message(of_type)) => rules.of_type = Some((name.to_owned(), of_type.clone())),
                (name, _) => return Err(not_compiled(name)),
            }
        }
        Ok(rules)
    }
}

/// The sentence that refuses a rule.
fn not_compiled(rule: &str) -> String {
    format!("the rule `{rule}` cannot be compiled; check it in the handler")
}

/// A check of `value`: reported as `rule`, unless `holds`.
fn rule(holds: &TokenStream, rule: &str, description: &str) -> TokenStream {
    quote!(violations.rule(#holds, #rule, #description);)
}

impl Generator<'_> {
    /// The checks of all messages, or what cannot be checked.
    pub(crate) fn validation(&self) -> Result<TokenStream, Vec<Refusal>> {
        let (mut checks, mut refusals) = (TokenStream::new(), Vec::new());
        for message in &self.package.messages {
            checks.extend(self.checks_of_message(message, &mut refusals));
        }
        if refusals.is_empty() { Ok(checks) } else { Err(refusals) }
    }

    fn checks_of_message(&self, message: &MessageDescriptor, refusals: &mut Vec<Refusal>) -> TokenStream {
        let (package, runtime, path) = (self.package, &self.runtime, self.message(message));
        let file = message.parent_file();
        if let Some(Value::Message(rules)) = options::value(&package.pool, &message.options(), "buf.validate.message") {
            let names = rules.fields().map(|(rule, _)| not_compiled(&format!("message.{}", rule.name())));
            refusals.extend(names.map(|problem| package.refusal(&file, message.full_name(), problem)));
        }
        let mut checks = TokenStream::new();
        for field in message.fields() {
            match self.checks_of_field(&field) {
                Ok(of_field) => checks.extend(of_field),
                Err(problem) => refusals.push(package.refusal(&file, field.full_name(), problem)),
            }
        }
        checks.extend(message.oneofs().filter_map(|oneof| self.checks_of_oneof(&oneof)));
        quote! {
            impl #runtime::Validate for #path {
                fn validate(&self, violations: &mut #runtime::validation::Violations) { #checks }
            }
        }
    }

    fn checks_of_oneof(&self, oneof: &OneofDescriptor) -> Option<TokenStream> {
        let rules = options::value(&self.package.pool, &oneof.options(), "buf.validate.oneof")?;
        rules.as_message().filter(|rules| is_set(rules, "required"))?;
        let (name, member) = (oneof.name(), names::snake(oneof.name()));
        let check = rule(&quote!(self.#member.is_some()), "required", "one of its fields must be set");
        Some(quote!(violations.field(#name, |violations| { #check });))
    }

    /// The rules that stand on a field.
    fn rules_of(&self, field: &FieldDescriptor) -> Result<Rules, String> {
        match options::value(&self.package.pool, &field.options(), "buf.validate.field") {
            Some(Value::Message(rules)) => Rules::read(&rules),
            _ => Ok(Rules::NONE),
        }
    }

    /// True if anything in the message can break a rule.
    fn is_checked(&self, message: &MessageDescriptor) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![message.clone()]);
        while let Some(message) = open.pop() {
            if is_well_known(&message) || !seen.insert(message.full_name().to_owned()) {
                continue;
            }
            let pool = &self.package.pool;
            let has_rules = |field: FieldDescriptor| options::value(pool, &field.options(), "buf.validate.field").is_some();
            let has_rule = |oneof: OneofDescriptor| options::value(pool, &oneof.options(), "buf.validate.oneof").is_some();
            let has_text = |field: FieldDescriptor| is_text(&field.kind());
            if message.fields().any(has_rules) || message.fields().any(has_text) || message.oneofs().any(has_rule) {
                return true;
            }
            open.extend(message.fields().filter_map(|field| field.kind().as_message().cloned()));
        }
        false
    }
}

/// Google's own messages have no rules of their own.
fn is_well_known(message: &MessageDescriptor) -> bool {
    message.package_name() == "google.protobuf"
}

/// True for strings, in Google's wrapper or without.
fn is_text(kind: &Kind) -> bool {
    match kind {
        Kind::String => true,
        Kind::Message(message) => message.full_name() == "google.protobuf.StringValue",
        _ => false,
    }
}

fn is_set(rules: &DynamicMessage, rule: &str) -> bool {
    rules.get_field_by_name(rule).is_some_and(|value| value.as_bool() == Some(true))
}
