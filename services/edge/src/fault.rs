//! Why a request's messages could not be sent on.
//!
//! A stream of requests that cannot be used resets the call, so that what was sent of it does not look like all of it. The
//! client is told what was wrong with its messages, and not that the call was reset.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Failure;

/// What went wrong with a request while it was sent on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fault(Arc<Mutex<Option<Failure>>>);

/// The request's own stream was wrong.
#[derive(Debug, thiserror::Error)]
#[error("the request's messages cannot be used")]
pub(crate) struct Unusable;

impl Fault {
    pub(crate) fn set(&self, failure: Failure) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    pub(crate) fn take(&self) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The fault, or the failure where there is none.
    pub(crate) fn or(&self, failure: Failure) -> Failure {
        self.take().unwrap_or(failure)
    }
}
