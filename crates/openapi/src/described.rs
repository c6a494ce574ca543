//! Descriptors as they are looked at: types by name, with their comments.

use std::collections::HashSet;

use prost::{Message, bytes::Bytes};
use prost_reflect::{DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, MessageDescriptor, Value};
use weft_transcode::Schema;

use crate::{comments::Comments, error::OpenApiError};

/// The descriptors of a set.
pub(crate) struct Described {
    pub(crate) pool: DescriptorPool,
    pub(crate) comments: Comments,
    /// The same for methods and their rules.
    pub(crate) schema: Schema,
}

/// `google.protobuf.FileDescriptorSet`, its files unread.
#[derive(Clone, PartialEq, Message)]
struct Files {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    files: Vec<Bytes>,
}

/// `google.protobuf.FileDescriptorProto`, as far as it names the file and what it is written in.
#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "12")]
    syntax: String,
}

/// A file of an edition as one of proto2, to which its fields' presence is nearest. A document tells no more of the difference,
/// and reflection knows no editions.
fn as_proto2(file: &Bytes) -> Bytes {
    let mut file = file.to_vec();
    // The last value of a field is the one that holds.
    file.extend(Head { name: String::new(), syntax: "proto2".to_owned() }.encode_to_vec());
    file.into()
}

impl Described {
    /// Reads a set in which a file may occur more than once, as it does where sets were joined.
    pub(crate) fn read(set: &[u8]) -> Result<Self, OpenApiError> {
        let mut seen = HashSet::new();
        let mut once = Files::default();
        for file in Files::decode(set)?.files {
            let head = Head::decode(file.clone())?;
            if seen.insert(head.name) {
                once.files.push(if head.syntax == "editions" { as_proto2(&file) } else { file });
            }
        }
        let pool = DescriptorPool::decode(once.encode_to_vec().as_slice())?;
        Ok(Self { comments: Comments::of(&pool), pool, schema: Schema::from_descriptor_set(set)? })
    }

    pub(crate) fn message(&self, name: &str) -> Result<MessageDescriptor, OpenApiError> {
        self.pool.get_message_by_name(name).ok_or_else(|| OpenApiError::UnknownMessage(name.to_owned()))
    }

    pub(crate) fn comment_of_message(&self, message: &MessageDescriptor) -> &str {
        self.comments.at(&message.parent_file(), message.path())
    }

    pub(crate) fn comment_of_field(&self, field: &FieldDescriptor) -> &str {
        self.comments.at(&field.parent_file(), field.path())
    }

    /// The comment of an enum, with a list of its values and theirs.
    pub(crate) fn comment_of_enum(&self, found: &EnumDescriptor) -> String {
        let values = found.values().filter_map(|value| {
            let comment = self.comments.at(&value.parent_file(), value.path()).replace('\n', " ");
            (!comment.is_empty()).then(|| format!("- `{}`: {comment}", value.name()))
        });
        let values: Vec<_> = values.collect();
        let about = self.comments.at(&found.parent_file(), found.path());
        if values.is_empty() { about.to_owned() } else { format!("{about}\n\n{}", values.join("\n")).trim().to_owned() }
    }

    /// The value of an option; `None` where it is not set, or the set does not declare it.
    pub(crate) fn option(&self, options: &DynamicMessage, name: &str) -> Option<Value> {
        let extension = self.pool.get_extension_by_name(name)?;
        options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
    }

    /// Whether `google.api.field_behavior` of a field has this value.
    pub(crate) fn behaves(&self, field: &FieldDescriptor, behavior: Behavior) -> bool {
        let Some(Value::List(values)) = self.option(&field.options(), "google.api.field_behavior") else { return false };
        values.iter().any(|value| value.as_enum_number() == Some(behavior as i32))
    }

    /// Whether a field holds a secret.
    pub(crate) fn is_sensitive(&self, field: &FieldDescriptor) -> bool {
        matches!(self.option(&field.options(), "weft.mesh.v1.sensitive"), Some(Value::Bool(true)))
    }
}

/// `google.api.FieldBehavior` (AIP-203), as far as a document shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behavior {
    Required = 2,
    OutputOnly = 3,
    InputOnly = 4,
}

/// A field by its JSON name or the contract's, as requests may call it.
pub(crate) fn field_named(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
}

/// The field at the end of a path such as `product.id`.
pub(crate) fn field_at(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    let mut names = path.split('.');
    let mut field = field_named(message, names.next()?)?;
    for name in names {
        field = field_named(field.kind().as_message()?, name)?;
    }
    Some(field)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use prost_reflect::prost_types::{DescriptorProto, FileDescriptorProto};

    use super::*;

    #[test]
    fn a_file_of_an_edition_is_read() {
        let message = DescriptorProto { name: Some("Note".to_owned()), ..DescriptorProto::default() };
        let name = |text: &str| Some(text.to_owned());
        let file = FileDescriptorProto {
            name: name("note.proto"),
            package: name("t"),
            syntax: name("editions"),
            message_type: vec![message],
            ..FileDescriptorProto::default()
        };
        let mut file = file.encode_to_vec();
        // edition: EDITION_2023
        file.extend([0x70, 0xe8, 0x07]);
        let set = Files { files: vec![file.into()] }.encode_to_vec();
        assert_eq!(Described::read(&set).unwrap().message("t.Note").unwrap().name(), "Note");
    }
}
