//! What is served: the schema, its routes, and the policy of each method, made whole from descriptors.
//!
//! Whatever is wrong with them is found while the catalogue is made, so one that exists can be served. A request holds
//! on to the catalogue that it began with; a newer one is for the requests that come after it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::OnceLock,
};

use http::Method;
use weft_call::{Contract, Error, FieldViolation, MeshReason, MethodContract};
use weft_transcode::{Match, RouteError, Router, Schema};

use crate::{
    error::{EdgeError, Failure},
    reference,
    rest::Rules,
    schema::Policies,
};

/// What is served.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) schema: Schema,
    pub(crate) router: Router,
    /// The methods that are served, by their places in the schema.
    methods: Vec<Option<Served>>,
    by_path: HashMap<&'static str, usize>,
    described: Described,
    document: OnceLock<Result<reference::Json, String>>,
}

/// What a catalogue was made from.
#[derive(Debug)]
pub(crate) enum Described {
    Contracts(Vec<&'static Contract>),
    Descriptors {
        set: Vec<u8>,
        /// Those of its services that are served, if not all are.
        services: Option<BTreeSet<String>>,
    },
}

/// A method that is served.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) contract: &'static MethodContract,
    pub(crate) rules: Rules,
}

/// Where a REST request goes.
#[derive(Debug)]
pub(crate) struct Route<'c> {
    pub(crate) served: &'c Served,
    pub(crate) matched: Match<'c>,
}

impl Catalogue {
    /// Everything in these contracts that users may call.
    pub(crate) fn of_contracts(contracts: &[&'static Contract]) -> Result<Self, EdgeError> {
        // A file that several contracts import counts once.
        let set: Vec<u8> = contracts.iter().flat_map(|contract| contract.descriptor_set).copied().collect();
        let schema = Schema::from_descriptor_set(&set)?;
        let methods = contracts.iter().flat_map(|contract| contract.services).flat_map(|service| service.methods);
        // What only workloads may call is not served to strangers at all.
        let policies: HashMap<_, _> =
            methods.filter(|method| method.serves_users()).map(|method| (method.path, method)).collect();
        let described = Described::Contracts(contracts.to_vec());
        let catalogue = Self::new(schema, described, |_, method| Ok(policies.get(method.grpc_path().as_str()).copied()))?;
        match policies.keys().find(|path| !catalogue.by_path.contains_key(*path)) {
            Some(path) => Err(EdgeError::Missing { method: path }),
            None => Ok(catalogue),
        }
    }

    /// Everything in an encoded `google.protobuf.FileDescriptorSet`, or of it what these services have.
    pub(crate) fn of_descriptors(
        set: &[u8],
        services: Option<&BTreeSet<String>>,
        policies: &mut Policies,
    ) -> Result<Self, EdgeError> {
        let schema = Schema::from_descriptor_set(set)?;
        let described = Described::Descriptors { set: set.to_vec(), services: services.cloned() };
        let catalogue = Self::new(schema, described, |schema, method| {
            let is_served = services.is_none_or(|services| services.contains(&method.service));
            is_served.then(|| policies.of(schema, method)).transpose().map_err(EdgeError::from)
        })?;
        if catalogue.by_path.is_empty() { Err(EdgeError::NothingToServe) } else { Ok(catalogue) }
    }

    fn new(
        schema: Schema,
        described: Described,
        mut policy: impl FnMut(&Schema, &weft_transcode::Method) -> Result<Option<&'static MethodContract>, EdgeError>,
    ) -> Result<Self, EdgeError> {
        let served = |method: &weft_transcode::Method| {
            let Some(contract) = policy(&schema, method)? else { return Ok(None) };
            Rules::read(&method.options).map(|rules| Some(Served { contract, rules }))
        };
        let methods: Vec<_> = schema.methods().iter().map(served).collect::<Result<_, _>>()?;
        let router = Router::build_for(&schema, |index| methods[index].is_some())?;
        let places = methods.iter().enumerate();
        let by_path = places.filter_map(|(index, served)| Some((served.as_ref()?.contract.path, index))).collect();
        Ok(Self { schema, router, methods, by_path, described, document: OnceLock::new() })
    }

    /// How many methods are served.
    pub(crate) fn count(&self) -> usize {
        self.by_path.len()
    }

    /// The methods that are served, in the order of the schema.
    pub(crate) fn served(&self) -> impl Iterator<Item = &'static MethodContract> {
        self.methods.iter().flatten().map(|served| served.contract)
    }

