//! The contract is the documentation: whatever it names has a comment.

use prost_reflect::FileDescriptor;

use crate::{Refusal, package::Package};

pub(super) fn refusals(package: &Package) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut check = |file: &FileDescriptor, name: &str, path: &[i32]| {
        if package.comment(file, path).is_empty() {
            refusals.push(package.refusal(file, name, "has no comment: the contract is its documentation"));
        }
    };
    for service in &package.services {
        let (service, methods) = (&service.descriptor, &service.methods);
        check(&service.parent_file(), service.full_name(), service.path());
        for method in methods.iter().map(|method| &method.descriptor) {
            check(&method.parent_file(), method.full_name(), method.path());
        }
    }
    for message in &package.messages {
        let file = message.parent_file();
        check(&file, message.full_name(), message.path());
        message.fields().for_each(|field| check(&file, field.full_name(), field.path()));
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            check(&file, oneof.full_name(), oneof.path());
        }
    }
    for found in &package.enums {
        let file = found.parent_file();
        check(&file, found.full_name(), found.path());
        for value in found.values() {
            check(&file, &format!("{}.{}", found.full_name(), value.name()), value.path());
        }
    }
    refusals
}
