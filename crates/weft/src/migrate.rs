//! Bringing the databases up to date, as a step of its own.

use std::{io::Write, time::Duration};

use weft_config::Config;
use weft_mesh::Domain;

use crate::failure::Failure;

/// How often a run that waits looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What is done about pending migrations.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// They are applied.
    Apply,
    /// They are told, and any is a failure.
    Check,
    /// Someone else applies them, within this time; a database that cannot be reached yet is waited for too.
    Wait(Duration),
}

impl Mode {
    pub(crate) fn of(check: bool, wait_seconds: u64) -> Self {
        match (check, wait_seconds) {
            (false, _) => Self::Apply,
            (true, 0) => Self::Check,
            (true, seconds) => Self::Wait(Duration::from_secs(seconds)),
        }
    }
}

/// Applies what is pending, or only tells it and fails if there is anything.
pub(crate) async fn run(
    config: &Config,
    domains: &[Domain],
    mode: Mode,
    program: &str,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let Mode::Wait(limit) = mode else {
        return once(config, domains, matches!(mode, Mode::Check), program, out).await;
    };
    let until = tokio::time::Instant::now() + limit;
    loop {
        let mut told = Vec::new();
        match once(config, domains, true, program, &mut told).await {
            Ok(()) => return out.write_all(&told).map_err(Failure::Output),
            Err(failure) if tokio::time::Instant::now() + LOOK_AGAIN >= until => return Err(failure),
            Err(failure) => tracing::info!(reason = failure.sentence(), "waiting for the migrations"),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn once(config: &Config, domains: &[Domain], check: bool, program: &str, out: &mut impl Write) -> Result<(), Failure> {
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
