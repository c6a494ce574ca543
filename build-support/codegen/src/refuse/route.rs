//! Where methods are served as REST: templates that can be read, fields that exist, one method a route.

use std::collections::BTreeMap;

use prost_reflect::{Kind, MessageDescriptor};

use super::template;
use crate::{
    Refusal,
    package::{Binding, Method, Package},
};

pub(super) fn refusals(package: &Package) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut routes: BTreeMap<(String, String), String> = BTreeMap::new();
    // Others first, so that it is this contract's method that is refused.
    for method in package.others.iter().flat_map(|service| &service.methods) {
        for binding in &method.http {
            if let Ok(template) = template::parse(&binding.template) {
                routes.insert((binding.method.clone(), template.shape), method.descriptor.full_name().to_owned());
            }
        }
    }
    for method in package.services.iter().flat_map(|service| &service.methods) {
        let (file, name) = (method.descriptor.parent_file(), method.descriptor.full_name());
        for binding in &method.http {
            let problems =
                match template::parse(&binding.template) {
                    _ if binding.method.is_empty() => vec!["its HTTP binding has no method and no path".to_owned()],
                    Err(problem) => vec![format!("its path `{}` {problem}", binding.template)],
                    Ok(template) => {
                        let mut problems = fields(method, binding, &template.fields);
                        let route = (binding.method.clone(), template.shape);
                        let first = routes.insert(route, name.to_owned());
                        problems.extend(first.map(|first| {
                            format!("its route {} {} is served by {first} already", binding.method, binding.template)
                        }));
                        problems
                    }
                };
            refusals.extend(problems.into_iter().map(|problem| package.refusal(&file, name, problem)));
        }
    }
    refusals
}

/// What a binding says of fields that does not hold.
fn fields(method: &Method, binding: &Binding, variables: &[String]) -> Vec<String> {
    let (input, output) = (method.descriptor.input(), method.descriptor.output());
    let mut problems: Vec<_> = variables.iter().filter_map(|variable| variable_problem(&input, variable)).collect();
    let is_field = |message: &MessageDescriptor, name: &str| message.get_field_by_name(name).is_some();
    if !binding.body.is_empty() && binding.body != "*" && !is_field(&input, &binding.body) {
        problems.push(format!("its body is `{}`, which is no field of {}", binding.body, input.full_name()));
    }
    if binding.method == "GET" && !binding.body.is_empty() {
        problems.push("its GET has a body".to_owned());
    }
    if !binding.response_body.is_empty() && !is_field(&output, &binding.response_body) {
        let (field, message) = (&binding.response_body, output.full_name());
        problems.push(format!("its response body is `{field}`, which is no field of {message}"));
    }
    if binding.nests {
        problems.push("its additional binding has additional bindings".to_owned());
    }
    problems
}

/// A variable fills a single field that is no message of the contract's own.
fn variable_problem(input: &MessageDescriptor, variable: &str) -> Option<String> {
    let mut message = Some(input.clone());
    let mut found = None;
    for name in variable.split('.') {
        let missing = || format!("its path names `{variable}`, which is no field of {}", input.full_name());
        let Some(field) = message.as_ref().and_then(|message| message.get_field_by_name(name)) else { return Some(missing()) };
        message = field.kind().as_message().filter(|_| !field.is_list() && !field.is_map()).cloned();
        found = Some(field);
    }
    let field = found?;
    let is_message = matches!(field.kind(), Kind::Message(message) if message.package_name() != "google.protobuf");
    (field.is_list() || field.is_map() || is_message)
        .then(|| format!("its path names `{variable}`, which is no single value of {}", input.full_name()))
}
