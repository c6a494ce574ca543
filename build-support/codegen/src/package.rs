//! What a contract says, in the order and words of the contract.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{
    DescriptorPool, EnumDescriptor, EnumValueDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
    Value,
};

use crate::{
    Error, Refusal,
    comments::documentation,
    compile::Compiled,
    options::{self, CallPolicy, Event, HttpRule, ServicePolicy, SoftDelete},
};

/// A contract, and what it must be held against.
pub(crate) struct Package {
    /// The protobuf package.
    pub(crate) name: String,
    /// The domain that it belongs to.
    pub(crate) domain: String,
    /// All that was read.
    pub(crate) pool: DescriptorPool,
    /// The contract's files.
    pub(crate) files: Vec<FileDescriptor>,
    /// Its services.
    pub(crate) services: Vec<Service>,
    /// The services of the packages that it imports or calls.
    pub(crate) others: Vec<Service>,
    /// Its messages, nested ones included, without those that stand for map entries.
    pub(crate) messages: Vec<MessageDescriptor>,
    /// Its enums, nested ones included.
    pub(crate) enums: Vec<EnumDescriptor>,
    /// The enums that list reasons.
    pub(crate) reasons: Vec<EnumDescriptor>,
    /// Its messages that are events, with what they declare.
    pub(crate) events: Vec<(MessageDescriptor, Event)>,
    /// Its messages that are resources which are deleted softly.
    pub(crate) soft_deletes: Vec<(MessageDescriptor, SoftDelete)>,
    comments: BTreeMap<(String, Vec<i32>), String>,
}

/// A service and its policy.
pub(crate) struct Service {
    /// The service.
    pub(crate) descriptor: ServiceDescriptor,
    /// The domain that serves it.
    pub(crate) domain: String,
    /// What it declares.
    pub(crate) policy: ServicePolicy,
    /// Its methods.
    pub(crate) methods: Vec<Method>,
}

/// A method and its policy.
pub(crate) struct Method {
    /// The method.
    pub(crate) descriptor: MethodDescriptor,
    /// What it declares.
    pub(crate) policy: CallPolicy,
    /// Where it is served as REST.
    pub(crate) http: Vec<Binding>,
}

/// One binding of a method to HTTP.
pub(crate) struct Binding {
    /// The HTTP method; empty if the contract names none.
    pub(crate) method: String,
    /// The path's template.
    pub(crate) template: String,
    /// The request's field that the body fills.
    pub(crate) body: String,
    /// The answer's field that becomes the body.
    pub(crate) response_body: String,
    /// True if it is an additional binding with additional bindings of its own.
    pub(crate) nests: bool,
}

impl Package {
    /// Reads what the files say.
    pub(crate) fn read(compiled: &Compiled) -> Result<Self, Error> {
        let (pool, files) = (compiled.pool.clone(), compiled.own.clone());
        let name = one_package(&files)?;
        let own: BTreeSet<_> = files.iter().map(|file| file.name().to_owned()).collect();
        let is_own = |file: &FileDescriptor| own.contains(file.name());
        let (mut services, mut others) = (Vec::new(), Vec::new());
        for descriptor in pool.services() {
            let list = if is_own(&descriptor.parent_file()) { &mut services } else { &mut others };
            list.push(Service::read(&pool, descriptor)?);
        }
        let messages: Vec<_> =
            pool.all_messages().filter(|message| is_own(&message.parent_file()) && !message.is_map_entry()).collect();
        let enums: Vec<_> = pool.all_enums().filter(|found| is_own(&found.parent_file())).collect();
        let is_reasons = |found: &&EnumDescriptor| options::is_true(&pool, &found.options(), "weft.mesh.v1.reasons");
        let reasons = enums.iter().filter(is_reasons).cloned().collect();
        let events = declaring(&pool, &messages, "weft.mesh.v1.event")?;
        let soft_deletes = declaring(&pool, &messages, "weft.mesh.v1.soft_delete")?;
        let domain = services.first().map_or_else(|| domain_of(&name), |service| service.domain.clone());
        let comments = comments(&files);
        Ok(Self { name, domain, pool, files, services, others, messages, enums, reasons, events, soft_deletes, comments })
    }

    /// The comment before an element of the contract's files, without indentation.
    pub(crate) fn comment(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        self.comments.get(&(file.name().to_owned(), path.to_vec())).map_or("", String::as_str)
    }

    /// An element's name as people say it: without the package.
    pub(crate) fn short<'a>(&self, full_name: &'a str) -> &'a str {
        full_name.strip_prefix(&self.name).and_then(|name| name.strip_prefix('.')).unwrap_or(full_name)
    }

    /// The sentence that refuses something of an element.
    pub(crate) fn refusal(&self, file: &FileDescriptor, full_name: &str, problem: impl Into<String>) -> Refusal {
        let (file, element) = (file.name().to_owned(), self.short(full_name).to_owned());
        Refusal { file, element, problem: problem.into() }
    }

    /// The services of this package and all that it knows.
    pub(crate) fn all_services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().chain(&self.others)
    }
}

