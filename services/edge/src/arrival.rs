//! A request as it arrives: what of its headers becomes part of the call.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use weft_call::{
    Call, CallBuilder, Clock, Deadline, Error, Idempotency, IdempotencyKey, MeshReason, MethodContract, Principal, RequestId,
    Result, Scope, TraceContext,
};
use weft_transport::metadata;

use crate::{authenticate::Authority, rate_limits::Standings};

/// RFC 7240
static PREFER: HeaderName = HeaderName::from_static("prefer");
/// Longest `If-Match`, in bytes.
const IF_MATCH_LIMIT: usize = 256;

/// A request as it arrives.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) started: Instant,
    /// Where it comes from, as far as trusted proxies say.
    pub(crate) client: IpAddr,
    /// The client's, or a new one if it sent none that can stand in a log.
    pub(crate) request_id: RequestId,
    pub(crate) trace: TraceContext,
    pub(crate) standings: Standings,
}

impl Arrival {
    pub(crate) fn new(headers: &HeaderMap, client: IpAddr) -> Self {
        Self {
            started: Instant::now(),
            client,
            request_id: metadata::request_id(headers).unwrap_or_else(RequestId::fresh),
            standings: Standings::default(),
            trace: metadata::trace(headers).unwrap_or_else(weft_telemetry::start_trace),
        }
    }

    /// When a call of the method must have ended: the contract's limit, or the client's if it is earlier.
    pub(crate) fn deadline(&self, method: &MethodContract, headers: &HeaderMap) -> Result<Option<Deadline>> {
        let wanted = match only(headers, &metadata::TIMEOUT)? {
            None => None,
            Some(text) => Some(metadata::parse_timeout(text).ok_or_else(|| invalid(&metadata::TIMEOUT, "cannot be read"))?),
        };
        let wanted = wanted.or_else(|| preferred_wait(headers));
        let budget = match (method.deadline, wanted) {
            (Some(contract), Some(wanted)) => Some(contract.min(wanted)),
            (contract, wanted) => contract.or(wanted),
        };
        // Counted from the arrival: reading a slow body uses the time up.
        Ok(budget.map(|budget| Deadline::after(budget.saturating_sub(self.started.elapsed()))))
    }

    /// The call that the request makes.
    pub(crate) fn call(
        &self,
        method: &'static MethodContract,
        headers: &HeaderMap,
        deadline: Option<Deadline>,
        authority: Option<Authority>,
        clock: &Clock,
    ) -> Result<Call> {
        let (principal, authority) =
            authority.map_or((Principal::Anonymous, None), |given| (given.principal, Some(given.assertion)));
        let mut call = CallBuilder::within(self.request_id.clone(), self.trace.clone(), clock.clone());
        call.method = Some(method);
        call.deadline = deadline;
        call.scope = principal.tenant().map_or(Scope::Nothing, Scope::Tenant);
        call.principal = principal;
        call.authority = authority;
        call.idempotency_key = idempotency_key(method, headers)?;
        call.if_match = if_match(headers)?;
        Ok(call.build())
    }
}

/// How long the client would wait (RFC 7240 section 4.3); a preference that cannot be read is none.
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let mut preferences =
        headers.get_all(&PREFER).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let seconds = preferences.find_map(|preference| preference.trim().strip_prefix("wait=")?.parse().ok())?;
    Some(Duration::from_secs(seconds))
}

/// The client's key. Where the contract would know a repeat by its key and the client sent none, the edge
/// makes one, so that it is safe to retry inside the mesh.
fn idempotency_key(method: &MethodContract, headers: &HeaderMap) -> Result<Option<IdempotencyKey>> {
    match only(headers, &metadata::IDEMPOTENCY_KEY)? {
        Some(text) => {
            let unusable = |error: weft_call::IdempotencyKeyError| invalid(&metadata::IDEMPOTENCY_KEY, &error.to_string());
            Ok(Some(IdempotencyKey::parse(text).map_err(unusable)?))
        }
        None if method.idempotency == Idempotency::Keyed => Ok(Some(IdempotencyKey::fresh())),
        None => Ok(None),
    }
}

fn if_match(headers: &HeaderMap) -> Result<Option<Arc<str>>> {
    match only(headers, &header::IF_MATCH)? {
        Some(text) if text.is_empty() || text.len() > IF_MATCH_LIMIT => {
            Err(invalid(&header::IF_MATCH, &format!("is 1 to {IF_MATCH_LIMIT} bytes")))
        }
        text => Ok(text.map(Into::into)),
    }
}

/// The text of a header that may come once.
pub(crate) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => visible(value).map(Some).ok_or_else(|| invalid(name, "is not visible ASCII")),
        (Some(_), Some(_)) => Err(invalid(name, "came more than once")),
    }
}

fn visible(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

fn invalid(name: &HeaderName, problem: &str) -> Error {
    Error::new(MeshReason::HeaderInvalid, format!("{name}: {problem}")).with_metadata("header", name.as_str())
}
