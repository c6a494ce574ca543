//! What a caller may choose about the JSON mapping, and the limits.

/// What happens to a field that the message does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownFields {
    /// The message is refused; the error names the field.
    #[default]
    Refuse,
    /// The field is skipped, and so is an enum value of unknown name.
    Ignore,
}

/// How enum names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EnumCase {
    /// `SHIPPED` only.
    #[default]
    Exact,
    /// `shipped` and `Shipped` too (ASCII letters).
    Ignore,
}

/// Sizes and depths that input cannot exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nested messages, arrays and objects; 100 as in the protobuf runtimes.
    pub depth: usize,
    /// Bytes read.
    pub input: usize,
    /// Bytes written.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 100, input: 64 << 20, output: 256 << 20 }
    }
}

/// How JSON is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// Fields that the schema does not hold.
    pub unknown_fields: UnknownFields,
    /// Enum names.
    pub enum_case: EnumCase,
    /// Limits.
    pub limits: Limits,
}

/// How JSON is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PrintOptions {
    /// Enums as numbers instead of names.
    pub enums_as_numbers: bool,
    /// Field names as in the `.proto` file instead of lowerCamelCase.
    pub original_names: bool,
    /// Also print fields without presence that hold their default: `0`, `""`, `[]`, `{}`.
    pub defaults: bool,
    /// Limits.
    pub limits: Limits,
}
