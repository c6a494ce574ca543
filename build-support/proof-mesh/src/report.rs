//! What the calls came to, phase by phase, and what became of their effects.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use comfy_table::{Table, presets};
use sqlx::{Connection, PgConnection};

use crate::{
    error::ProofError,
    load::{Class, Ended},
    phases::{Done, Phase},
};

const CLASSES: [(Class, &str); 3] = [(Class::Read, "READ"), (Class::Natural, "NATURAL"), (Class::Keyed, "KEYED")];
/// How many failures are told in full.
const SHOWN: usize = 12;

/// What became of the orders: each was placed under a key of its own, which is its note.
pub(crate) struct Effects {
    keys: usize,
    acknowledged: usize,
    orders: usize,
    lost: BTreeSet<String>,
    doubled: BTreeSet<String>,
}

/// The table, and the words for each broken promise.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) broken: Vec<String>,
}

impl Effects {
    /// Counts the orders of each key in the database.
    pub(crate) async fn of(ended: &[Ended], database_url: &str) -> Result<Self, ProofError> {
        let mut database = PgConnection::connect(database_url).await?;
        let counted: Vec<(String, i64)> =
            sqlx::query_as("SELECT note, count(*) FROM weft_orders.orders WHERE note LIKE 'proof-%' GROUP BY note")
                .fetch_all(&mut database)
                .await?;
        database.close().await?;
        let counted: BTreeMap<String, i64> = counted.into_iter().collect();
        let keyed = || ended.iter().filter_map(|ended| Some((ended.key.as_ref()?, ended.failure.is_none())));
        let acknowledged: BTreeSet<_> = keyed().filter(|(_, succeeded)| *succeeded).map(|(key, _)| key.clone()).collect();
        Ok(Self {
            keys: keyed().count(),
            orders: usize::try_from(counted.values().sum::<i64>()).unwrap_or_default(),
            lost: acknowledged.iter().filter(|key| !counted.contains_key(*key)).cloned().collect(),
            doubled: counted.into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key).collect(),
            acknowledged: acknowledged.len(),
        })
    }
}

impl Report {
    pub(crate) fn new(phases: &[(Phase, Done)], ended: &[Ended], effects: &Effects) -> Self {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["phase", "what was done", "class", "calls", "failed", "p50", "p99", "slowest"]);
        let mut broken = Vec::new();
        for (index, (phase, done)) in phases.iter().enumerate() {
            let mut first = true;
            for (class, name) in CLASSES {
                let calls: Vec<_> = ended.iter().filter(|ended| ended.phase == index && ended.class == class).collect();
                if calls.is_empty() {
                    continue;
                }
                let failed = calls.iter().filter(|ended| ended.failure.is_some()).count();
                let mut took: Vec<_> = calls.iter().map(|ended| ended.took).collect();
                took.sort_unstable();
                let phase_name = if first { format!("{phase:?}") } else { String::new() };
                let what = if first { done.what.clone() } else { String::new() };
                table.add_row([
                    phase_name,
                    what,
                    name.to_owned(),
                    calls.len().to_string(),
                    failed.to_string(),
                    milliseconds(at(&took, 0.5)),
                    milliseconds(at(&took, 0.99)),
                    milliseconds(at(&took, 1.0)),
                ]);
                first = false;
                if failed > 0 {
                    broken.push(format!("{failed} of {} {name} calls failed in the phase {phase:?}", calls.len()));
                }
            }
        }
        for (keys, what) in
            [(&effects.doubled, "placed more than one order"), (&effects.lost, "was answered, and there is no order")]
        {
            broken.extend(keys.iter().take(SHOWN).map(|key| format!("the key {key} {what}")));
        }
        let mut text = table.to_string();
        let _ = write!(
            text,
            "\n{} keys, {} of them answered with success, {} orders: {} doubled, {} lost",
            effects.keys,
            effects.acknowledged,
            effects.orders,
            effects.doubled.len(),
            effects.lost.len()
        );
        let _ = write!(text, "{}", failures(phases, ended));
        Self { text, broken }
    }
}

/// Failures of one kind counted together: what they said, how many there were, and over which time.
fn failures(phases: &[(Phase, Done)], ended: &[Ended]) -> String {
    let mut kinds: BTreeMap<(usize, Class, &str), Vec<&Ended>> = BTreeMap::new();
    for ended in ended {
        let Some(failure) = &ended.failure else { continue };
        // What follows is the id of the one request.
        let kind = failure.split("{\"@type\":\"type.googleapis.com/google.rpc.RequestInfo").next().unwrap_or_default();
        kinds.entry((ended.phase, ended.class, kind)).or_default().push(ended);
    }
    let mut text = String::new();
    for ((phase, class, kind), calls) in kinds.into_iter().take(SHOWN) {
        let phase = phases.get(phase).map(|(phase, _)| phase);
        let seconds = |moment: Option<Duration>| moment.unwrap_or_default().as_secs_f64();
        let (first, last) = (calls.iter().map(|call| call.at).min(), calls.iter().map(|call| call.at).max());
        let (first, last) = (seconds(first), seconds(last));
        let _ = write!(text, "\n{} failed in {phase:?}, made from {first:.1} s to {last:.1} s, {class:?}: {kind}", calls.len());
    }
    text
}

/// The value that this share of the sorted values does not exceed.
fn at(sorted: &[Duration], share: f64) -> Duration {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index in a list"
    )]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).or(sorted.last()).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
