//! What is served, described: `/openapi.json` for programs, and a page at `/docs` for people, with one for each reason behind it.
//!
//! The document is made when it is first asked for, out of the catalogue that serves at that moment; another schema has
//! another document. A route of a contract goes before both paths, and an operator can turn them off.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header, request::Parts};
use weft_api_viewer::{Content, File};
use weft_call::{Contract, Error};
use weft_openapi::{Document, Info, OpenApiError};

use crate::{
    body::{self, Body},
    catalogue::{Catalogue, Described},
    cors::Origins,
    encoding::Encoding,
    error::Failure,
    front::Front,
    reasons,
    record::Observation,
    rest::conditional,
};

/// Where the document stands.
const DOCUMENT: &str = "/openapi.json";
/// What both paths are served for.
const METHODS: &str = "GET, HEAD, OPTIONS";
/// Largest file of the viewer, unpacked, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown {
    Document,
    File(&'static File),
    Reasons(reasons::Page),
}

/// The document's JSON, and the etag by which clients know it again.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    text: Bytes,
    etag: Option<HeaderValue>,
}

/// What a path shows of the reference, if no contract has the path.
pub(crate) fn at(front: &Front, catalogue: &Catalogue, path: &str) -> Option<Shown> {
    if !front.settings.reference {
        return None;
    }
    let shown = match path {
        DOCUMENT => Shown::Document,
        path => match reasons::at(catalogue.contracts(), path) {
            Some(page) => Shown::Reasons(page),
            None => Shown::File(weft_api_viewer::file(path)?),
        },
    };
    catalogue.methods_of(path).is_none().then_some(shown)
}

/// Answers a request for the reference.
pub(crate) async fn answer(
    origins: &Origins,
    catalogue: Arc<Catalogue>,
    mut observation: Observation,
    request: &Parts,
    shown: Shown,
) -> Response<Body> {
    let asked = &request.headers;
    let told = match request.method {
        Method::OPTIONS => Ok(origins.options(asked, &HeaderValue::from_static(METHODS))),
        Method::GET | Method::HEAD => match shown {
            Shown::Document => document(catalogue, asked).await,
            Shown::File(file) => contents(file, asked).await,
            Shown::Reasons(page) => Ok(reasons_page(page, &catalogue, asked)),
        },
        _ => Err(Failure::method_not_allowed(METHODS)),
    };
    match told {
        Ok(response) => {
            // It is no method's work, so there is nothing to count it under.
            observation.discard();
            response
        }
        Err(failure) => {
            observation.fail(&failure.error);
            failure.response(&observation.arrival.request_id)
        }
    }
}

async fn document(catalogue: Arc<Catalogue>, asked: &HeaderMap) -> Result<Response<Body>, Failure> {
    // It takes milliseconds that other requests should not wait for.
    let made = tokio::task::spawn_blocking(move || catalogue.document()).await;
    let json = made.map_err(Error::internal)?.map_err(Error::internal)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(kept(headers, json.etag, asked, || body::full(json.text)))
}

fn reasons_page(page: reasons::Page, catalogue: &Catalogue, asked: &HeaderMap) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(reasons::POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let html = Bytes::from(page.html(catalogue.contracts()));
    kept(headers, conditional::etag(&html), asked, || body::full(html))
}

async fn contents(file: &File, asked: &HeaderMap) -> Result<Response<Body>, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(weft_api_viewer::POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let content = match file.content {
        Content::Plain(plain) => Bytes::from_static(plain),
        Content::Gzip(packed) => {
            headers.append(header::VARY, HeaderValue::from_name(HeaderName::from_static("accept-encoding")));
            if Encoding::Gzip.is_taken(asked) {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(Encoding::Gzip.name()));
                Bytes::from_static(packed)
            } else {
                Encoding::Gzip.unpack(packed, LARGEST).await?
            }
        }
    };
    Ok(kept(headers, conditional::etag(&content), asked, || body::full(content)))
}

/// The answer, or that the client has it already. Clients ask each time: what is served may be another in a moment.
fn kept(mut headers: HeaderMap, etag: Option<HeaderValue>, asked: &HeaderMap, content: impl FnOnce() -> Body) -> Response<Body> {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(etag) = etag {
        headers.insert(header::ETAG, etag);
    }
    let mut response = if conditional::is_known(asked, &headers) {
        headers.remove(header::CONTENT_TYPE);
        headers.remove(header::CONTENT_ENCODING);
        let mut response = Response::new(body::empty());
        *response.status_mut() = http::StatusCode::NOT_MODIFIED;
        response
    } else {
        Response::new(content())
    };
    *response.headers_mut() = headers;
    response
}

/// The document of what users may call of these contracts.
pub fn openapi(contracts: &[&'static Contract]) -> Result<Document, OpenApiError> {
    Document::of_contracts(&info("weft", "Every domain of this mesh, as REST."), contracts)
}

/// Makes the document of what is served.
pub(crate) fn describe(described: &Described) -> Result<Json, OpenApiError> {
    let document = match described {
        Described::Contracts(contracts) => openapi(contracts)?,
        Described::Descriptors { set, services } => {
            Document::of_descriptors(&info("REST API", "A gRPC server, as REST."), set, services.as_ref())?
        }
    };
    let text = Bytes::from(document.to_json());
    Ok(Json { etag: conditional::etag(&text), text })
}

fn info(title: &str, description: &str) -> Info {
    Info { title: title.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), description: description.to_owned() }
}
