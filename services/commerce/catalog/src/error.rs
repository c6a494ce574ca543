//! Why a call of the catalog fails, and the reason of the contract for it.

use uuid::Uuid;
use weft_contracts_catalog::CatalogReason;
use weft_mesh::{Error, FieldViolation, MeshReason, store::StoreError};

/// Why a call of the catalog fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogError {
    #[error("no such product exists")]
    ProductNotFound,
    #[error("the product is not deleted")]
    ProductNotDeleted,
    #[error("to see what is deleted takes the permission {0}")]
    DeletedHidden(&'static str),
    #[error("variant {0} does not exist")]
    VariantNotFound(Uuid),
    #[error("another variant has the stock-keeping unit {0:?}")]
    SkuTaken(String),
    #[error("fields of the product break rules")]
    Invalid(Vec<FieldViolation>),
    #[error("update_mask names {0:?}: it may name name, description and variants, or be *")]
    MaskPathUnknown(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<CatalogError> for Error {
    fn from(error: CatalogError) -> Self {
        let message = error.to_string();
        match error {
            CatalogError::ProductNotFound => Self::new(CatalogReason::ProductNotFound, message),
            CatalogError::ProductNotDeleted => Self::new(CatalogReason::ProductNotDeleted, message),
            CatalogError::DeletedHidden(permission) => {
                Self::new(MeshReason::PermissionMissing, message).with_metadata("permission", permission)
            }
            CatalogError::VariantNotFound(id) => {
                Self::new(CatalogReason::VariantNotFound, message).with_metadata("variant_id", id.to_string())
            }
            CatalogError::SkuTaken(sku) => Self::new(CatalogReason::SkuTaken, message).with_metadata("sku", sku),
            CatalogError::Invalid(violations) => Self::invalid(violations),
            CatalogError::MaskPathUnknown(path) => Self::new(MeshReason::FieldMaskInvalid, message).with_metadata("path", path),
            CatalogError::Store(error) => error.into(),
        }
    }
}
