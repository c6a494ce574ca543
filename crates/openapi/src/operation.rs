//! One operation: a method under one of its routes.

use prost_reflect::MessageDescriptor;
use weft_call::{Contract, MethodContract};
use weft_transcode::{HttpRule, Method};

use crate::{
    answers::{self, Asked},
    bodies, comments,
    error::OpenApiError,
    json::Object,
    parameters,
    path::DocumentPath,
    policy,
    schemas::Schemas,
    stream::RestForm,
};

/// A method that the document shows.
pub(crate) struct Shown<'a> {
    pub(crate) method: &'a Method,
    pub(crate) input: MessageDescriptor,
    pub(crate) output: MessageDescriptor,
    pub(crate) policy: Option<&'static MethodContract>,
    pub(crate) contract: Option<&'static Contract>,
    pub(crate) comment: String,
    /// The name of its service's tag.
    pub(crate) tag: String,
}

/// The name of an operation's schemes of credentials.
pub(crate) const SCHEMES: [&str; 2] = ["accessToken", "apiKey"];

impl Shown<'_> {
    /// The operation of a rule under its path.
    pub(crate) fn operation(
        &self,
        schemas: &mut Schemas<'_>,
        rule: &HttpRule,
        path: &DocumentPath,
        id: String,
    ) -> Result<Object, OpenApiError> {
        let (rest, is_deprecated) = RestForm::read(&self.method.options)?;
        let mut parameters = parameters::of_path(schemas, &self.method.full_name(), &self.input, path)?;
        parameters.extend(parameters::of_query(schemas, &self.input, path, &rule.body));
        // What is only being made has no version yet.
        let is_made = rule.method == "POST" && !path.text.contains(':');
        let changed: &[_] = if is_made { &[] } else { &[&self.input, &self.output] };
        parameters.extend(parameters::of_headers(self.policy, changed));
        let body = bodies::of_request(schemas, self.method, rule, path, &self.input)?;
        let (method, input, output) = (self.method, &self.input, &self.output);
        let (policy, contract) = (self.policy, self.contract);
        let asked = Asked { method, rule, path, rest: &rest, input, output, policy, contract };
        let answers = answers::of_route(schemas, &asked)?;
        Ok(Object::new()
            .with("operationId", id)
            .with("tags", vec![self.tag.as_str()])
            .with_text("summary", &comments::summary(&self.comment))
            .with_text("description", &self.description())
            .with_some("deprecated", is_deprecated.then_some(true))
            .with_some("parameters", (!parameters.is_empty()).then_some(parameters))
            .with_some("requestBody", body)
            .with("responses", answers)
            .with_some("security", self.security()))
    }

    fn description(&self) -> String {
        let held = self.policy.map(policy::described).unwrap_or_default();
        [self.comment.as_str(), &held].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
    }

    /// Who may call: anyone, or whoever shows one of two kinds of credentials. Unsaid for a server that is no domain.
    fn security(&self) -> Option<Vec<Object>> {
        let policy = self.policy?;
        let schemes = SCHEMES.iter().filter(|_| !policy.access.public);
        Some(schemes.map(|scheme| Object::new().with(*scheme, Vec::<&str>::new())).collect())
    }
}
