//! Reads the folder again and again, and takes what is good.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::mounted::{Digest, Mounted, Reading};
use super::{Files, Snapshot, workloads};
use crate::error::IdentityError;
use crate::names::WorkloadName;

/// What a folder looked like: its content, or why it could not be read.
type Sight = Result<Digest, String>;
/// What cannot be used now, and why.
type Faults = BTreeMap<PathBuf, String>;

/// Keeps the files' snapshot current.
pub(super) struct Watch {
    files: Arc<Files>,
    seen: BTreeMap<WorkloadName, Sight>,
    faults: Faults,
}

/// What became of one workload's folder.
enum Outcome {
    /// It holds what it held.
    Same,
    /// It holds something else than at the last look, and perhaps not all of it yet.
    Moving,
    New(Mounted),
}

impl Watch {
    pub(super) fn new(files: Arc<Files>) -> Self {
        Self { files, seen: BTreeMap::new(), faults: Faults::new() }
    }

    /// Ends only by being dropped.
    pub(super) async fn run(mut self, clock: Arc<dyn TimeProvider>, period: Duration) {
        #[cfg(feature = "sabotage")]
        if weft_sabotage::Sabotage::StaleCertificates.is_on() {
            return;
        }
        loop {
            sleep(period).await;
            let Some(now) = clock.current_time() else { continue };
            let known = self.faults.clone();
            let read = spawn_blocking(move || {
                self.read(now);
                self
            });
            self = match read.await {
                Ok(watch) => watch,
                // The runtime ends, or reading panicked, which is a mistake in this crate.
                Err(error) => return tracing::error!(%error, "certificates are no longer watched"),
            };
            report(&known, &self.faults);
            self.files.is_faulty.store(!self.faults.is_empty(), Ordering::Relaxed);
        }
    }

    /// One round over all folders.
    fn read(&mut self, now: UnixTime) {
        let last = self.files.snapshot.load_full();
        let mut names: BTreeSet<_> = last.mounted.keys().cloned().collect();
        let listed = workloads(&self.files.folder).map(|found| names.extend(found));
        self.judge(self.files.folder.clone(), listed);
        let (mut mounted, mut is_changed) = (last.mounted.clone(), false);
        for workload in names {
            let outcome = match self.read_one(&workload, last.mounted.get(&workload), now) {
                Ok(Outcome::Moving) => continue,
                Ok(Outcome::Same) => Ok(()),
                Ok(Outcome::New(new)) => {
                    tracing::info!(%workload, not_after = ?new.identity.not_after(), "took new certificates");
                    mounted.insert(workload.clone(), Arc::new(new));
                    is_changed = true;
                    Ok(())
                }
                Err(error) => Err(error),
            };
            self.judge(self.files.folder.join(workload.as_str()), outcome);
        }
        if !is_changed {
            return;
        }
        // Every root in it was parsed before: this cannot fail, and would leave all as it was.
        match Snapshot::of(mounted, &self.files.trust_domain, &self.files.names) {
            Ok(snapshot) => self.files.snapshot.store(Arc::new(snapshot)),
            Err(error) => self.judge(self.files.folder.clone(), Err(error)),
        }
    }

    fn judge(&mut self, folder: PathBuf, outcome: Result<(), IdentityError>) {
        match outcome {
            Ok(()) => self.faults.remove(&folder),
            Err(error) => self.faults.insert(folder, error.to_string()),
        };
    }

    /// Takes a folder's new content once it has come to rest.
    fn read_one(
        &mut self,
        workload: &WorkloadName,
        held: Option<&Arc<Mounted>>,
        now: UnixTime,
    ) -> Result<Outcome, IdentityError> {
        let reading = Reading::of(&self.files.folder.join(workload.as_str()));
        let sight = reading.as_ref().map(Reading::digest).map_err(ToString::to_string);
        let is_at_rest = self.seen.get(workload) == Some(&sight);
        let is_held = held.is_some_and(|held| sight == Ok(held.digest));
        self.seen.insert(workload.clone(), sight);
        match (is_held, is_at_rest) {
            (true, _) => Ok(Outcome::Same),
            (false, false) => Ok(Outcome::Moving),
            (false, true) => reading?.accept(workload, &self.files.trust_domain, &self.files.names, now).map(Outcome::New),
        }
    }
}

/// Logs what is new, and what is over.
fn report(known: &Faults, faults: &Faults) {
    for (folder, error) in faults {
        if known.get(folder) != Some(error) {
            tracing::warn!(folder = %folder.display(), error, "certificates cannot be used: those read before stay");
        }
    }
    for folder in known.keys().filter(|folder| !faults.contains_key(*folder)) {
        tracing::info!(folder = %folder.display(), "certificates can be used again");
    }
}
