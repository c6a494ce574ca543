//! Answers: what success looks like, and each failure with its reasons.

use std::collections::BTreeMap;

use prost_reflect::MessageDescriptor;
use weft_call::{Code, Contract, Declares as _, Idempotency, MeshReason, MethodContract, Reason as _, ReasonContract};
use weft_contracts_mesh::MeshContract;
use weft_transcode::{HttpRule, Method};

use crate::{
    bodies::is_http_body,
    described,
    error::OpenApiError,
    examples,
    json::{Json, Object},
    path::DocumentPath,
    schemas::{Schemas, Side},
    stream::RestForm,
};

/// What the answers to a route depend on.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) rule: &'a HttpRule,
    pub(crate) path: &'a DocumentPath,
    pub(crate) rest: &'a RestForm,
    pub(crate) input: &'a MessageDescriptor,
    pub(crate) output: &'a MessageDescriptor,
    /// None for a server that is no domain.
    pub(crate) policy: Option<&'static MethodContract>,
    pub(crate) contract: Option<&'static Contract>,
}

impl Asked<'_> {
    /// A change of something that has its place from then on: a POST to a collection.
    fn may_create(&self) -> bool {
        self.rule.method == "POST"
            && !self.path.text.contains(':')
            && !self.method.server_streaming
            && !self.method.client_streaming
    }

    fn is_limited(&self) -> bool {
        self.policy.is_some_and(|policy| !policy.limits.is_empty())
    }

    fn has_body(&self) -> bool {
        !self.rule.body.is_empty()
    }
}

/// All answers to a route.
pub(crate) fn of_route(schemas: &mut Schemas<'_>, asked: &Asked<'_>) -> Result<Object, OpenApiError> {
    let mut answers = successes(schemas, asked)?;
    for (status, reasons) in failures(asked) {
        answers.set(status.to_string(), failure(asked, status, &reasons));
    }
    answers.set("default", failure(asked, 0, &[]));
    Ok(answers)
}

fn successes(schemas: &mut Schemas<'_>, asked: &Asked<'_>) -> Result<Object, OpenApiError> {
    let content = content(schemas, asked)?;
    let about = schemas.described.comment_of_message(asked.output);
    let about = if about.is_empty() { "It is done." } else { about }.to_owned();
    let is_bytes = content.contains("*/*");
    let is_get = asked.rule.method == "GET";
    let mut headers = headers(asked);
    if !asked.rest.cache_control.is_empty() && is_get {
        headers.set("ETag", Object::reference("headers", "ETag"));
        headers.set("Cache-Control", Object::reference("headers", "CacheControl"));
    }
    let answer = |headers: Object, about: &str| Object::new().with("description", about).with("headers", headers);
    let whole = answer(headers.clone(), &about).with("content", content.clone());
    let mut answers = Object::new().with("200", whole);
    if asked.may_create() {
        let made = headers.clone().with("Location", Object::reference("headers", "Location"));
        answers.set("201", answer(made, &about).with("content", content.clone()));
    }
    if is_get && is_bytes {
        answers.set("206", answer(headers.clone(), "The part that `Range` asks for.").with("content", content));
    }
    if is_get && (is_bytes || !asked.rest.cache_control.is_empty()) {
        answers.set("304", answer(headers, "What `If-None-Match` names is still good."));
    }
    Ok(answers)
}

/// The content of a success.
fn content(schemas: &mut Schemas<'_>, asked: &Asked<'_>) -> Result<Object, OpenApiError> {
    let name = asked.rule.response_body.as_str();
    let (message, schema) = if name.is_empty() {
        (Some(asked.output.clone()), schemas.of_message(asked.output, Side::Answer))
    } else {
        let field = described::field_named(asked.output, name).ok_or_else(|| OpenApiError::UnknownField {
            method: asked.method.full_name(),
            field: name.to_owned(),
            message: asked.output.full_name().to_owned(),
        })?;
        let message = field.kind().as_message().filter(|_| !field.is_list() && !field.is_map()).cloned();
        (message, schemas.of_field(&field, Side::Answer))
    };
    if message.as_ref().is_some_and(is_http_body) {
        return Ok(Object::new().with("*/*", Object::new().with("schema", Object::new())));
    }
    if asked.method.server_streaming {
        return Ok(asked.rest.answers(&schema));
    }
    let example = examples::of_answer(schemas, &schema);
    Ok(Object::new().with("application/json", Object::new().with("schema", schema).with_some("example", example)))
}

