//! Page tokens: where a list goes on, sealed so that only this domain can have made them.
//!
//! Problem: a token that a caller can change becomes a query of the caller's own making. Rule: a token
//! is the cursor with an HMAC-SHA256 (RFC 2104) over it, the tenant and the binding (the method, filter
//! and order of the list); with any of them another, it does not open. The cursor is signed and not
//! hidden: it holds nothing that the page before did not show.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;
use weft_call::{Call, Error, FieldViolation, MeshReason, Scope, TenantId};
use weft_filter::{Page, Sought, Value};

use crate::{StoreError, postgres::Mode, store::Inner, transaction::Open};

/// Longest token, in bytes.
const TOKEN_LIMIT: usize = 1024;

/// Bytes of the seal.
const SEAL: usize = 32;

/// The name of the key among the store's secrets.
pub(crate) const SECRET_NAME: &str = "page-token";

crate::statements! {
    system GET_SECRET = "SELECT value FROM weft_secret WHERE name = $1";
}

/// Seals and opens page tokens with the key of the domain's installation.
#[derive(Clone, Debug)]
pub struct PageTokens {
    key: hmac::Key,
}

/// A page token that cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum PageTokenError {
    /// It is damaged, or of another tenant, filter or order.
    #[error("the page token is damaged, or of another tenant, filter or order; start with the first page")]
    Invalid,
    /// The cursor is larger than a token may be.
    #[error("a page token would be longer than {TOKEN_LIMIT} bytes")]
    TooLong,
    /// The cursor is no JSON.
    #[error("the cursor of a page cannot be written")]
    Cursor(#[source] serde_json::Error),
}

impl From<PageTokenError> for Error {
    fn from(error: PageTokenError) -> Self {
        match error {
            PageTokenError::Invalid => {
                let description = error.to_string();
                let violation = FieldViolation { field: "page_token".into(), description, rule: String::new() };
                Self::new(MeshReason::PageTokenInvalid, "the page token cannot be used").with_violation(violation)
            }
            PageTokenError::TooLong | PageTokenError::Cursor(_) => Self::internal(error),
        }
    }
}

impl PageTokens {
    /// Reads the key that `migrate` made.
    pub(crate) async fn load(inner: &std::sync::Arc<Inner>) -> Result<Self, StoreError> {
        let scope = Scope::System("the store opens");
        let read = Open::new(inner.begin(scope, Mode::Read, inner.settings.statement_timeout).await?).read();
        let secret: Option<Vec<u8>> = read.run(&GET_SECRET).bind(SECRET_NAME).fetch_optional_value().await?;
        match secret {
            Some(secret) if secret.len() == 32 => Ok(Self::with_key(&secret)),
            _ => Err(StoreError::SealMissing { domain: inner.domain }),
        }
    }

    fn with_key(secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// The token with which the list goes on after `cursor`. `binding` names the list: its method,
    /// filter and order.
    pub fn seal(&self, call: &Call, binding: &str, cursor: &impl Serialize) -> Result<String, PageTokenError> {
        let cursor = serde_json::to_vec(cursor).map_err(PageTokenError::Cursor)?;
        let mut token = hmac::sign(&self.key, &sealed(call, binding, &cursor)).as_ref().to_vec();
        token.extend(cursor);
        let token = URL_SAFE_NO_PAD.encode(token);
        if token.len() > TOKEN_LIMIT { Err(PageTokenError::TooLong) } else { Ok(token) }
    }

    /// The cursor of a token; `None` for the empty token, which asks for the first page (AIP-158).
    pub fn open<T: DeserializeOwned>(&self, call: &Call, binding: &str, token: &str) -> Result<Option<T>, PageTokenError> {
        if token.is_empty() {
            return Ok(None);
        }
        if token.len() > TOKEN_LIMIT {
            return Err(PageTokenError::Invalid);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| PageTokenError::Invalid)?;
        let (seal, cursor) = bytes.split_at_checked(SEAL).ok_or(PageTokenError::Invalid)?;
        // Compares in constant time.
        hmac::verify(&self.key, &sealed(call, binding, cursor), seal).map_err(|_| PageTokenError::Invalid)?;
        serde_json::from_slice(cursor).map(Some).map_err(|_| PageTokenError::Invalid)
    }
}

/// Lists that are filtered and ordered.
impl PageTokens {
    /// The page of what is sought that a token asks for. `list` names the list and whatever else of the request narrows it; its
    /// filter and order are added.
    pub fn page(&self, call: &Call, list: &str, sought: &Sought, token: &str) -> Result<Page, PageTokenError> {
        let place: Option<Vec<Value>> = self.open(call, &binding(list, sought), token)?;
        // Nobody else can have sealed a token; one of an earlier version may hold other values.
        sought.page(place.as_deref()).map_err(|_| PageTokenError::Invalid)
    }

