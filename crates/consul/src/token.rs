//! The ACL token, which may be replaced while it is in use.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::ConsulError;

/// The ACL token: `service:write` for the domains of this process, `service:read` and `node:read` for those that they
/// call, `key:read` for what is configured by keys. Clones share it: one that is replaced is replaced everywhere, from the
/// next request on. The default is none.
#[derive(Clone, Default)]
pub struct Token(Arc<ArcSwapOption<HeaderValue>>);

impl Token {
    /// Fails when the text holds what no HTTP header may hold.
    pub fn new(text: Option<&SecretString>) -> Result<Self, ConsulError> {
        let token = Self::default();
        token.replace(text)?;
        Ok(token)
    }

    /// Shows another token from now on. Fails as [`Token::new`], and then keeps the old one.
    pub fn replace(&self, text: Option<&SecretString>) -> Result<(), ConsulError> {
        let header = text.map(|text| {
            let mut value = HeaderValue::from_str(text.expose_secret()).map_err(|_| ConsulError::Token)?;
            value.set_sensitive(true);
            Ok::<_, ConsulError>(Arc::new(value))
        });
        self.0.store(header.transpose()?);
        Ok(())
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        self.0.load().as_deref().cloned()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.load().is_some() { "Token(***)" } else { "Token(none)" })
    }
}
