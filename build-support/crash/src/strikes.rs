//! Kills the process at random moments while orders are under way.

use std::time::Duration;

use crate::error::CrashError;
use crate::open_transactions::Database;
use crate::orders::Progress;
use crate::process::Weft;

/// How often the progress is looked at.
const LOOK: Duration = Duration::from_millis(1);
/// A strike comes up to this long after the order that calls for it, so that it falls anywhere in the next ones.
const SPREAD_MICROS: u64 = 10_000;

/// What was struck.
#[derive(Default)]
pub(crate) struct Struck {
    pub(crate) kills: usize,
    pub(crate) amid_orders: usize,
    pub(crate) inside_transactions: usize,
}

/// Kills and restarts the process `kills` times, spread over the placing of `orders` orders.
pub(crate) async fn strike(
    weft: &mut Weft,
    database: &Database,
    progress: &Progress,
    kills: usize,
    orders: usize,
    seed: u64,
) -> Result<Struck, CrashError> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut struck = Struck::default();
    for due in moments(&mut random, kills, orders) {
        // At least one order between two kills shows that the process serves again.
        let due = due.max(progress.answered() + 1);
        while progress.answered() < due {
            tokio::time::sleep(LOOK).await;
        }
        tokio::time::sleep(Duration::from_micros(random.u64(0..SPREAD_MICROS))).await;
        if progress.answered() >= orders {
            return Err(CrashError::TooFewKills { made: struck.kills, planned: kills });
        }
        // Frozen first: what it is doing at this moment is what the kill cuts off.
        weft.freeze()?;
        struck.kills += 1;
        struck.amid_orders += usize::from(progress.under_way() > 0);
        struck.inside_transactions += usize::from(database.writes().await?);
        weft.kill_and_restart()?;
    }
    Ok(struck)
}

/// After how many answered orders each strike is due, ascending. The last orders come after the last strike.
fn moments(random: &mut fastrand::Rng, kills: usize, orders: usize) -> Vec<usize> {
    let mut moments: Vec<usize> = (0..kills).map(|_| random.usize(1..orders.max(20) * 9 / 10)).collect();
    moments.sort_unstable();
    moments
}
