//! Bringing the databases up to date, as a step of its own.

use std::io::Write;

use weft_config::Config;
use weft_mesh::Domain;

use crate::failure::Failure;

/// Applies what is pending, or only tells it and fails if there is anything.
pub(crate) async fn run(
    config: &Config,
    domains: &[Domain],
    check: bool,
    program: &str,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let databases = weft_mesh::open_databases(config).await?;
    let word = if check { "pending" } else { "applied" };
    let mut count = 0;
    for domain in domains {
        let failed = |source| Failure::Migrations { domain: domain.name(), source };
        let pending = databases.pending(domain.schema()).await.map_err(failed)?;
        if !check {
            // Also where nothing is pending: roles and row-level security are brought up to date with it.
            databases.migrate(domain.schema()).await.map_err(failed)?;
        }
        for migration in &pending {
            writeln!(out, "{word} {}: {migration}", domain.name()).map_err(Failure::Output)?;
        }
        count += pending.len();
    }
    databases.close().await;
    match count {
        0 => writeln!(out, "the databases are up to date").map_err(Failure::Output),
        _ if check => Err(Failure::Pending { count, program: program.to_owned() }),
        _ => Ok(()),
    }
}
