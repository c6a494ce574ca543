//! A mesh of ours, a client of ours, and what is broken of them on purpose.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use weft_access::{CallerPattern, CallerSettings, Enforcement};
use weft_config::CertificatesFrom;
use weft_discovery::{Endpoint, Static};
use weft_edge_fixture::contract::NotesClient;
use weft_mesh::Clock;
use weft_testkit::{Backend, Mesh};
use weft_transport::{LiveTuning, Upstreams};
use weft_workload_identity::{CertificateSource, DomainPath, NameMap};

use crate::authority::{Anybody, Authority};

/// A guarantee that is broken to show that the table notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The client takes any id of the mesh for its peer's.
    AnyId,
    /// The server enforces no caller rules.
    AuditOnly,
}

/// What is under test, and the authorities around it.
pub(crate) struct Lab {
    /// Serves the fixture as `notes`; `reader` may call and is revoked, `stranger` never may.
    pub(crate) mesh: Mesh,
    /// The mesh's own authority.
    pub(crate) ours: Authority,
    /// Another.
    pub(crate) foreign: Authority,
    sabotage: Option<Sabotage>,
}

/// A client of ours, and what it knows of addresses for as long as it is used.
pub(crate) struct Client {
    pub(crate) notes: NotesClient,
    _resolver: Arc<Static>,
}

fn settings(sabotage: Option<Sabotage>, deny: &[Option<&str>]) -> CallerSettings {
    let pattern =
        |caller: Option<&str>| CallerPattern { caller: caller.map(str::to_owned), domain: "notes".to_owned(), method: None };
    let enforcement = if sabotage == Some(Sabotage::AuditOnly) { Enforcement::AuditOnly } else { Enforcement::Enforce };
    CallerSettings { callers: vec![pattern(Some("reader"))], deny: deny.iter().copied().map(pattern).collect(), enforcement }
}

impl Lab {
    pub(crate) async fn new(sabotage: Option<Sabotage>) -> Self {
        let (ours, foreign) = (Authority::new("mesh"), Authority::new("foreign"));
        let folder = tempfile::tempdir().unwrap();
        for workload in ["notes", "edge", "reader", "stranger"] {
            ours.mount(folder.path(), workload);
        }
        let mounted = folder.path().to_owned();
        let files = move |config: &mut weft_config::Config| {
            config.mesh.certificates_from = CertificatesFrom::Files;
            std::fs::create_dir_all(&config.data_dir).unwrap();
            std::fs::rename(mounted, config.certificates()).unwrap();
        };
        let builder = Mesh::of([weft_edge_fixture::domain()]).clock(Clock::system());
        let mesh = builder.configure(files).start(Backend::Sqlite).await;
        let _ = folder.keep();
        mesh.running().caller_rules().set_settings(&settings(sabotage, &[]));
        Self { mesh, ours, foreign, sabotage }
    }

    /// Where the server of ours listens.
    pub(crate) fn notes(&self) -> SocketAddr {
        self.mesh.running().addresses()["notes"]
    }

    /// Revokes what `reader` might do, or gives it back.
    pub(crate) fn revoke_reader(&self, is_revoked: bool) {
        let deny: &[_] = if is_revoked { &[Some("reader")] } else { &[] };
        self.mesh.running().caller_rules().set_settings(&settings(self.sabotage, deny));
    }

    /// Denies everybody everything, for good.
    pub(crate) fn deny_all(&self) {
        self.mesh.running().caller_rules().set_settings(&settings(self.sabotage, &[None]));
    }

    /// The value of a counter of the mesh.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        let metrics = self.mesh.running().metrics().render();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// A client of ours for `notes`, which it is told to find at `address`.
    pub(crate) fn client_to(&self, address: SocketAddr) -> Client {
        let names: Arc<dyn NameMap> = match self.sabotage {
            Some(Sabotage::AnyId) => Arc::new(Anybody("notes")),
            Some(Sabotage::AuditOnly) | None => Arc::new(DomainPath),
        };
        let source: Arc<dyn CertificateSource> = self.ours.source("edge", names);
        let notes = Endpoint::new(address.ip().to_string(), address.port());
        let resolver = Arc::new(Static::new(BTreeMap::from([("notes".to_owned(), notes)])));
        let metrics = self.mesh.running().metrics().clone();
        let upstreams =
            Upstreams::new("edge".parse().unwrap(), Arc::clone(&resolver) as _, source, metrics, LiveTuning::default());
        Client { notes: weft_call::Client::over(upstreams.upstream("notes").unwrap()), _resolver: resolver }
    }
}