/// The headers of every answer.
fn headers(asked: &Asked<'_>) -> Object {
    let mut headers = Object::new().with("X-Request-Id", Object::reference("headers", "RequestId"));
    if asked.is_limited() {
        headers.set("RateLimit", Object::reference("headers", "RateLimit"));
        headers.set("RateLimit-Policy", Object::reference("headers", "RateLimitPolicy"));
    }
    headers
}

/// A reason that a failure may have.
struct Reason {
    name: &'static str,
    about: &'static str,
}

/// The failures that a route may have, by their statuses.
fn failures(asked: &Asked<'_>) -> BTreeMap<u16, Vec<Reason>> {
    let mut failures: BTreeMap<u16, Vec<Reason>> = BTreeMap::new();
    let Some(policy) = asked.policy else {
        let statuses = [Code::InvalidArgument, Code::Internal, Code::Unavailable, Code::DeadlineExceeded].map(Code::http_status);
        failures.extend(statuses.into_iter().chain(asked.has_body().then_some(413)).map(|status| (status, Vec::new())));
        return failures;
    };
    // What only reads finds nothing in its way.
    let is_of_changes = |code| matches!(code, Code::AlreadyExists | Code::Aborted);
    let reads = policy.idempotency == Idempotency::Read;
    let reasons = asked.contract.iter().flat_map(|contract| contract.reasons);
    for reason in reasons.filter(|reason| !(reads && is_of_changes(reason.code))) {
        failures.entry(reason.code.http_status()).or_default().push(Reason { name: reason.name, about: reason.description });
    }
    for reason in mesh_reasons(asked, policy) {
        let status = match reason {
            MeshReason::MessageTooLarge => 413,
            reason => reason.code().http_status(),
        };
        let listed: Option<&ReasonContract> = MeshContract::CONTRACT.reasons.iter().find(|listed| listed.name == reason.name());
        let about = listed.map_or("", |listed| listed.description);
        failures.entry(status).or_default().push(Reason { name: reason.name(), about });
    }
    if asked.has_body() {
        failures.entry(415).or_default();
    }
    failures
}

/// The reasons that the mesh itself may give.
fn mesh_reasons(asked: &Asked<'_>, policy: &MethodContract) -> Vec<MeshReason> {
    use MeshReason as R;
    let streams = asked.method.server_streaming || asked.method.client_streaming;
    let takes = |name: &str| asked.input.get_field_by_name(name).is_some();
    let reads = policy.idempotency == Idempotency::Read;
    let conditions = [
        (true, R::MalformedMessage),
        (true, R::ValidationFailed),
        (true, R::HeaderInvalid),
        (takes("page_token"), R::PageTokenInvalid),
        (takes("update_mask"), R::FieldMaskInvalid),
        (!policy.access.public, R::CredentialsMissing),
        (!policy.access.public, R::CredentialsInvalid),
        (!policy.access.public, R::CredentialsExpired),
        (policy.access.permission.is_some(), R::PermissionMissing),
        (!policy.access.public && policy.system.is_none(), R::TenantMissing),
        (!asked.path.parameters.is_empty(), R::RouteUnknown),
        (policy.idempotency == Idempotency::Keyed, R::IdempotencyKeyReused),
        (!reads && !streams, R::EtagMismatch),
        (!reads && !streams, R::StoreConflict),
        (asked.has_body(), R::MessageTooLarge),
        (asked.is_limited(), R::RateLimited),
        (true, R::Overloaded),
        (true, R::Internal),
        (true, R::UpstreamUnavailable),
        (true, R::StoreUnavailable),
        (streams, R::StreamExpired),
        (true, R::DeadlineSpent),
        (streams, R::StreamIdle),
    ];
    conditions.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
}

/// A failure of this status; 0 for every other.
fn failure(asked: &Asked<'_>, status: u16, reasons: &[Reason]) -> Object {
    let about = match status {
        0 => "Any other failure.",
        400 => "The request is wrong, or the state of the system does not allow it.",
        401 => "The credentials are missing or not good.",
        403 => "The caller may not do this.",
        404 => "There is no such thing.",
        409 => "It exists already, or changed meanwhile.",
        413 => "The body is larger than the limit.",
        415 => "The body is of a type, or packed in a way, that is not taken.",
        429 => "A limit is used up.",
        499 => "The client gave up.",
        501 => "It is not served.",
        503 => "It cannot be reached now.",
        504 => "The time for the call ran out.",
        _ => "Something is broken.",
    };
    let reasons: Vec<_> = reasons.iter().map(|reason| format!("- `{}`: {}", reason.name, reason.about)).collect();
    let about = if reasons.is_empty() { about.to_owned() } else { format!("{about}\n\n{}", reasons.join("\n")) };
    let mut headers = headers(asked);
    if matches!(status, 429 | 503) {
        headers.set("Retry-After", Object::reference("headers", "RetryAfter"));
    }
    if status == 401 {
        headers.set("WWW-Authenticate", Object::reference("headers", "WwwAuthenticate"));
    }
    let content = Object::new().with("application/json", Object::new().with("schema", Object::reference("schemas", STATUS)));
    Object::new().with("description", about).with("headers", headers).with("content", content)
}

