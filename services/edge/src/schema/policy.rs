//! What the edge holds methods to that no contract says anything of.
//!
//! A contract's tables live as long as the process. Those of methods that are only known from descriptors are made while
//! it runs, and kept as long: what is made once is found again, so a schema that comes and goes costs nothing, and one
//! that changes costs some hundred bytes for each method that is new or has changed.

use std::collections::HashMap;

use prost::Message;
use weft_call::{Access, Audit, HttpMethod, HttpRoute, Idempotency, MethodContract, MethodKind};
use weft_transcode::{HttpRule, Method, Schema};

/// The one upstream of an edge that stands alone, as metrics and logs name it.
pub const UPSTREAM: &str = "upstream";

/// Anyone may call: the server behind checks credentials itself.
const OPEN: Access = Access { public: true, authenticated: false, permission: None, roles: &[], callers: &[], any_of: false };

/// `google.protobuf.MethodOptions`, as far as it says what a repeat does.
#[derive(Clone, PartialEq, Message)]
struct MethodOptions {
    /// 1 is `NO_SIDE_EFFECTS`, 2 is `IDEMPOTENT`.
    #[prost(int32, tag = "34")]
    idempotency_level: i32,
}

/// The policies that were made so far.
#[derive(Debug, Default)]
pub(crate) struct Policies(HashMap<String, Vec<&'static MethodContract>>);

impl Policies {
    /// The policy of a method.
    pub(crate) fn of(&mut self, schema: &Schema, method: &Method) -> Result<&'static MethodContract, prost::DecodeError> {
        let idempotency = match MethodOptions::decode(method.options.as_slice())?.idempotency_level {
            1 => Idempotency::Read,
            2 => Idempotency::Natural,
            _ => Idempotency::None,
        };
        let kind = match (method.client_streaming, method.server_streaming) {
            (false, false) => MethodKind::Unary,
            (false, true) => MethodKind::ServerStreaming,
            (true, false) => MethodKind::ClientStreaming,
            (true, true) => MethodKind::Bidirectional,
        };
        let (input, output) = (schema.message_name(method.input), schema.message_name(method.output));
        let path = method.grpc_path();
        let known = self.0.entry(path.clone()).or_default();
        let same = |made: &&&MethodContract| {
            (made.kind, made.idempotency, made.input, made.output) == (kind, idempotency, input, output)
                && made.http.len() == method.rules.len()
                && made.http.iter().zip(&method.rules).all(|(route, rule)| is_of(route, rule))
        };
        if let Some(made) = known.iter().find(same) {
            return Ok(made);
        }
        let made: &'static MethodContract = Box::leak(Box::new(MethodContract {
            index: 0,
            domain: UPSTREAM,
            service: kept(&method.service),
            name: kept(&method.name),
            path: kept(&path),
            input: kept(input),
            output: kept(output),
            kind,
            access: OPEN,
            system: None,
            deadline: None,
            idempotency,
            replica: false,
            limits: &[],
            audit: Audit::None,
            http: Vec::leak(method.rules.iter().map(route).collect()),
        }));
        known.push(made);
        Ok(made)
    }
}

/// The route of a rule.
fn route(rule: &HttpRule) -> HttpRoute {
    let method = match rule.method.as_str() {
        "GET" => HttpMethod::Get,
        "PUT" => HttpMethod::Put,
        "POST" => HttpMethod::Post,
        "DELETE" => HttpMethod::Delete,
        "PATCH" => HttpMethod::Patch,
        other => HttpMethod::Custom(kept(other)),
    };
    HttpRoute { method, template: kept(&rule.path), body: kept(&rule.body), response_body: kept(&rule.response_body) }
}

fn is_of(route: &HttpRoute, rule: &HttpRule) -> bool {
    (route.method.as_str(), route.template, route.body, route.response_body)
        == (&*rule.method, &*rule.path, &*rule.body, &*rule.response_body)
}

fn kept(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}
