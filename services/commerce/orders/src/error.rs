//! Why a call of orders fails, and the reason of the contract for it.

use weft_contracts_catalog::CatalogReason;
use weft_contracts_orders::OrdersReason;
use weft_mesh::{Error, FieldViolation, store::StoreError};

/// Why a call of orders fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrdersError {
    /// It does not exist, or is somebody else's: the two must look alike.
    #[error("no such order exists")]
    OrderNotFound,
    #[error("variant {0} does not exist")]
    VariantNotFound(String),
    #[error("all lines must have prices in one currency: {0} and {1} were found")]
    CurrencyMixed(String, String),
    #[error("the total is more than can be counted")]
    TotalTooLarge,
    #[error("fields of the request break rules")]
    Invalid(Vec<FieldViolation>),
    #[error("the catalog's answer does not fit the question: {0}")]
    CatalogAnswer(&'static str),
    #[error("a stored order cannot be read: {0}")]
    Damaged(&'static str),
    #[error("the call of the catalog failed")]
    Catalog(#[source] Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OrdersError {
    /// What a failed call of the catalog means for an order.
    pub(crate) fn from_catalog(error: Error) -> Self {
        match (error.reason(), error.metadata().get("variant_id")) {
            (Some(CatalogReason::VariantNotFound), Some(id)) => Self::VariantNotFound(id.clone()),
            _ => Self::Catalog(error),
        }
    }
}

impl From<OrdersError> for Error {
    fn from(error: OrdersError) -> Self {
        let message = error.to_string();
        match error {
            OrdersError::OrderNotFound => Self::new(OrdersReason::OrderNotFound, message),
            OrdersError::VariantNotFound(id) => Self::new(OrdersReason::VariantNotFound, message).with_metadata("variant_id", id),
            OrdersError::CurrencyMixed(..) => Self::new(OrdersReason::CurrencyMixed, message),
            OrdersError::TotalTooLarge => Self::new(OrdersReason::TotalTooLarge, message),
            OrdersError::Invalid(violations) => Self::invalid(violations),
            OrdersError::CatalogAnswer(_) | OrdersError::Damaged(_) => Self::internal(error),
            // What the catalog or the mesh says of this call, the caller learns as it is.
            OrdersError::Catalog(error) => error,
            OrdersError::Store(error) => error.into(),
        }
    }
}
