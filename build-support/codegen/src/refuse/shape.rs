//! What a contract consists of: proto3, one service at most, types that Rust knows.

use std::collections::BTreeSet;

use heck::ToUpperCamelCase;
use prost_reflect::{FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, MethodDescriptor, Syntax};

use crate::{Refusal, package::Package};

pub(super) fn refusals(package: &Package, uses: &BTreeSet<String>) -> Vec<Refusal> {
    let mut refusals = files(package);
    refusals.extend(services(package));
    refusals.extend(types(package, uses));
    refusals
}

fn files(package: &Package) -> Vec<Refusal> {
    let others = package.files.iter().filter(|file| file.syntax() != Syntax::Proto3);
    others.map(|file| package.refusal(file, &package.name, "is no proto3: contracts are")).collect()
}

fn services(package: &Package) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for service in package.services.iter().skip(1) {
        let (file, name) = (service.descriptor.parent_file(), service.descriptor.full_name());
        let first = package.services.first().map_or("", |first| first.descriptor.name());
        refusals.push(package.refusal(&file, name, format!("is a second service beside {first}: a package has one")));
    }
    let Some(service) = package.services.first() else { return refusals };
    let (file, full_name) = (service.descriptor.parent_file(), service.descriptor.full_name());
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !service.domain.starts_with(|c: char| c.is_ascii_lowercase()) || !service.domain.chars().all(plain) {
        let problem = format!("its domain `{}` must be lower-case letters, digits and `_`, a letter first", service.domain);
        refusals.push(package.refusal(&file, full_name, problem));
    }
    let name = service.descriptor.name().to_upper_camel_case();
    let generated =
        [format!("{name}Client"), format!("{name}Service"), format!("{}Contract", service.domain.to_upper_camel_case())];
    let messages = package.messages.iter().filter(|message| message.parent_message().is_none());
    for message in messages.filter(|message| generated.contains(&message.name().to_upper_camel_case())) {
        let problem = "has the name of something that is generated";
        refusals.push(package.refusal(&message.parent_file(), message.full_name(), problem));
    }
    refusals
}

/// A type that a field or method of the contract names.
struct Named {
    by: (FileDescriptor, String),
    file: FileDescriptor,
    name: String,
}

impl Named {
    fn by_field(field: &FieldDescriptor) -> Option<Self> {
        let kind = match field.kind() {
            Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
            kind => kind,
        };
        let (file, name) = match kind {
            Kind::Message(message) => (message.parent_file(), message.full_name().to_owned()),
            Kind::Enum(found) => (found.parent_file(), found.full_name().to_owned()),
            _ => return None,
        };
        Some(Self { by: (field.parent_file(), field.full_name().to_owned()), file, name })
    }

    fn by_method(method: &MethodDescriptor, message: &MessageDescriptor) -> Self {
        let by = (method.parent_file(), method.full_name().to_owned());
        Self { by, file: message.parent_file(), name: message.full_name().to_owned() }
    }
}

/// Types of other packages need a crate that has them; those of this package a file that is given.
fn types(package: &Package, crates: &BTreeSet<String>) -> Vec<Refusal> {
    let methods = package.services.iter().flat_map(|service| &service.methods).map(|method| &method.descriptor);
    let ends = methods.flat_map(|method| [method.input(), method.output()].map(|end| Named::by_method(method, &end)));
    let fields: Vec<_> = package.messages.iter().flat_map(|message| message.fields().collect::<Vec<_>>()).collect();
    let mut refusals = Vec::new();
    for named in fields.iter().filter_map(Named::by_field).chain(ends) {
        let (file, foreign, name) = (named.file.name(), named.file.package_name(), &named.name);
        let is_given = package.files.iter().any(|own| own.name() == file);
        let problem = if foreign == package.name && !is_given {
            format!("uses {name}: add `.file(\"{file}\")` to the build script")
        } else if foreign != package.name && foreign != "google.protobuf" && !crates.contains(foreign) {
            format!("uses {name}: add `.uses(\"{foreign}\", \"::the_crate_that_has_it\")` to the build script")
        } else {
            continue;
        };
        refusals.push(package.refusal(&named.by.0, &named.by.1, problem));
    }
    refusals.extend(bare_types(package));
    refusals
}

/// Google's types have no Rust of their own to be a request or an answer, but for `Empty`.
fn bare_types(package: &Package) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for method in package.services.iter().flat_map(|service| &service.methods) {
        for used in [method.descriptor.input(), method.descriptor.output()] {
            if used.package_name() == "google.protobuf" && used.name() != "Empty" {
                let problem = format!("sends a bare {}: give it a message of its own", used.full_name());
                let (file, name) = (method.descriptor.parent_file(), method.descriptor.full_name());
                refusals.push(package.refusal(&file, name, problem));
            }
        }
    }
    refusals
}
