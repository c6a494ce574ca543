//! Descriptors to tables, in two passes: first every type gets its number, then fields can point to them.

use std::collections::HashMap;

use super::descriptor::{self, File};
use super::features::{Features, Presence};
use super::table::{Enum, Field, Form, Kind, Message, NO_ONEOF, Shape};
use super::{HttpRule, MessageId, Method, Names, Schema, SchemaError, Text};
use crate::escape::escape;
use crate::wire;

/// Fields of a message are numbered by `u16` in the dense table.
const MAX_FIELDS: usize = 60_000;

pub(super) fn build(set: &[u8]) -> Result<Schema, SchemaError> {
    let mut files = descriptor::read_set(set).map_err(SchemaError::Malformed)?;
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.name));
    let mut builder = Builder::default();
    for file in &files {
        builder.declare_file(file)?;
    }
    builder.collect_extensions()?;
    builder.build_enums();
    for index in 0..builder.messages.len() {
        builder.build_message(index)?;
    }
    builder.check_maps()?;
    for file in &files {
        builder.build_methods(file)?;
    }
    Ok(builder.finish())
}

/// A message with what it inherits.
struct DeclaredMessage<'a> {
    name: String,
    features: Features,
    declared: &'a descriptor::Message<'a>,
}

/// An extension with the scope of its name.
struct DeclaredExtension<'a> {
    scope: String,
    features: Features,
    declared: &'a descriptor::Field<'a>,
}

struct DeclaredEnum<'a> {
    name: String,
    features: Features,
    declared: &'a descriptor::Enum<'a>,
}

#[derive(Default)]
struct Builder<'a> {
    messages: Vec<DeclaredMessage<'a>>,
    enums: Vec<DeclaredEnum<'a>>,
    extensions: Vec<DeclaredExtension<'a>>,
    message_ids: HashMap<String, u32>,
    enum_ids: HashMap<String, u32>,
    /// Indices of `extensions` by extended message.
    extensions_of: HashMap<u32, Vec<usize>>,
    built_messages: Vec<Message>,
    built_fields: Vec<Field>,
    built_enums: Vec<Enum>,
    enum_values: Vec<(i32, Text)>,
    dense: Vec<u16>,
    names: Names,
    methods: Vec<Method>,
}

/// A field before it has its place.
struct Draft<'a> {
    field: Field,
    name: String,
    json_name: std::borrow::Cow<'a, str>,
}

impl<'a> Builder<'a> {
    fn declare_file(&mut self, file: &'a File<'a>) -> Result<(), SchemaError> {
        let features = Features::of_file(file.syntax, file.edition)
            .ok_or_else(|| SchemaError::UnsupportedSyntax { file: file.name.to_owned() })?
            .with(file.options.features);
        for message in &file.messages {
            self.declare_message(file.package, features, message)?;
        }
        for declared in &file.enums {
            self.declare_enum(file.package, features, declared)?;
        }
        self.declare_extensions(file.package, features, &file.extensions);
        Ok(())
    }

    fn declare_message(
        &mut self,
        scope: &str,
        outer: Features,
        declared: &'a descriptor::Message<'a>,
    ) -> Result<(), SchemaError> {
        let name = join(scope, declared.name);
        let features = outer.with(declared.options.features);
        for message in &declared.messages {
            self.declare_message(&name, features, message)?;
        }
        for inner in &declared.enums {
            self.declare_enum(&name, features, inner)?;
        }
        self.declare_extensions(&name, features, &declared.extensions);
        let id = self.messages.len() as u32;
        if self.message_ids.insert(name.clone(), id).is_some() {
            return Err(SchemaError::Duplicate(name));
        }
        self.messages.push(DeclaredMessage { name, features, declared });
        Ok(())
    }

