//! Why a text is no filter or no order of a list.

use weft_call::Error;

use crate::{
    Field,
    filter::{COMPARISON_LIMIT, DEPTH_LIMIT, LENGTH_LIMIT},
    order,
};

/// Why a text is no filter of a list. Places count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It is too long.
    #[error("a filter is at most {LENGTH_LIMIT} bytes long")]
    TooLong,
    /// It nests too deeply.
    #[error("a filter nests at most {DEPTH_LIMIT} deep")]
    TooDeep,
    /// It compares too much.
    #[error("a filter makes at most {COMPARISON_LIMIT} comparisons")]
    TooMany,
    /// It names no field of the list.
    #[error("at {place}: `{name}` cannot be filtered by; there are {known}")]
    FieldUnknown {
        /// Where.
        place: usize,
        /// The name.
        name: String,
        /// The fields of the list.
        known: String,
    },
    /// It calls a function (AIP-160 leaves it open which there are).
    #[error("at {place}: there is no function `{name}`")]
    Function {
        /// Where.
        place: usize,
        /// The name.
        name: String,
    },
    /// It has a value that no field is compared with.
    #[error("at {place}: a value alone is not searched for: write a comparison such as `{example}`")]
    ValueAlone {
        /// Where.
        place: usize,
        /// A comparison of this list.
        example: String,
    },
    /// A field is not followed by an operator that it can be compared by.
    #[error("at {place}: `{field}` is compared by {operators}")]
    OperatorUnfit {
        /// Where.
        place: usize,
        /// The field.
        field: &'static str,
        /// Those that it can be compared by.
        operators: String,
    },
    /// The value is not of the field's kind.
    #[error("at {place}: `{field}` is compared with {expected}")]
    ValueInvalid {
        /// Where.
        place: usize,
        /// The field.
        field: &'static str,
        /// What its values look like.
        expected: String,
    },
    /// A value goes on with what needs quotes.
    #[error("at {place}: a value with other signs than letters, digits and `_.+-:` stands in quotes")]
    QuotesMissing {
        /// Where.
        place: usize,
    },
    /// A quote is not closed.
    #[error("at {place}: a quote is not closed")]
    QuoteOpen {
        /// Where it begins.
        place: usize,
    },
    /// A parenthesis is not closed.
    #[error("at {place}: a closing parenthesis is missing")]
    ParenthesisOpen {
        /// Where it is missed.
        place: usize,
    },
    /// Something else than a comparison.
    #[error("at {place}: a comparison such as `{example}` must stand here")]
    ComparisonMissing {
        /// Where.
        place: usize,
        /// One of this list.
        example: String,
    },
}

/// Why a text is no order of a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// It is too long, or names too much.
    #[error("an order is at most {} bytes long and names at most {} fields", order::LENGTH_LIMIT, order::FIELD_LIMIT)]
    TooLong,
    /// It names what the list cannot be ordered by.
    #[error("`{name}` cannot be ordered by; there are {known}")]
    FieldUnknown {
        /// The name.
        name: String,
        /// The fields that can.
        known: String,
    },
    /// It names a field twice.
    #[error("`{name}` is named twice")]
    Twice {
        /// The field.
        name: &'static str,
    },
    /// A field is followed by something else than `desc`.
    #[error("`{text}` is no part of an order: fields with commas between them, each with ` desc` behind it or not")]
    Unreadable {
        /// The part.
        text: String,
    },
    /// The values do not say where a page goes on in this order.
    #[error("the values are not those of this order")]
    ValuesUnfit,
}

/// Why a request for a list is refused. As an [`Error`] it names the request's field, `filter` or `order_by`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeekError {
    /// Its `filter` is wrong.
    #[error("filter: {0}")]
    Filter(#[from] FilterError),
    /// Its `order_by` is wrong.
    #[error("order_by: {0}")]
    Order(#[from] OrderError),
}

impl From<SeekError> for Error {
    fn from(error: SeekError) -> Self {
        match error {
            SeekError::Filter(error) => Self::invalid_field("filter", error.to_string()),
            SeekError::Order(error) => Self::invalid_field("order_by", error.to_string()),
        }
    }
}

/// The names of fields, with commas between them.
pub(crate) fn names<'a>(fields: impl Iterator<Item = &'a Field>) -> String {
    fields.map(|field| field.name).collect::<Vec<_>>().join(", ")
}