impl Service {
    fn read(pool: &DescriptorPool, descriptor: ServiceDescriptor) -> Result<Self, Error> {
        let policy: ServicePolicy = options::message(pool, &descriptor.options(), "weft.mesh.v1.service")?.unwrap_or_default();
        let domain = if policy.domain.is_empty() { domain_of(descriptor.package_name()) } else { policy.domain.clone() };
        let methods = descriptor.methods().map(|method| Method::read(pool, method)).collect::<Result<_, _>>()?;
        Ok(Self { descriptor, domain, policy, methods })
    }
}

impl Method {
    fn read(pool: &DescriptorPool, descriptor: MethodDescriptor) -> Result<Self, Error> {
        let options = descriptor.options();
        let policy = options::message(pool, &options, "weft.mesh.v1.call")?.unwrap_or_default();
        let rule: Option<HttpRule> = options::message(pool, &options, "google.api.http")?;
        let mut http: Vec<_> = rule.iter().map(Binding::read).collect();
        for additional in rule.iter().flat_map(|rule| &rule.additional_bindings) {
            http.push(Binding { nests: !additional.additional_bindings.is_empty(), ..Binding::read(additional) });
        }
        Ok(Self { descriptor, policy, http })
    }

    /// True if neither side streams.
    pub(crate) fn is_unary(&self) -> bool {
        !self.descriptor.is_client_streaming() && !self.descriptor.is_server_streaming()
    }

    /// The longest that a call may take, if that can be said in nanoseconds.
    pub(crate) fn deadline(&self) -> Option<i128> {
        let deadline = self.policy.deadline.as_ref()?;
        Some(i128::from(deadline.seconds) * 1_000_000_000 + i128::from(deadline.nanos))
    }
}

impl Binding {
    fn read(rule: &HttpRule) -> Self {
        let patterns =
            [("GET", &rule.get), ("PUT", &rule.put), ("POST", &rule.post), ("DELETE", &rule.delete), ("PATCH", &rule.patch)];
        let found = patterns.into_iter().find(|(_, template)| !template.is_empty());
        let (method, template) = match (found, &rule.custom) {
            (Some((method, template)), _) => (method.to_owned(), template.clone()),
            (None, Some(custom)) => (custom.kind.clone(), custom.path.clone()),
            (None, None) => (String::new(), String::new()),
        };
        Self { method, template, body: rule.body.clone(), response_body: rule.response_body.clone(), nests: false }
    }
}

/// The messages that declare an option, with what it says.
fn declaring<O: prost::Message + Default>(
    pool: &DescriptorPool,
    messages: &[MessageDescriptor],
    option: &'static str,
) -> Result<Vec<(MessageDescriptor, O)>, Error> {
    let mut declaring = Vec::new();
    for message in messages {
        let value: Option<O> = options::message(pool, &message.options(), option)?;
        declaring.extend(value.map(|value| (message.clone(), value)));
    }
    Ok(declaring)
}

/// The number of `google.rpc.Code` that a reason is tied to.
pub(crate) fn code_of(pool: &DescriptorPool, value: &EnumValueDescriptor) -> Option<i32> {
    match options::value(pool, &value.options(), "weft.mesh.v1.code") {
        Some(Value::EnumNumber(number)) => Some(number),
        _ => None,
    }
}

fn one_package(files: &[FileDescriptor]) -> Result<String, Error> {
    let mut package: Option<&str> = None;
    for file in files {
        let other = file.package_name();
        match package {
            _ if other.is_empty() => return Err(Error::NoPackage(file.name().to_owned())),
            Some(first) if first != other => {
                return Err(Error::TwoPackages { first: first.to_owned(), second: other.to_owned() });
            }
            _ => package = Some(other),
        }
    }
    Ok(package.unwrap_or_default().to_owned())
}

/// The last word of a package before its version: `orders` of `weft.orders.v1`.
fn domain_of(package: &str) -> String {
    let is_version = |word: &&str| word.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    package.rsplit('.').find(|word| !is_version(word)).unwrap_or(package).to_owned()
}

fn comments(files: &[FileDescriptor]) -> BTreeMap<(String, Vec<i32>), String> {
    let mut comments = BTreeMap::new();
    for file in files {
        let locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
        for location in locations {
            let text = documentation(location.leading_comments());
            comments.insert((file.name().to_owned(), location.path.clone()), text);
        }
    }
    comments
}

#[cfg(test)]
mod tests {
    use super::domain_of;

    #[test]
    fn a_domain_is_the_last_word_before_the_version() {
        for (package, domain) in [("weft.orders.v1", "orders"), ("acme.shop.v1beta2", "shop"), ("greeter", "greeter")] {
            assert_eq!(domain_of(package), domain);
        }
    }
}