    /// The contracts that it was made from; none of a server that is no domain.
    pub(crate) fn contracts(&self) -> &[&'static Contract] {
        match &self.described {
            Described::Contracts(contracts) => contracts,
            Described::Descriptors { .. } => &[],
        }
    }

    /// The description of what is served, made when it is first asked for; or why there is none.
    pub(crate) fn document(&self) -> Result<reference::Json, String> {
        self.document.get_or_init(|| reference::describe(&self.described).map_err(|error| error.to_string())).clone()
    }

    /// The method of a gRPC path.
    pub(crate) fn method(&self, path: &str) -> Option<&Served> {
        self.by_path.get(path).and_then(|index| self.methods[*index].as_ref())
    }

    /// The methods that a path is served for, if it is.
    pub(crate) fn methods_of(&self, path: &str) -> Option<String> {
        // No contract can have a route for this method.
        match self.router.find("\0", path) {
            Err(RouteError::MethodNotAllowed { allowed }) => Some(all_methods(allowed)),
            // A rule for every method.
            Ok(_) => Some(all_methods(["DELETE", "GET", "PATCH", "POST", "PUT"].map(str::to_owned).to_vec())),
            Err(_) => None,
        }
    }

    /// The route of a path whatever its method, GET before others.
    pub(crate) fn any_route(&self, path: &str) -> Result<(Method, Route<'_>), Failure> {
        let verb = match self.router.find("GET", path) {
            Err(RouteError::MethodNotAllowed { allowed }) => allowed.first().cloned().unwrap_or_default(),
            _ => "GET".to_owned(),
        };
        let verb = Method::from_bytes(verb.as_bytes()).unwrap_or_default();
        let route = self.route(&verb, path)?;
        Ok((verb, route))
    }

    /// The route of a request line. HEAD is answered where GET is.
    pub(crate) fn route(&self, method: &Method, path: &str) -> Result<Route<'_>, Failure> {
        let unknown = || Error::new(MeshReason::RouteUnknown, "no such path is served here").into();
        let found = match self.router.find(method.as_str(), path) {
            Err(RouteError::MethodNotAllowed { .. }) if method == Method::HEAD => self.router.find("GET", path),
            found => found,
        };
        match found {
            // Only methods that are served have routes.
            Ok(matched) => match &self.methods[matched.binding.method_index()] {
                Some(served) => Ok(Route { served, matched }),
                None => Err(unknown()),
            },
            Err(RouteError::MethodNotAllowed { allowed }) => Err(Failure::method_not_allowed(&all_methods(allowed))),
            Err(RouteError::InvalidEncoding) => Err(not_utf8().into()),
            Err(RouteError::TooLong) => Err(Failure::uri_too_long()),
            Err(_) => Err(unknown()),
        }
    }
}

/// The methods of a path with those that are served everywhere.
fn all_methods(mut allowed: Vec<String>) -> String {
    if allowed.iter().any(|method| method == "GET") {
        allowed.push("HEAD".to_owned());
    }
    allowed.push("OPTIONS".to_owned());
    allowed.sort_unstable();
    allowed.dedup();
    allowed.join(", ")
}

fn not_utf8() -> Error {
    let violation = FieldViolation { field: "path".into(), description: "must be UTF-8".into(), rule: String::new() };
    Error::new(MeshReason::MalformedMessage, "the path is not percent-encoded UTF-8").with_violation(violation)
}
