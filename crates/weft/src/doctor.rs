//! `doctor`: what would keep this machine from running weft well, and what to do about it.
//!
//! # Problem
//!
//! A process that does not start says why in one sentence, and then the next thing is wrong. An operator wants all of it
//! at once, before anything is started, and wants to be told what to do.
//!
//! # Rule
//!
//! Everything that the configuration names is looked at, each by itself; nothing is made, changed or started. Every
//! finding that is not good says what to do. What fails keeps weft from starting or from working; a warning is worth
//! knowing.
//!
//! # Recovery
//!
//! A check that takes too long is a failure of what it looks at: doctor itself always ends.

mod agent;
mod certificates;
mod files;
mod finding;
mod machine;
mod records;

use std::{io::Write, net::SocketAddr, time::Duration};

use weft_access::EDGE;
use weft_config::{Config, Source};
use weft_mesh::Domain;

use crate::{
    arguments::Settings,
    configure,
    failure::Failure,
    routes::{Form, table},
};
use finding::{Finding, Findings, Verdict};

/// How long one look may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Looks at everything and tells what it finds; fails if something would keep weft from working.
pub(crate) fn run(settings: &Settings, domains: &[Domain], form: Form, out: &mut impl Write) -> Result<(), Failure> {
    let mut findings = Findings::default();
    match configure::load(settings, domains) {
        Ok(configured) => {
            let chosen = configured.loaded.sources.values().filter(|source| !matches!(source, Source::Default)).count();
            findings.good("configuration", format!("{chosen} settings differ from their defaults, and all of them hold"));
            crate::process::bare(look(&configured.loaded.config, domains, &mut findings))?;
        }
        Err(failure) => {
            findings.bad("configuration", failure.sentence(), "correct the setting; .env.example describes every one");
        }
    }
    tell(&findings.all, form, out).map_err(Failure::Output)?;
    match findings.all.iter().filter(|finding| finding.verdict == Verdict::Bad).count() {
        0 => Ok(()),
        count => Err(Failure::Unwell { count }),
    }
}

async fn look(config: &Config, domains: &[Domain], findings: &mut Findings) {
    records::look(config, domains, findings).await;
    records::look_at_redis(config, findings).await;
    files::look(config, findings).await;
    agent::look(config, findings).await;
    agent::look_at_upstreams(config, findings).await;
    certificates::look(config, domains, findings);
    for (what, setting, address) in addresses(config, domains) {
        machine::look_at_port(&what, &setting, address, findings).await;
    }
    machine::look_at_descriptors(config, findings);
}

/// Where the processes of this configuration listen: what, by which setting, and at which address.
fn addresses(config: &Config, domains: &[Domain]) -> Vec<(String, String, SocketAddr)> {
    let mut addresses = vec![
        (EDGE.to_owned(), "edge.port".to_owned(), SocketAddr::new(config.edge.address, config.edge.port)),
        ("admin".to_owned(), "admin.port".to_owned(), SocketAddr::new(config.admin.address, config.admin.port)),
    ];
    for domain in domains {
        let port = config.mesh.ports.get(domain.name()).copied().or(domain.default_port()).unwrap_or(0);
        let setting = format!("mesh.ports.{}", domain.name());
        addresses.push((domain.name().to_owned(), setting, SocketAddr::new(config.mesh.listen, port)));
    }
    addresses
}

fn tell(findings: &[Finding], form: Form, out: &mut impl Write) -> std::io::Result<()> {
    if form == Form::Json {
        return writeln!(out, "{}", serde_json::json!({ "findings": findings }));
    }
    let mut rows = table(form, &["", "WHAT", "FOUND", "TO DO"]);
    for finding in findings {
        rows.add_row([finding.verdict.word(), &finding.what, &finding.found, finding.remedy.as_deref().unwrap_or("-")]);
    }
    writeln!(out, "{}", rows.trim_fmt())
}
