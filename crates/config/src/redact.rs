//! What may be shown of a value that may hold a secret.

use url::Url;

/// An address without its credentials and parameters; other text as it is.
pub(crate) fn url(text: &str) -> String {
    let Ok(url) = Url::parse(text) else { return without_credentials(text) };
    if url.cannot_be_a_base() || (url.username().is_empty() && url.password().is_none() && url.query().is_none()) {
        return without_credentials(text);
    }
    let user = match (url.username(), url.password()) {
        ("", None) => String::new(),
        // A lone user name may be a token.
        (_, None) => "***@".to_owned(),
        (user, Some(_)) => format!("{user}:***@"),
    };
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let parameters = if url.query().is_some() { "?***" } else { "" };
    format!("{}://{user}{host}{port}{}{parameters}", url.scheme(), url.path())
}

/// Text that is not quite an address, as after a typing error, may hold a password all the same.
fn without_credentials(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("***@{host}"),
        None => text.to_owned(),
    }
}
