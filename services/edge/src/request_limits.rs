//! What a request may not be, whatever it asks for.
//!
//! Problem: two who read one request differently can be played off against each other ("request smuggling"), and whoever
//! reads without bound can be made to read for ever. Rule: the line and the header have limits, and over HTTP/1.1 a request
//! names one host (RFC 9112 section 3.2). A request whose body comes in chunks is the last of its connection: it may have
//! stated a length as well, which the parser drops, and then what follows must not be read as a request (section 6.1).
//! What is no HTTP at all never gets here: the parser answers with the status alone, and closes.

use http::{Request, StatusCode, Version, header};
use weft_call::{Error, MeshReason};

use crate::{error::Failure, settings::Settings};

/// Header fields that the parser reads beyond the limit, so that they can be refused with a reason.
const MORE_HEADERS: usize = 32;

/// Header fields that the parser reads.
pub(crate) fn parsed_headers(settings: &Settings) -> usize {
    settings.max_headers.saturating_add(MORE_HEADERS)
}

/// Bytes of a header that the parser reads; it needs 8 KiB at least.
pub(crate) fn parsed_bytes(settings: &Settings) -> usize {
    settings.max_header.saturating_add(settings.max_url).saturating_mul(2).max(8 * 1024)
}

/// Refuses what is beyond the limits.
pub(crate) fn check<B>(request: &Request<B>, settings: &Settings) -> Result<(), Failure> {
    let url = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if url > settings.max_url {
        let message = format!("path and query have more than {} bytes", settings.max_url);
        return Err(Failure::of(StatusCode::URI_TOO_LONG, Error::new(MeshReason::MessageTooLarge, message)));
    }
    let headers = request.headers();
    if headers.len() > settings.max_headers {
        let message = format!("there are more than {} header fields", settings.max_headers);
        return Err(header_too_large(message));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > settings.max_header {
        return Err(header_too_large(format!("the header fields have more than {} bytes", settings.max_header)));
    }
    if request.version() == Version::HTTP_11 && headers.get_all(header::HOST).iter().count() != 1 {
        return Err(Error::new(MeshReason::HeaderInvalid, "host: must come once").with_metadata("header", "host").into());
    }
    Ok(())
}

/// Whether no other request may follow on the connection.
pub(crate) fn is_last<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_11 && request.headers().contains_key(header::TRANSFER_ENCODING)
}

fn header_too_large(message: String) -> Failure {
    Failure::of(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Error::new(MeshReason::MessageTooLarge, message))
}
