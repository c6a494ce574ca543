//! What a resource that is deleted softly must have, so that people can see what is deleted and take it back (AIP-164).

use prost_reflect::{Kind, MessageDescriptor};

use crate::{Refusal, package::Package};

/// The fields that say when a resource was deleted and when it is purged.
const TIMES: [&str; 2] = ["delete_time", "purge_time"];

pub(super) fn refusals(package: &Package) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (resource, policy) in &package.soft_deletes {
        let mut refuse = |problem: String| {
            refusals.push(package.refusal(&resource.parent_file(), resource.full_name(), problem));
        };
        if policy.keep().is_none() {
            refuse("is deleted softly: `keep` must be an hour at least, in whole seconds".to_owned());
        }
        for name in TIMES.into_iter().filter(|name| !has_time(resource, name)) {
            refuse(format!("is deleted softly and has no google.protobuf.Timestamp `{name}`"));
        }
        if !has_undelete(package, resource) {
            refuse(format!("is deleted softly and has no method Undelete{} that returns it", resource.name()));
        }
        if !has_list(package, resource) {
            refuse("is deleted softly and has no method List.. whose request has a bool `show_deleted`".to_owned());
        }
    }
    refusals
}

fn has_time(resource: &MessageDescriptor, name: &str) -> bool {
    let field = resource.get_field_by_name(name).filter(|field| !field.is_list());
    let kind = field.map(|field| field.kind());
    matches!(kind, Some(Kind::Message(time)) if time.full_name() == "google.protobuf.Timestamp")
}

fn has_undelete(package: &Package, resource: &MessageDescriptor) -> bool {
    let name = format!("Undelete{}", resource.name());
    let mut methods = package.services.iter().flat_map(|service| &service.methods);
    methods.any(|method| method.descriptor.name() == name && method.descriptor.output() == *resource)
}

/// Whether a method lists the resource and can show those that are deleted.
fn has_list(package: &Package, resource: &MessageDescriptor) -> bool {
    let mut methods = package.services.iter().flat_map(|service| &service.methods);
    methods.any(|method| {
        let (input, output) = (method.descriptor.input(), method.descriptor.output());
        let lists = output.fields().any(|field| field.is_list() && field.kind() == Kind::Message(resource.clone()));
        let shows = input.get_field_by_name("show_deleted").is_some_and(|field| field.kind() == Kind::Bool);
        method.descriptor.name().starts_with("List") && lists && shows
    })
}
