//! The table of REST routes, made once from the contracts that are registered.
//!
//! Whatever a contract could have wrong (a template that breaks the grammar, a variable or body field that
//! the message does not have) is found when the table is made, not when a request comes.

use http::Method;
use prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};
use weft_call::{Contract, Error, FieldViolation, HttpRoute, MeshReason, MethodContract};

use super::{
    fields::FieldPath,
    template::{Capture, Template},
};
use crate::error::{EdgeError, Failure};

/// Every route, in the order in which they are tried.
#[derive(Debug)]
pub(crate) struct Routes(Vec<Route>);

/// One route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static MethodContract,
    pub(super) verb: &'static str,
    pub(super) template: Template,
    /// The fields that the template's variables fill, in their order.
    pub(super) variables: Vec<FieldPath>,
    pub(super) input: MessageDescriptor,
    pub(super) output: MessageDescriptor,
    pub(super) body: BodyField,
    pub(super) response_body: Option<FieldDescriptor>,
}

/// What of the request message the body fills.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyField {
    Nothing,
    Everything,
    Field(FieldDescriptor),
}

/// The route of a request, and what its variables captured: the index of the variable and its text.
#[derive(Debug)]
pub(crate) struct Found<'r> {
    pub(crate) route: &'r Route,
    pub(crate) captures: Vec<(usize, String)>,
}

impl Routes {
    pub(crate) fn of(contracts: &[&'static Contract]) -> Result<Self, EdgeError> {
        let mut routes = Vec::new();
        for contract in contracts {
            let unreadable = |source| EdgeError::Descriptors { domain: contract.domain, source };
            let pool = DescriptorPool::decode(contract.descriptor_set).map_err(unreadable)?;
            let methods = contract.services.iter().flat_map(|service| service.methods);
            // What only workloads may call is not served to strangers at all.
            for method in methods.filter(|method| method.serves_users()) {
                for route in method.http {
                    routes.push(Route::new(&pool, method, route)?);
                }
            }
        }
        Ok(Self::sorted(routes))
    }

    pub(super) fn sorted(mut routes: Vec<Route>) -> Self {
        routes.sort_by(|a, b| a.template.precedence().cmp(&b.template.precedence()));
        Self(routes)
    }

    /// The route for a request line. HEAD is answered where GET is.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<Found<'_>, Failure> {
        let verb = if method == Method::HEAD { "GET" } else { method.as_str() };
        let mut allowed: Vec<&str> = Vec::new();
        for route in &self.0 {
            let Some(captures) = route.template.captures(path) else { continue };
            if route.verb != verb {
                allowed.push(route.verb);
                continue;
            }
            let not_utf8 = |_| {
                let violation = FieldViolation { field: "path".into(), description: "must be UTF-8".into(), rule: String::new() };
                Error::new(MeshReason::MalformedMessage, "the path is not UTF-8").with_violation(violation)
            };
            let captures = captures.map_err(not_utf8)?;
            let captures = captures.into_iter().map(|Capture { value, .. }| value).enumerate().collect();
            return Ok(Found { route, captures });
        }
        if allowed.is_empty() {
            return Err(Error::new(MeshReason::RouteUnknown, "no such path is served here").into());
        }
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.sort_unstable();
        allowed.dedup();
        Err(Failure::method_not_allowed(&allowed.join(", ")))
    }
}

impl Route {
    pub(super) fn new(pool: &DescriptorPool, method: &'static MethodContract, route: &HttpRoute) -> Result<Self, EdgeError> {
        let missing = |missing: String| EdgeError::Missing { method: method.path, missing };
        let message = |name: &str| pool.get_message_by_name(name).ok_or_else(|| missing(format!("message {name}")));
        let (input, output) = (message(method.input)?, message(method.output)?);
        let unusable = |problem| EdgeError::Template { method: method.path, template: route.template, problem };
        let template = Template::parse(route.template).map_err(|error| unusable(error.to_string()))?;
        let variable = |field: &str| FieldPath::find(&input, field).map_err(|_| missing(format!("field {field}")));
        let variables = template.fields().map(variable).collect::<Result<_, _>>()?;
        let field = |message: &MessageDescriptor, name: &str| {
            message.get_field_by_name(name).ok_or_else(|| missing(format!("field {name}")))
        };
        let body = match route.body {
            "" => BodyField::Nothing,
            "*" => BodyField::Everything,
            name => BodyField::Field(field(&input, name)?),
        };
        let response_body = match route.response_body {
            "" => None,
            name => Some(field(&output, name)?),
        };
        Ok(Self { method, verb: route.method.as_str(), template, variables, input, output, body, response_body })
    }
}