    /// The token with which what is sought goes on behind an item, by the item's values of the fields that are asked for.
    pub fn behind(
        &self,
        call: &Call,
        list: &str,
        sought: &Sought,
        value: impl FnMut(&'static str) -> Value,
    ) -> Result<String, PageTokenError> {
        self.seal(call, &binding(list, sought), &sought.place(value))
    }
}

fn binding(list: &str, sought: &Sought) -> String {
    format!("{list} {}", sought.binding())
}

/// What the seal is over. The lengths keep ("ab", "c") apart from ("a", "bc").
fn sealed(call: &Call, binding: &str, cursor: &[u8]) -> Vec<u8> {
    let tenant = match call.scope() {
        Scope::Tenant(TenantId(tenant)) => tenant,
        Scope::System(_) | Scope::Nothing => Uuid::nil(),
    };
    let mut bytes = tenant.as_bytes().to_vec();
    bytes.extend((binding.len() as u64).to_be_bytes());
    bytes.extend(binding.as_bytes());
    bytes.extend(cursor);
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use weft_call::{CallBuilder, Clock};

    use super::*;

    fn call(tenant: u128) -> Call {
        let mut parts = CallBuilder::new(Clock::system());
        parts.scope = Scope::Tenant(TenantId(Uuid::from_u128(tenant)));
        parts.build()
    }

    #[test]
    fn a_token_opens_for_its_tenant_and_list_alone() {
        let tokens = PageTokens::with_key(&[7; 32]);
        let token = tokens.seal(&call(1), "orders?created_at desc", &("2026-01-01", 5)).unwrap();
        let opened: Option<(String, i64)> = tokens.open(&call(1), "orders?created_at desc", &token).unwrap();
        assert_eq!(opened, Some(("2026-01-01".to_owned(), 5)));
        assert!(tokens.open::<(String, i64)>(&call(2), "orders?created_at desc", &token).is_err());
        assert!(tokens.open::<(String, i64)>(&call(1), "orders?total desc", &token).is_err());
        let other = PageTokens::with_key(&[8; 32]);
        assert!(other.open::<(String, i64)>(&call(1), "orders?created_at desc", &token).is_err());
        assert!(tokens.open::<(String, i64)>(&call(1), "orders?created_at desc", "").unwrap().is_none());
    }

    #[test]
    fn a_token_that_was_changed_anywhere_does_not_open() {
        let tokens = PageTokens::with_key(&[7; 32]);
        let token = tokens.seal(&call(1), "b", &"cursor").unwrap();
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(tokens.open::<String>(&call(1), "b", &changed).is_err(), "byte {index}");
        }
        for damaged in ["A", "not base64!", &token[..token.len() - 4], &"A".repeat(1025), &format!("{token}=")] {
            let error = Error::from(tokens.open::<String>(&call(1), "b", damaged).unwrap_err());
            assert_eq!(error.reason(), Some(MeshReason::PageTokenInvalid), "{damaged}");
            assert_eq!(error.violations()[0].field, "page_token");
        }
    }

    #[test]
    fn a_cursor_that_is_too_large_is_not_sealed() {
        let tokens = PageTokens::with_key(&[7; 32]);
        assert!(matches!(tokens.seal(&call(1), "b", &"x".repeat(800)), Err(PageTokenError::TooLong)));
    }
}
