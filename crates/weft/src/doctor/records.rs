//! The databases and Redis.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use tokio::time::timeout;
use weft_cache::Redis;
use weft_config::Config;
use weft_mesh::{
    Domain,
    store::{Databases, replica::ReplicaState},
};

use super::{LIMIT, finding::Findings};
use crate::failure::sentence;

/// Clocks may differ by so much: tokens and assertions are valid a little longer than that.
const SKEW: Duration = Duration::from_secs(2);

/// The database: reached, up to date, and at the same time.
pub(super) async fn look(config: &Config, domains: &[Domain], findings: &mut Findings) {
    let is_server = config.database.url.is_some();
    if !is_server && !look_at_folder("data_dir", &config.data_dir, findings) {
        return;
    }
    let databases = match weft_mesh::open_databases(config).await {
        Ok(databases) => databases,
        Err(error) => {
            let remedy = "start PostgreSQL, or correct database.url and database.password; without them SQLite is used";
            return findings.bad("database", sentence(&error), remedy);
        }
    };
    look_at_migrations(&databases, domains, findings).await;
    if is_server {
        look_at_clock(&databases, findings).await;
        look_at_replica(config, findings).await;
    }
    databases.close().await;
}

/// Whether the folder of the databases can be written, or made.
pub(super) fn look_at_folder(setting: &str, folder: &Path, findings: &mut Findings) -> bool {
    let mut there = folder;
    while !there.exists() {
        // A relative folder stands in the one that this runs in.
        there = there.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    }
    match tempfile::tempfile_in(there) {
        Ok(_) => {
            let state = if there == folder { "can be written" } else { "is not there yet and can be made" };
            findings.good(setting, format!("{} {state}", folder.display()));
            there == folder
        }
        Err(error) => {
            let remedy = format!("let this user write there, or set {setting} to a folder where it can");
            findings.bad(setting, format!("{}: {error}", folder.display()), remedy);
            false
        }
    }
}

async fn look_at_migrations(databases: &Databases, domains: &[Domain], findings: &mut Findings) {
    let mut pending = 0;
    for domain in domains {
        match databases.pending(domain.schema()).await {
            Ok(migrations) => pending += migrations.len(),
            Err(error) => {
                let remedy = "let the user of database.url connect to the database and read its schemas";
                return findings.bad("database", format!("{}: {}", domain.name(), sentence(&error)), remedy);
            }
        }
    }
    if pending == 0 {
        return findings.good("database", "reached, and up to date");
    }
    let remedy = "run `weft migrate` before `weft serve`; `weft up` does it itself";
    findings.warning("database", format!("reached; {pending} migrations are pending"), remedy);
}

async fn look_at_clock(databases: &Databases, findings: &mut Findings) {
    let asked = SystemTime::now();
    match databases.server_time().await {
        Ok(None) => {}
        Ok(Some(there)) => {
            let answered = SystemTime::now();
            // The server looked at its clock somewhere between question and answer.
            let ahead = there.duration_since(answered).unwrap_or_default();
            let behind = asked.duration_since(there).unwrap_or_default();
            let skew = ahead.max(behind);
            if skew > SKEW {
                let found = format!("{:.1} s apart from the database's", skew.as_secs_f64());
                findings.bad("clock", found, "run an NTP client such as chrony on both machines");
            } else {
                findings.good("clock", format!("within {} s of the database's", SKEW.as_secs()));
            }
        }
        Err(error) => findings.bad("clock", sentence(&error), "see what keeps the database from answering"),
    }
}

/// The replica, where one is set: it is of this database, and not too far behind.
async fn look_at_replica(config: &Config, findings: &mut Findings) {
    let Some(url) = &config.database.replica_url else { return };
    let name = "replica";
    let remedy = "let database.replica_url lead to a hot standby of database.url; until then the primary answers its reads";
    let settings = weft_mesh::database_settings(config);
    match timeout(LIMIT, weft_mesh::store::replica::look(&settings, url)).await {
        Ok(Ok(ReplicaState::Follows { behind })) => findings.good(name, format!("follows, {behind} bytes behind")),
        Ok(Ok(ReplicaState::NotAReplica)) => findings.warning(name, "the server is no replica, or was promoted", remedy),
        Ok(Ok(ReplicaState::Foreign)) => findings.bad(name, "the server is the replica of another than database.url", remedy),
        Ok(Err(error)) => findings.warning(name, sentence(&error), remedy),
        Err(_) => findings.warning(name, format!("no answer within {} s", LIMIT.as_secs()), remedy),
    }
}

/// Redis, where one is set.
pub(super) async fn look_at_redis(config: &Config, findings: &mut Findings) {
    let Some(url) = &config.redis.url else { return };
    let remedy = "start Redis, or correct redis.url; without it caches and counters are each process' own";
    let redis = match Redis::trusted_by(url, config.redis.ca.as_deref()) {
        Ok(redis) => redis,
        Err(error) => return findings.bad("redis", sentence(&error), remedy),
    };
    match timeout(LIMIT, redis.ping()).await {
        Ok(Ok(())) => findings.good("redis", "reached"),
        Ok(Err(error)) => findings.bad("redis", sentence(&error), remedy),
        Err(_) => findings.bad("redis", format!("no answer within {} s", LIMIT.as_secs()), remedy),
    }
}
