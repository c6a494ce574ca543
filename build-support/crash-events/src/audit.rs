//! Holds what happened against what was promised.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    Result,
    records::{GHOST, Records},
    worker,
};

/// After the last effect has come, what comes twice would have come within this.
const AFTERMATH: Duration = Duration::from_secs(3);

/// What the run came to.
pub(crate) struct Audit {
    pub(crate) committed: usize,
    pub(crate) answered: usize,
    pub(crate) effects: usize,
    pub(crate) broken: Vec<String>,
}

/// Waits for the effects, and gives every broken promise in words.
pub(crate) async fn audit(records: &Records, folder: &Path, patience: Duration) -> Result<Audit> {
    let end = Instant::now() + patience;
    let committed = Records::steps(&records.shop).await?;
    let total: usize = committed.values().map(Vec::len).sum();
    while Records::count(&records.mail).await? < total && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(AFTERMATH).await;
    let effects = Records::steps(&records.mail).await?;
    let mut broken = Vec::new();
    for (key, steps) in &committed {
        let expected: Vec<i64> = (0..).take(steps.len()).collect();
        if *steps != expected {
            broken.push(format!("the changes of {key} are {steps:?}"));
        }
        broken.extend(compare(key, &expected, effects.get(key).map_or(&[], Vec::as_slice)));
    }
    broken.extend(
        effects.keys().filter(|key| !committed.contains_key(*key)).map(|key| format!("{key} has effects and no changes")),
    );
    let answered = fs::read_to_string(worker::answers(folder)).unwrap_or_default();
    broken.extend(
        answered.lines().filter(|line| !is_committed(line, &committed)).map(|line| format!("{line} was answered and is lost")),
    );
    let effects = effects.values().map(Vec::len).sum();
    Ok(Audit { committed: total, answered: answered.lines().count(), effects, broken })
}

fn is_committed(line: &str, committed: &BTreeMap<String, Vec<i64>>) -> bool {
    let parsed = line.split_once(' ').and_then(|(key, number)| Some((key, number.parse::<usize>().ok()?)));
    parsed.is_some_and(|(key, number)| committed.get(key).is_some_and(|steps| number < steps.len()))
}

/// What is wrong with the effects of one key.
fn compare(key: &str, expected: &[i64], effects: &[i64]) -> Option<String> {
    if expected == effects {
        return None;
    }
    let count = |number: &i64| effects.iter().filter(|effect| *effect == number).count();
    let listed = |numbers: Vec<&i64>| format!("{numbers:?}");
    Some(if effects.contains(&GHOST) {
        format!("{key}: a change that was rolled back has an effect")
    } else if expected.iter().any(|number| count(number) == 0) {
        format!("{key}: lost {}", listed(expected.iter().filter(|number| count(number) == 0).collect()))
    } else if expected.iter().any(|number| count(number) > 1) {
        format!("{key}: doubled {}", listed(expected.iter().filter(|number| count(number) > 1).collect()))
    } else {
        format!("{key}: swapped, {effects:?}")
    })
}