/// The name of the schema of failures.
const STATUS: &str = "google.rpc.Status";

/// The schema of failures (AIP-193).
pub(crate) fn status_schema() -> (&'static str, Object) {
    let text = |about: &str| Object::new().with("type", "string").with("description", about);
    let codes: Vec<Json> = (1..=16).map(|number| Code::from_number(number).name().into()).collect();
    let details = vec![
        detail(
            "ErrorInfo",
            "Why, in words that programs match on.",
            &[
                ("reason", text("The reason, one of those that the failure's description lists.")),
                ("domain", text("The package of the contract that lists the reason.")),
                (
                    "metadata",
                    Object::new().with("type", "object").with("additionalProperties", Object::new().with("type", "string")),
                ),
            ],
        ),
        detail("BadRequest", "Which fields are wrong.", &[("fieldViolations", violations())]),
        detail("RetryInfo", "When to come again.", &[("retryDelay", text("How long to wait, such as `1.5s`."))]),
        detail("RequestInfo", "Which request it was.", &[("requestId", text("What the log has the request under."))]),
        Object::new()
            .with("type", "object")
            .with("description", "A detail of another type, its bytes in `value`.")
            .with("properties", Object::new().with("@type", Object::new().with("type", "string")))
            .with("required", vec!["@type"]),
    ];
    let properties = Object::new()
        .with("code", Object::new().with("type", "integer").with("description", "The number of `status`.").with("minimum", 1_u64))
        .with("message", text("What went wrong, for developers."))
        .with("status", Object::new().with("type", "string").with("description", "The code of gRPC.").with("enum", codes))
        .with("details", Object::new().with("type", "array").with("items", Object::new().with("anyOf", details)));
    let schema = Object::new()
        .with("type", "object")
        .with("description", "A failure.")
        .with("properties", properties)
        .with("required", vec!["code", "message", "status", "details"]);
    (STATUS, schema)
}

fn violations() -> Object {
    let text = |about: &str| Object::new().with("type", "string").with("description", about);
    let violation = Object::new()
        .with("field", text("The field, by the contract's names."))
        .with("description", text("What is wrong with it."))
        .with("reason", text("The rule that it breaks, such as `string.min_len`."));
    let violation =
        Object::new().with("type", "object").with("properties", violation).with("required", vec!["field", "description"]);
    Object::new().with("type", "array").with("items", violation)
}

/// The JSON of a detail, an `Any` that names its type.
fn detail(name: &str, about: &str, fields: &[(&'static str, Object)]) -> Object {
    let kind = Object::new().with("const", format!("type.googleapis.com/google.rpc.{name}"));
    let properties = fields.iter().fold(Object::new().with("@type", kind), |all, (name, schema)| all.with(*name, schema.clone()));
    let required: Vec<_> = std::iter::once("@type").chain(fields.iter().map(|(name, _)| *name)).collect();
    Object::new().with("type", "object").with("description", about).with("properties", properties).with("required", required)
}

/// The headers that answers refer to.
pub(crate) fn header_components() -> Object {
    let header = |about: &str, is_required: bool, kind: &'static str| {
        let header = Object::new().with("description", about).with_some("required", is_required.then_some(true));
        header.with("schema", Object::new().with("type", kind))
    };
    Object::new()
        .with("CacheControl", header("How long the answer may be kept.", false, "string"))
        .with("ETag", header("The version that is answered.", false, "string"))
        .with("Location", header("Where what was made has its place.", true, "string"))
        .with("RateLimit", header("What is left of the limits (draft-ietf-httpapi-ratelimit-headers-10).", false, "string"))
        .with("RateLimitPolicy", header("The limits (draft-ietf-httpapi-ratelimit-headers-10).", false, "string"))
        .with("RequestId", header("What all log lines of the request share.", true, "string"))
        .with("RetryAfter", header("Seconds to wait.", false, "integer"))
        .with("WwwAuthenticate", header("The credentials that are asked for (RFC 6750).", true, "string"))
}
