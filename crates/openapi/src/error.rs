//! Why descriptors give no document.

/// Why descriptors give no document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenApiError {
    /// The bytes are no `google.protobuf.FileDescriptorSet`, or one that contradicts itself.
    #[error("the descriptors cannot be used: {0}")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// The set cannot be read as a list of files, or the options of a method cannot be read.
    #[error("the descriptors cannot be read: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// The methods cannot be translated.
    #[error("the descriptors cannot be used: {0}")]
    Schema(#[from] weft_transcode::SchemaError),
    /// A path template is outside the grammar.
    #[error("{method}: template {template:?}: {reason}")]
    Template {
        /// Full name of the method.
        method: String,
        /// The template.
        template: String,
        /// What is wrong with it.
        reason: weft_transcode::TemplateError,
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
    /// A method's message is not in the set.
    #[error("the descriptors have no {0}")]
    UnknownMessage(String),
}
