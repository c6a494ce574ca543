//! What an event declares: a topic of its own, and a key by which it is ordered.

use std::collections::BTreeMap;

use prost_reflect::{Kind, MessageDescriptor};

use crate::{
    Refusal,
    options::{self, Event},
    package::Package,
};

/// Topics are dotted lower-case words, each declared once among all packages that are known.
pub(super) fn refusals(package: &Package) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut declared: BTreeMap<String, String> = BTreeMap::new();
    for message in package.pool.all_messages().filter(|message| message.package_name() != package.name) {
        if let Ok(Some(event)) = options::message::<Event>(&package.pool, &message.options(), "weft.mesh.v1.event") {
            declared.insert(event.topic, message.full_name().to_owned());
        }
    }
    for (message, Event { topic, key, permission }) in &package.events {
        let (file, name) = (message.parent_file(), message.full_name());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let word = |word: &str| !word.is_empty() && word.chars().all(plain);
        if !topic.contains('.') || !topic.split('.').all(word) {
            let problem = format!("its topic `{topic}` must be dotted lower-case words, such as `events.order.created`");
            refusals.push(package.refusal(&file, name, problem));
        }
        if let Some(first) = declared.insert(topic.clone(), name.to_owned()) {
            refusals.push(package.refusal(&file, name, format!("its topic `{topic}` is declared by {first} already")));
        }
        if !permission.is_empty() && !declares(package, permission) {
            let problem = format!("its permission `{permission}` is none that a service of the contract declares");
            refusals.push(package.refusal(&file, name, problem));
        }
        if !is_key(message, key) {
            let problem = format!("its key `{key}` must be one of its fields, a single string outside of any oneof");
            refusals.push(package.refusal(&file, name, problem));
        }
    }
    refusals
}

/// Whether a service of the package has the permission, or a method of one demands it.
fn declares(package: &Package, permission: &str) -> bool {
    package.services.iter().any(|service| {
        service.policy.permissions.iter().any(|declared| declared.name == permission)
            || service.methods.iter().any(|method| method.policy.permission == permission)
    })
}

fn is_key(message: &MessageDescriptor, key: &str) -> bool {
    let field = message.get_field_by_name(key);
    field.is_some_and(|field| field.kind() == Kind::String && !field.is_list() && !field.supports_presence())
}