    fn declare_enum(&mut self, scope: &str, outer: Features, declared: &'a descriptor::Enum<'a>) -> Result<(), SchemaError> {
        let name = join(scope, declared.name);
        if self.enum_ids.insert(name.clone(), self.enums.len() as u32).is_some() {
            return Err(SchemaError::Duplicate(name));
        }
        self.enums.push(DeclaredEnum { name, features: outer.with(declared.options.features), declared });
        Ok(())
    }

    fn declare_extensions(&mut self, scope: &str, features: Features, declared: &'a [descriptor::Field<'a>]) {
        for declared in declared {
            self.extensions.push(DeclaredExtension { scope: scope.to_owned(), features, declared });
        }
    }

    fn collect_extensions(&mut self) -> Result<(), SchemaError> {
        for (index, extension) in self.extensions.iter().enumerate() {
            let extendee = extension.declared.extendee;
            let id = self.message_ids.get(extendee.trim_start_matches('.')).ok_or_else(|| SchemaError::UnknownType {
                at: join(&extension.scope, extension.declared.name),
                name: extendee.to_owned(),
            })?;
            self.extensions_of.entry(*id).or_default().push(index);
        }
        Ok(())
    }

    fn build_enums(&mut self) {
        for DeclaredEnum { name, features, declared } in &self.enums {
            let all_first = self.enum_values.len() as u32;
            let mut named = Vec::with_capacity(declared.values.len());
            for (value, number) in &declared.values {
                let quoted = self.names.add(&["\"", value, "\""]);
                named.push((Text { at: quoted.at + 1, len: quoted.len - 2 }, self.enum_values.len() as u32));
                self.enum_values.push((*number, quoted));
            }
            let names = self.names.table(&named);
            let mut sorted = self.enum_values[all_first as usize..].to_vec();
            sorted.sort_by_key(|value| value.0);
            sorted.dedup_by_key(|value| value.0);
            let first = self.enum_values.len() as u32;
            self.enum_values.extend_from_slice(&sorted);
            self.built_enums.push(Enum {
                values: (first, sorted.len() as u32),
                all: (all_first, declared.values.len() as u32),
                names,
                closed: features.closed_enum(),
                null: name == "google.protobuf.NullValue",
            });
        }
    }

    fn build_message(&mut self, index: usize) -> Result<(), SchemaError> {
        let message = &self.messages[index];
        let mut oneof_ids = HashMap::new();
        let mut drafts = Vec::with_capacity(message.declared.fields.len());
        for declared in &message.declared.fields {
            drafts.push(self.draft(message, declared, &mut oneof_ids)?);
        }
        for extension in self.extensions_of.get(&(index as u32)).into_iter().flatten() {
            drafts.push(self.draft_extension(&self.extensions[*extension])?);
        }
        drafts.sort_by_key(|draft| draft.field.number);
        if let Some(pair) = drafts.windows(2).find(|pair| pair[0].field.number == pair[1].field.number) {
            let number = pair[0].field.number;
            return Err(SchemaError::DuplicateNumber { message: message.name.clone(), number });
        }
        if drafts.len() > MAX_FIELDS {
            return Err(SchemaError::InvalidField { field: message.name.clone() });
        }
        let form = form(&message.name, message.declared.options.message_set);
        let oneofs = oneof_ids.len() as u32;
        check_form(form, &message.name, &drafts)?;
        self.place(form, oneofs, drafts);
        Ok(())
    }

    /// Refuses maps whose entry is not a key and a value: translation relies on both.
    fn check_maps(&self) -> Result<(), SchemaError> {
        for field in self.built_fields.iter().filter(|field| field.shape == Shape::Map) {
            let entry = &self.built_messages[field.target as usize];
            let name = &self.messages[field.target as usize].name;
            let fields = &self.built_fields[entry.first as usize..(entry.first + entry.count) as usize];
            match fields {
                [key, value]
                    if key.number == 1
                        && value.number == 2
                        && key.kind.map_key()
                        && value.kind != Kind::Group
                        && key.shape == Shape::Singular
                        && value.shape == Shape::Singular => {}
                _ => return Err(SchemaError::InvalidField { field: name.clone() }),
            }
        }
        Ok(())
    }

    /// Gives the fields of a message their rows, keys, and ways to be found.
    fn place(&mut self, form: Form, oneofs: u32, drafts: Vec<Draft<'a>>) {
        let first = self.built_fields.len() as u32;
        let count = drafts.len() as u32;
        let dense = self.dense_numbers(&drafts);
        let required = drafts.iter().any(|draft| draft.field.required);
        let mut named = Vec::with_capacity(drafts.len() * 2);
        for (index, draft) in drafts.into_iter().enumerate() {
            let mut field = draft.field;
            if field.oneof != NO_ONEOF {
                field.oneof += count;
            }
            field.finite = form == Form::Value;
            field.json_key = self.names.add(&[",\"", &escape(&draft.json_name), "\":"]);
            field.original_key = if draft.json_name == draft.name {
                field.json_key
            } else {
                self.names.add(&[",\"", &escape(&draft.name), "\":"])
            };
            for (name, key) in [(draft.json_name.as_ref(), field.json_key), (&draft.name, field.original_key)] {
                let plain = Text { at: key.at + 2, len: key.len - 4 };
                let text = if plain.len as usize == name.len() { plain } else { self.names.add(&[name]) };
                named.push((text, index as u32));
            }
            self.built_fields.push(field);
        }
        // A JSON name goes before another field's original name.
        named.sort_by_key(|(text, index)| text.at != self.built_fields[(first + index) as usize].json_key.at + 2);
        let names = self.names.table(&named);
        self.built_messages.push(Message { first, count, oneofs, dense, names, form, required });
    }

    /// The table that finds fields of small numbers at once.
    fn dense_numbers(&mut self, drafts: &[Draft<'_>]) -> (u32, u32) {
        let bound = (drafts.len() * 4).max(64) as u32;
        let length = drafts.iter().map(|d| d.field.number).filter(|n| *n < bound).max().map_or(0, |n| n + 1);
        let start = self.dense.len();
        self.dense.resize(start + length as usize, u16::MAX);
        for (index, draft) in drafts.iter().enumerate() {
            if draft.field.number < length {
                self.dense[start + draft.field.number as usize] = index as u16;
            }
        }
        (start as u32, length)
    }

    fn draft(
        &self,
        message: &DeclaredMessage<'a>,
        declared: &'a descriptor::Field<'a>,
        oneof_ids: &mut HashMap<i32, u32>,
    ) -> Result<Draft<'a>, SchemaError> {
        let mut outer = message.features;
        // The oneof that proto3 `optional` hides behind is none.
        let oneof = declared.oneof.filter(|_| !declared.proto3_optional);
        if let Some(options) = declared.oneof.and_then(|index| message.declared.oneofs.get(index as usize)) {
            outer = outer.with(options.features);
        }
        let next = oneof_ids.len() as u32;
        let oneof_id = oneof.map_or(NO_ONEOF, |index| *oneof_ids.entry(index).or_insert(next));
        let in_entry = message.declared.options.map_entry;
        let full_name = join(&message.name, declared.name);
        let mut field = self.field(&full_name, declared, outer, in_entry)?;
        field.oneof = oneof_id;
        if oneof.is_some() || declared.proto3_optional {
            field.implicit = false;
        }
        let json_name = match declared.json_name {
            "" => lower_camel(declared.name).into(),
            given => given.into(),
        };
        Ok(Draft { field, name: declared.name.to_owned(), json_name })
    }

    fn draft_extension(&self, extension: &DeclaredExtension<'a>) -> Result<Draft<'a>, SchemaError> {
        let full_name = join(&extension.scope, extension.declared.name);
        let mut field = self.field(&full_name, extension.declared, extension.features, false)?;
        field.implicit = false;
        let name = format!("[{full_name}]");
        Ok(Draft { field, json_name: name.clone().into(), name })
    }

    fn field(
        &self,
        full_name: &str,
        declared: &descriptor::Field<'_>,
        outer: Features,
        in_entry: bool,
    ) -> Result<Field, SchemaError> {
        let invalid = || SchemaError::InvalidField { field: full_name.to_owned() };
        let features = outer.with(declared.options.features);
        let mut kind = Kind::of(declared.kind).ok_or_else(invalid)?;
        let number = u32::try_from(declared.number).map_err(|_| invalid())?;
        if number == 0 || number > wire::MAX_FIELD_NUMBER {
            return Err(invalid());
        }
        let target = self.target(full_name, kind, declared.type_name)?;
        let mut shape = if declared.label == 3 { Shape::Repeated } else { Shape::Singular };
        if shape == Shape::Repeated && kind == Kind::Message && self.is_entry(target) {
            shape = Shape::Map;
        }
        if kind == Kind::Message && features.delimited() && shape != Shape::Map && !in_entry {
            kind = Kind::Group;
        }
        let packed = shape == Shape::Repeated && kind.packable() && declared.options.packed.unwrap_or_else(|| features.packed());
        let required = declared.label == 2 || features.presence() == Presence::Required;
        let is_message = matches!(kind, Kind::Message | Kind::Group);
        let implicit =
            shape == Shape::Singular && !is_message && !required && !in_entry && features.presence() == Presence::Implicit;
        Ok(plain_field(number, kind, shape, packed, target, implicit, required, self.is_nullable(kind, target)))
    }

    fn target(&self, at: &str, kind: Kind, type_name: &str) -> Result<u32, SchemaError> {
        let name = type_name.trim_start_matches('.');
        let found = match kind {
            Kind::Message | Kind::Group => self.message_ids.get(name),
            Kind::Enum => self.enum_ids.get(name),
            _ => return Ok(0),
        };
        found.copied().ok_or_else(|| SchemaError::UnknownType { at: at.to_owned(), name: name.to_owned() })
    }

    fn is_entry(&self, message: u32) -> bool {
        self.messages[message as usize].declared.options.map_entry
    }

    fn is_nullable(&self, kind: Kind, target: u32) -> bool {
        match kind {
            Kind::Message => self.messages[target as usize].name == "google.protobuf.Value",
            Kind::Enum => self.enums[target as usize].name == "google.protobuf.NullValue",
            _ => false,
        }
    }

    fn build_methods(&mut self, file: &File<'_>) -> Result<(), SchemaError> {
        for service in &file.services {
            let service_name = join(file.package, service.name);
            for method in &service.methods {
                let at = join(&service_name, method.name);
                let mut rules = Vec::new();
                if let Some(rule) = &method.http {
                    flatten(rule, &mut rules);
                }
                self.methods.push(Method {
                    service: service_name.clone(),
                    name: method.name.to_owned(),
                    input: MessageId(self.target(&at, Kind::Message, method.input)?),
                    output: MessageId(self.target(&at, Kind::Message, method.output)?),
                    client_streaming: method.client_streaming,
                    server_streaming: method.server_streaming,
                    options: method.options.to_vec(),
                    rules,
                });
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Schema {
        // Keys are copied in blocks of 32 bytes: let the last one lie inside the text.
        self.names.text.extend_from_slice(&[0; 64]);
        Schema {
            messages: self.built_messages,
            fields: self.built_fields,
            enums: self.built_enums,
            enum_values: self.enum_values,
            dense: self.dense,
            names: self.names,
            message_names: self.messages.into_iter().map(|message| message.name).collect(),
            by_name: self.message_ids,
            methods: self.methods,
        }
    }
}

#[expect(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "a row of the table, named in order")]
fn plain_field(
    number: u32,
    kind: Kind,
    shape: Shape,
    packed: bool,
    target: u32,
    implicit: bool,
    required: bool,
    nullable: bool,
) -> Field {
    let tag = number << 3 | kind.wire_type();
    let packed_tag = if shape == Shape::Repeated && kind.packable() { number << 3 | wire::LEN } else { 0 };
    let (written_tag, written_len) = encode_tag(if packed { packed_tag } else { tag });
    Field {
        number,
        tag,
        packed_tag,
        target,
        oneof: NO_ONEOF,
        kind,
        shape,
        implicit,
        required,
        packed,
        nullable,
        finite: false,
        written_tag,
        written_len,
        json_key: Text::default(),
        original_key: Text::default(),
    }
}

fn encode_tag(mut tag: u32) -> ([u8; 8], u8) {
    let mut bytes = [0; 8];
    let mut len = 0;
    while tag >= 0x80 {
        bytes[len] = tag as u8 | 0x80;
        tag >>= 7;
        len += 1;
    }
    bytes[len] = tag as u8;
    (bytes, len as u8 + 1)
}

fn flatten(rule: &descriptor::Rule<'_>, rules: &mut Vec<HttpRule>) {
    if let Some((method, path)) = rule.pattern {
        rules.push(HttpRule {
            method: method.to_owned(),
            path: path.to_owned(),
            body: rule.body.to_owned(),
            response_body: rule.response_body.to_owned(),
        });
    }
    for additional in &rule.additional {
        flatten(additional, rules);
    }
}

fn form(name: &str, message_set: bool) -> Form {
    match name.strip_prefix("google.protobuf.") {
        Some("Any") => Form::Any,
        Some("Timestamp") => Form::Timestamp,
        Some("Duration") => Form::Duration,
        Some("FieldMask") => Form::FieldMask,
        Some("Struct") => Form::Struct,
        Some("ListValue") => Form::ListValue,
        Some("Value") => Form::Value,
        Some("Empty") => Form::Empty,
        Some(
            "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value" | "UInt32Value" | "BoolValue"
            | "StringValue" | "BytesValue",
        ) => Form::Wrapper,
        _ if message_set => Form::MessageSet,
        _ => Form::Plain,
    }
}

/// Refuses a well-known type with other fields: translation relies on them.
fn check_form(form: Form, name: &str, drafts: &[Draft<'_>]) -> Result<(), SchemaError> {
    let singular = |kind| (Shape::Singular, kind);
    let expected: &[(Shape, Kind)] = match form {
        Form::Any => &[singular(Kind::String), singular(Kind::Bytes)],
        Form::Timestamp | Form::Duration => &[singular(Kind::Int64), singular(Kind::Int32)],
        Form::FieldMask => &[(Shape::Repeated, Kind::String)],
        Form::Struct => &[(Shape::Map, Kind::Message)],
        Form::ListValue => &[(Shape::Repeated, Kind::Message)],
        Form::Value => &[
            singular(Kind::Enum),
            singular(Kind::Double),
            singular(Kind::String),
            singular(Kind::Bool),
            singular(Kind::Message),
            singular(Kind::Message),
        ],
        Form::Wrapper => match drafts {
            [only]
                if only.field.number == 1
                    && only.field.shape == Shape::Singular
                    && (only.field.kind.packable() || matches!(only.field.kind, Kind::String | Kind::Bytes)) =>
            {
                return Ok(());
            }
            _ => return Err(SchemaError::WellKnownType(name.to_owned())),
        },
        Form::Plain | Form::MessageSet | Form::Empty => return Ok(()),
    };
    let fits = drafts.len() == expected.len()
        && drafts.iter().zip(expected).enumerate().all(|(i, (draft, (shape, kind)))| {
            draft.field.number == i as u32 + 1 && draft.field.shape == *shape && draft.field.kind == *kind
        });
    if fits { Ok(()) } else { Err(SchemaError::WellKnownType(name.to_owned())) }
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// The JSON name protoc gives a field: an underscore goes, and the letter behind it is raised.
pub(crate) fn lower_camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for c in name.chars() {
        if c == '_' {
            raise = true;
        } else {
            camel.push(if raise { c.to_ascii_uppercase() } else { c });
            raise = false;
        }
    }
    camel
}
