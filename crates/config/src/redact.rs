//! What may be shown of a value that may hold a secret.

use url::Url;

/// An address, or several parted by commas, without credentials and parameters; other text as it is.
pub(crate) fn url(text: &str) -> String {
    // A comma that no address follows may be part of a password.
    let next =
        text.match_indices(',').find(|(at, _)| text[at + 1..].find("://").is_some_and(|end| is_scheme(&text[at + 1..][..end])));
    match next {
        Some((at, _)) => format!("{},{}", one(&text[..at]), url(&text[at + 1..])),
        None => one(text),
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase())
}

fn one(text: &str) -> String {
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
