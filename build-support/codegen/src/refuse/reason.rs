//! The reasons that a contract's errors carry.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, Kind};

use crate::{
    Refusal, names,
    package::{Package, code_of},
    reasons::reason_name,
};

pub(super) fn refusals(package: &Package) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for second in package.reasons.iter().skip(1) {
        let problem = "is a second list of reasons: a package has one";
        refusals.push(package.refusal(&second.parent_file(), second.full_name(), problem));
    }
    for reasons in &package.reasons {
        refusals.extend(values(package, reasons));
    }
    for field in package.messages.iter().flat_map(|message| message.fields().collect::<Vec<_>>()) {
        let of = match field.kind() {
            Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
            kind => kind,
        };
        if matches!(of, Kind::Enum(found) if package.reasons.contains(&found)) {
            let problem = "holds a reason: reasons travel in errors only";
            refusals.push(package.refusal(&field.parent_file(), field.full_name(), problem));
        }
    }
    refusals
}

fn values(package: &Package, reasons: &EnumDescriptor) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut variants = BTreeMap::new();
    let mut refuse = |name: &str, problem: String| {
        let full_name = format!("{}.{name}", reasons.full_name());
        refusals.push(package.refusal(&reasons.parent_file(), &full_name, problem));
    };
    for value in reasons.values() {
        match (value.number(), code_of(&package.pool, &value)) {
            (0, None) => continue,
            (0, Some(_)) => refuse(value.name(), "is the zero that stands for no reason: it has no code".to_owned()),
            (_, None) => refuse(value.name(), "has no code: say `[(weft.mesh.v1.code) = ...]`".to_owned()),
            (_, Some(0)) => refuse(value.name(), "has the code OK: a reason is one of failure".to_owned()),
            (_, Some(1..=16)) => {}
            (_, Some(other)) => refuse(value.name(), format!("has the code {other}, which gRPC does not define")),
        }
        let variant = names::camel(&reason_name(&value)).to_string();
        if let Some(first) = variants.insert(variant, value.name().to_owned()) {
            refuse(value.name(), format!("differs from {first} in its prefix only"));
        }
    }
    refusals
}
