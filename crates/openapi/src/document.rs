//! The document: paths and components of all methods that have a route.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost_reflect::ServiceDescriptor;
use weft_call::{Contract, MethodContract};
use weft_transcode::{HttpRule, Method};

use crate::{
    answers,
    described::Described,
    error::OpenApiError,
    json::{Json, Object},
    markdown,
    operation::{SCHEMES, Shown},
    path::DocumentPath,
    schemas::Schemas,
};

/// The HTTP methods that OpenAPI 3.1 has a place for, save OPTIONS and HEAD, which the edge answers itself.
const METHODS: [&str; 7] = ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "TRACE"];
/// What a rule for every method (`*`) is shown as.
const EVERY: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];
const SPELLINGS: &str = "Bodies are the JSON of protobuf (ProtoJSON). Schemas show its canonical form; requests may use its other \
    spellings too: `null` for what is not set, numbers as text and the other way round, values of enums as numbers, and names of \
    fields as the contract has them. Text may be anything in Unicode but NUL. Fields that there are not are refused, in bodies \
    and in queries. What is not set is left out of answers.\n\n\
    Every failure is a `google.rpc.Status`, whose `ErrorInfo` has a reason that programs can match on.";

/// What the document is called.
#[derive(Clone, Debug)]
pub struct Info {
    /// Its title.
    pub title: String,
    /// The version of the API.
    pub version: String,
    /// What it is, in Markdown.
    pub description: String,
}

/// An OpenAPI 3.1 document.
#[derive(Clone, Debug)]
pub struct Document(Object);

