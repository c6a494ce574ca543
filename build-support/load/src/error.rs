//! What ends a run before it can be judged.

/// What ends a run before it can be judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("the client cannot be made")]
    Client(#[source] reqwest::Error),
    #[error("{request} was not answered while the client's patience lasted: {last}")]
    Unanswered { request: String, last: String },
    #[error("{request} is refused: {answer}")]
    Refused { request: String, answer: String },
    #[error("the answer to {request} has no {field}")]
    Incomplete { request: String, field: &'static str },
}
