//! Erases a person from the records of all domains.

use std::io::Write;

use uuid::Uuid;
use weft_config::Config;
use weft_mesh::{CallBuilder, Clock, Domain, Principal, Scope, Subject, TenantId};

use crate::{
    events::{failed, open},
    failure::Failure,
};

/// Erases them from one domain after the other. What fails can be run again: what is erased stays so.
pub(crate) async fn run(
    config: &Config,
    domains: &[Domain],
    tenant: Uuid,
    user: Uuid,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let databases = weft_mesh::open_databases(config).await?;
    let blobs = weft_mesh::open_blobs(config)?;
    for domain in domains {
        let store = open(&databases, domain).await?;
        let mut parts = CallBuilder::new(Clock::system());
        parts.principal = Principal::Job { domain: domain.name(), name: "erase" };
        parts.scope = Scope::System("erases a person who asked for it");
        let subject = Subject { tenant: TenantId(tenant), user };
        domain.erase(&store, blobs.as_ref(), &parts.build(), subject).await.map_err(failed(&store))?;
        writeln!(out, "{}: erased", domain.name()).map_err(Failure::Output)?;
    }
    databases.close().await;
    Ok(())
}

/// Reads an account from a command line.
pub(crate) fn subject(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| "it must be an account's id (a UUID)".to_owned())
}