impl Document {
    /// The document of what users may call of these contracts.
    pub fn of_contracts(info: &Info, contracts: &[&'static Contract]) -> Result<Self, OpenApiError> {
        let set: Vec<u8> = contracts.iter().flat_map(|contract| contract.descriptor_set).copied().collect();
        let mut policies = HashMap::new();
        for contract in contracts {
            let methods = contract.services.iter().flat_map(|service| service.methods);
            policies.extend(
                methods.filter(|method| method.serves_users()).map(|method| (method.path.to_owned(), (*contract, method))),
            );
        }
        let described = Described::read(&set)?;
        let mut document =
            document(info, &described, |method| Some(policies.get(&method.grpc_path()).copied()).filter(Option::is_some))?;
        let schemes = Object::new().with(SCHEMES[0], bearer()).with(SCHEMES[1], api_key());
        if let Some(components) = document.object_mut("components") {
            components.set("securitySchemes", schemes);
        }
        Ok(Self(document))
    }

    /// The document of an encoded `google.protobuf.FileDescriptorSet`, or of it what these services have, of whose policy
    /// nothing is known.
    pub fn of_descriptors(info: &Info, set: &[u8], services: Option<&BTreeSet<String>>) -> Result<Self, OpenApiError> {
        let described = Described::read(set)?;
        let is_shown = |method: &Method| services.is_none_or(|services| services.contains(&method.service));
        document(info, &described, |method| is_shown(method).then_some(None)).map(Self)
    }

    /// The document as JSON.
    pub fn to_json(&self) -> String {
        // Its keys are texts and its numbers are finite.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The document as Markdown, for people.
    pub fn to_markdown(&self) -> String {
        markdown::of(&self.0)
    }
}

/// A method's contract and policy; none of a server that is no domain.
type Policy = Option<(&'static Contract, &'static MethodContract)>;

fn document(info: &Info, described: &Described, policy: impl Fn(&Method) -> Option<Policy>) -> Result<Object, OpenApiError> {
    let methods = described.schema.methods().iter().filter(|method| !method.rules.is_empty());
    let methods: Vec<_> = methods.filter_map(|method| Some((method, policy(method)?))).collect();
    let tags = Tags::of(described, methods.iter().map(|(method, _)| method.service.as_str()));
    let mut shown = Vec::new();
    for (method, policy) in methods {
        shown.push(Shown {
            method,
            input: described.message(described.schema.message_name(method.input))?,
            output: described.message(described.schema.message_name(method.output))?,
            policy: policy.map(|(_, policy)| policy),
            contract: policy.map(|(contract, _)| contract),
            comment: tags.comment_of(described, method),
            tag: tags.name(&method.service),
        });
    }
    let mut schemas = Schemas::new(described, shown.iter().map(|shown| shown.output.clone()));
    let paths = paths(&mut schemas, &shown)?;
    let (name, status) = answers::status_schema();
    schemas.add(name, status);
    let about = [info.description.as_str(), SPELLINGS].join("\n\n").trim().to_owned();
    let head = Object::new().with("title", info.title.as_str()).with("version", info.version.as_str()).with("description", about);
    let components = Object::new().with("schemas", schemas.finish()).with("headers", answers::header_components());
    Ok(Object::new()
        .with("openapi", "3.1.1")
        .with("info", head)
        .with("servers", vec![Object::new().with("url", "/")])
        .with("tags", tags.list())
        .with("paths", paths)
        .with("components", components))
}

fn paths(schemas: &mut Schemas<'_>, shown: &[Shown<'_>]) -> Result<Object, OpenApiError> {
    let (mut paths, mut names) = (Object::new(), HashMap::<String, Vec<String>>::new());
    for shown in shown {
        let rules = shown.method.rules.iter().flat_map(|rule| {
            let methods: &[&str] = if rule.method == "*" { &EVERY } else { &[] };
            let methods = methods.iter().map(|method| HttpRule { method: (*method).to_owned(), ..rule.clone() });
            methods.chain((rule.method != "*").then(|| rule.clone()))
        });
        for (index, rule) in rules.filter(|rule| METHODS.contains(&rule.method.as_str())).enumerate() {
            let name = format!("{}_{}", shown.tag.replace('.', "_"), shown.method.name);
            let id = if index == 0 { name } else { format!("{name}_{}", index + 1) };
            let path = DocumentPath::of(&rule.path).map_err(|reason| OpenApiError::Template {
                method: shown.method.full_name(),
                template: rule.path.clone(),
                reason,
            })?;
            let own = || path.parameters.iter().map(|parameter| parameter.name.clone()).collect();
            let names = names.entry(path.shape()).or_insert_with(own).clone();
            let path = path.renamed(&names);
            let operation = shown.operation(schemas, &rule, &path, id)?;
            if let Some(item) = paths.object_mut(path.text) {
                item.set(rule.method.to_ascii_lowercase(), operation);
            }
        }
    }
    paths.sort();
    Ok(paths)
}

/// The services that the document shows, by the names of their tags.
struct Tags(BTreeMap<String, (String, Option<ServiceDescriptor>, String)>);

impl Tags {
    fn of<'m>(described: &Described, services: impl Iterator<Item = &'m str>) -> Self {
        let services: BTreeSet<&str> = services.collect();
        let short = |service: &str| service.rsplit('.').next().unwrap_or(service).to_owned();
        let name = |service: &str| {
            let alike = services.iter().filter(|other| short(other) == short(service)).count();
            if alike == 1 { short(service) } else { service.to_owned() }
        };
        let tag = |service: &&str| {
            let descriptor = described.pool.get_service_by_name(service);
            let about = descriptor.as_ref().map(|found| described.comments.at(&found.parent_file(), found.path()).to_owned());
            ((*service).to_owned(), (name(service), descriptor, about.unwrap_or_default()))
        };
        Self(services.iter().map(tag).collect())
    }

    fn name(&self, service: &str) -> String {
        self.0.get(service).map(|(name, ..)| name.clone()).unwrap_or_default()
    }

    fn comment_of(&self, described: &Described, method: &Method) -> String {
        let service = self.0.get(&method.service).and_then(|(_, descriptor, _)| descriptor.as_ref());
        let found = service.and_then(|service| service.methods().find(|found| found.name() == method.name));
        found
            .map(|found| described.comments.at(&found.parent_service().parent_file(), found.path()).to_owned())
            .unwrap_or_default()
    }

    fn list(&self) -> Vec<Json> {
        let tag = |(name, _, about): &(String, Option<ServiceDescriptor>, String)| {
            Object::new().with("name", name.as_str()).with_text("description", about).into()
        };
        self.0.values().map(tag).collect()
    }
}

fn bearer() -> Object {
    let about = "The access token of a user's session.";
    Object::new().with("type", "http").with("scheme", "bearer").with("bearerFormat", "JWT").with("description", about)
}

fn api_key() -> Object {
    let about = "The API key of a program.";
    Object::new().with("type", "apiKey").with("in", "header").with("name", "X-API-Key").with("description", about)
}
