//! Where a field's value is found: set or not, in a list, in a map, in a oneof.

use proc_macro2::TokenStream;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, Value};
use quote::quote;

use super::{Ignore, Rules, is_set, is_text, not_compiled, rule};
use crate::{debug::real_oneof, generator::Generator, names};

/// `value`, a reference to what prost keeps, as the checks take it.
fn unwrapped(kind: &Kind) -> TokenStream {
    match kind {
        Kind::String => quote!(value.as_str()),
        Kind::Bytes => quote!(&value[..]),
        Kind::Message(_) => quote!(value),
        _ => quote!(*value),
    }
}

/// If `value`, as the checks take it, is not its type's zero. Messages are never: they have presence.
fn is_not_zero(kind: &Kind) -> TokenStream {
    match kind {
        Kind::String | Kind::Bytes => quote!(!value.is_empty()),
        Kind::Bool => quote!(value),
        Kind::Float | Kind::Double => quote!(value != 0.0),
        Kind::Message(_) => quote!(true),
        _ => quote!(value != 0),
    }
}

/// The kind of a field's values, in a map or without.
fn kind_of(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

/// True for messages with rules of their own, which are ignored with the field.
fn is_message(kind: &Kind) -> bool {
    matches!(kind, Kind::Message(_)) && !is_text(kind)
}

/// `checks`, or nothing if there are none.
fn around(checks: &TokenStream, code: TokenStream) -> TokenStream {
    if checks.is_empty() { TokenStream::new() } else { code }
}

impl Generator<'_> {
    /// The checks of a field, on `self` and `violations`.
    pub(super) fn checks_of_field(&self, field: &FieldDescriptor) -> Result<TokenStream, String> {
        let mut rules = self.rules_of(field)?;
        if rules.ignore == Ignore::Always {
            if is_message(&kind_of(field)) {
                return Ok(TokenStream::new());
            }
            rules = Rules::NONE;
        }
        let checks = if field.is_map() {
            self.checks_of_map(field, &rules)?
        } else if field.is_list() {
            self.checks_of_list(field, &rules)?
        } else if field.supports_presence() {
            self.checks_of_optional(field, &rules)?
        } else {
            self.checks_of_plain(field, &rules)?
        };
        let name = field.name();
        Ok(around(&checks, quote!(violations.field(#name, |violations| { #checks });)))
    }

    /// A field without presence: its zero is a value like any other, unless `required` or `ignore`.
    fn checks_of_plain(&self, field: &FieldDescriptor, rules: &Rules) -> Result<TokenStream, String> {
        let (member, kind) = (names::snake(field.name()), field.kind());
        let (unwrapped, not_zero) = (unwrapped(&kind), is_not_zero(&kind));
        let checks = self.checks_of_value(&kind, rules)?;
        let required = rule(&quote!(false), "required", "is required");
        let checks = match (rules.required, rules.ignore) {
            (true, _) => quote!(if #not_zero { #checks } else { #required }),
            (false, Ignore::IfZeroValue) => around(&checks, quote!(if #not_zero { #checks })),
            (false, _) => checks,
        };
        Ok(around(&checks, quote!(let value = &self.#member; let value = #unwrapped; #checks)))
    }

    /// A field with presence: a message, a field marked `optional`, a member of a oneof.
    fn checks_of_optional(&self, field: &FieldDescriptor, rules: &Rules) -> Result<TokenStream, String> {
        let (kind, some) = (field.kind(), quote!(::core::option::Option::Some));
        let (member, pattern) = match real_oneof(field) {
            None => (names::snake(field.name()), quote!(#some(value))),
            Some(oneof) => {
                let (path, variant) = (self.oneof(&oneof), names::camel(field.name()));
                (names::snake(oneof.name()), quote!(#some(#path::#variant(value))))
            }
        };
        let (unwrapped, not_zero) = (unwrapped(&kind), is_not_zero(&kind));
        let checks = self.checks_of_value(&kind, rules)?;
        let checks = match rules.ignore {
            Ignore::IfZeroValue => around(&checks, quote!(if #not_zero { #checks })),
            Ignore::Unspecified | Ignore::Always => checks,
        };
        let required = if rules.required {
            let required = rule(&quote!(false), "required", "is required");
            quote!(else { #required })
        } else if checks.is_empty() {
            return Ok(TokenStream::new());
        } else {
            TokenStream::new()
        };
        Ok(quote!(if let #pattern = &self.#member { let value = #unwrapped; #checks } #required))
    }

    fn checks_of_list(&self, field: &FieldDescriptor, rules: &Rules) -> Result<TokenStream, String> {
        let (member, kind) = (names::snake(field.name()), field.kind());
        let list = of_type(rules, "repeated", field)?;
        let mut checks = size_checks(rules, list.as_ref(), &quote!(self.#member.len()), "repeated", "items", "item");
        if list.as_ref().is_some_and(|list| is_set(list, "unique")) {
            if matches!(kind, Kind::Float | Kind::Double | Kind::Message(_)) {
                return Err(not_compiled("repeated.unique"));
            }
            let runtime = &self.runtime;
            let unique = quote!(#runtime::validation::is_unique(self.#member.iter()));
            checks.extend(rule(&unique, "repeated.unique", "must hold no item twice"));
        }
        let items = self.checks_of_part(&kind, list.as_ref(), "items")?;
        checks.extend(around(
            &items,
            quote!(for (index, value) in self.#member.iter().enumerate() { violations.item(index, |violations| { #items }); }),
        ));
        Ok(checks)
    }

    fn checks_of_map(&self, field: &FieldDescriptor, rules: &Rules) -> Result<TokenStream, String> {
        let member = names::snake(field.name());
        let map = of_type(rules, "map", field)?;
        let mut checks = size_checks(rules, map.as_ref(), &quote!(self.#member.len()), "map", "pairs", "entry");
        let Kind::Message(entry) = field.kind() else { return Ok(checks) };
        let keys = self.checks_of_part(&entry.map_entry_key_field().kind(), map.as_ref(), "keys")?;
        let values = self.checks_of_part(&entry.map_entry_value_field().kind(), map.as_ref(), "values")?;
        if !keys.is_empty() || !values.is_empty() {
            let keys = around(&keys, quote!({ let value = key; #keys }));
            // A violation names the entry, so the keys of a sensitive map are counted instead of said.
            checks.extend(if self.is_sensitive(field) {
                quote! {
                    for (index, (key, value)) in self.#member.iter().enumerate() {
                        violations.item(index, |violations| { #keys #values });
                    }
                }
            } else {
                quote!(for (key, value) in &self.#member { violations.entry(key, |violations| { #keys #values }); })
            });
        }
        Ok(checks)
    }

    /// The checks of a list's items, a map's keys or its values, on a reference `value`. They are
    /// always set, so `required` asks nothing of them.
    fn checks_of_part(&self, kind: &Kind, rules: Option<&DynamicMessage>, part: &str) -> Result<TokenStream, String> {
        let rules = match rules.filter(|rules| rules.has_field_by_name(part)).and_then(|rules| rules.get_field_by_name(part)) {
            Some(rules) => rules.as_message().map_or(Ok(Rules::NONE), Rules::read)?,
            None => Rules::NONE,
        };
        let checks = self.checks_of_value(kind, &rules)?;
        let (unwrapped, not_zero) = (unwrapped(kind), is_not_zero(kind));
        let checks = match rules.ignore {
            Ignore::Always if is_message(kind) => return Ok(TokenStream::new()),
            Ignore::Always => self.checks_within(kind),
            Ignore::IfZeroValue => around(&checks, quote!(if #not_zero { #checks })),
            Ignore::Unspecified => checks,
        };
        Ok(around(&checks, quote!(let value = #unwrapped; #checks)))
    }
}

/// The rules of a list or map as a whole.
fn of_type(rules: &Rules, name: &str, field: &FieldDescriptor) -> Result<Option<DynamicMessage>, String> {
    match &rules.of_type {
        None => Ok(None),
        Some((given, message)) if given == name => {
            let known = ["min_items", "max_items", "unique", "items", "min_pairs", "max_pairs", "keys", "values"];
            match message.fields().find(|(rule, _)| !known.contains(&rule.name())) {
                Some((rule, _)) => Err(not_compiled(&format!("{name}.{}", rule.name()))),
                None => Ok(Some(message.clone())),
            }
        }
        Some((given, _)) => Err(format!("`{given}` rules do not fit {}, which is {name}", field.name())),
    }
}

/// How many there may be. An empty list or map is one that is not set.
fn size_checks(
    rules: &Rules,
    of_type: Option<&DynamicMessage>,
    length: &TokenStream,
    kind: &str,
    plural: &str,
    singular: &str,
) -> TokenStream {
    let mut checks = TokenStream::new();
    let limit = |name: &str| {
        let value = of_type.filter(|rules| rules.has_field_by_name(name))?.get_field_by_name(name)?.into_owned();
        if let Value::U64(limit) = value { Some(limit) } else { None }
    };
    let counted = |limit: u64| if limit == 1 { format!("1 {singular}") } else { format!("{limit} {}", plural_of(singular)) };
    if let Some(least) = limit(&format!("min_{plural}")) {
        let bound = proc_macro2::Literal::u64_suffixed(least);
        let name = format!("{kind}.min_{plural}");
        checks.extend(rule(&quote!(#length as u64 >= #bound), &name, &format!("must have at least {}", counted(least))));
    }
    if let Some(most) = limit(&format!("max_{plural}")) {
        let bound = proc_macro2::Literal::u64_suffixed(most);
        let name = format!("{kind}.max_{plural}");
        checks.extend(rule(&quote!(#length as u64 <= #bound), &name, &format!("must have at most {}", counted(most))));
    }
    match (rules.required, rules.ignore) {
        (true, _) => {
            let required = rule(&quote!(false), "required", "is required");
            quote!(if #length == 0 { #required } else { #checks })
        }
        (false, Ignore::IfZeroValue) => around(&checks, quote!(if #length != 0 { #checks })),
        (false, _) => checks,
    }
}

fn plural_of(singular: &str) -> &'static str {
    if singular == "entry" { "entries" } else { "items" }
}
