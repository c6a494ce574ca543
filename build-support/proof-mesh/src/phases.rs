//! What is done to the mesh while it works.

use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use tokio::time::sleep;

use crate::{
    certificates::Authority,
    cluster::{Cluster, REPLICATED},
    error::ProofError,
    load::Progress,
};

/// Longer than mounted certificates take to be noticed: they are read every 5 s, and must be the same twice.
const NOTICED: Duration = Duration::from_secs(12);
/// Between two blows, for the mesh to settle.
const PAUSE: Duration = Duration::from_secs(2);
/// Longer than one attempt at placing an order may take, and shorter than all of them.
const HANG: Duration = Duration::from_millis(1300);
/// Past the end of a certificate, so that whoever still shows it is refused.
const EXPIRED: Duration = Duration::from_secs(2);

/// One thing that is done to the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Phase {
    /// Nothing.
    Steady,
    /// The first leaves are replaced before they expire, and do expire.
    RotateLeaf,
    /// The root is replaced: both trusted, then leaves of the new one, then the old one forgotten.
    RotateRoot,
    /// Replicas are killed by SIGKILL and started again, one of each domain.
    Kill,
    /// One replica of each domain is stopped by SIGSTOP, and goes on after a while.
    Freeze,
    /// Replicas of orders hang for longer than an attempt may take, and then go on with what they were doing.
    Stutter,
    /// Every replica is restarted in turn, by SIGTERM.
    Restart,
    /// The Consul agent is gone for a while, and comes back empty.
    LoseConsul,
}

/// How long, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long nothing is done.
    pub(crate) steady: Duration,
    /// How long a replica is stopped.
    pub(crate) frozen: Duration,
    /// How long Consul is gone.
    pub(crate) consul_gone: Duration,
    /// How long Consul is back before that is over.
    pub(crate) consul_back: Duration,
    /// How often one replica of each domain is killed.
    pub(crate) kills: usize,
    /// How often a replica of orders hangs for a moment.
    pub(crate) stutters: usize,
}

/// What was done, for the table.
pub(crate) struct Done {
    pub(crate) what: String,
}

impl Phase {
    /// Every phase, in the order of a whole run: the first leaves do not last long.
    pub(crate) const ALL: [Self; 8] = [
        Self::Steady,
        Self::RotateLeaf,
        Self::RotateRoot,
        Self::Kill,
        Self::Freeze,
        Self::Stutter,
        Self::Restart,
        Self::LoseConsul,
    ];

    /// Does it.
    pub(crate) async fn strike(self, cluster: &mut Cluster, progress: &Progress, pace: &Pace) -> Result<Done, ProofError> {
        let what = match self {
            Self::Steady => {
                sleep(pace.steady).await;
                "nothing".to_owned()
            }
            Self::RotateLeaf => rotate_leaf(cluster).await?,
            Self::RotateRoot => rotate_root(cluster).await?,
            Self::Kill => kill(cluster, progress, pace).await?,
            Self::Freeze => freeze(cluster, progress, pace).await?,
            Self::Stutter => stutter(cluster, progress, pace).await?,
            Self::Restart => restart(cluster).await?,
            Self::LoseConsul => lose_consul(cluster, pace).await?,
        };
        Ok(Done { what })
    }
}

async fn rotate_leaf(cluster: &mut Cluster) -> Result<String, ProofError> {
    let end = cluster.leaves_end();
    cluster.mount_new_leaves()?;
    sleep(end.duration_since(SystemTime::now()).unwrap_or_default() + EXPIRED).await;
    // Connections outlive the certificates that they began with: a new one shows which are in use.
    anew(cluster, "orders", 0).await?;
    Ok("new leaves mounted, the old ones expired".to_owned())
}

async fn rotate_root(cluster: &mut Cluster) -> Result<String, ProofError> {
    let next = Authority::new("second")?;
    cluster.trust(&next)?;
    sleep(NOTICED).await;
    cluster.adopt(next)?;
    sleep(NOTICED).await;
    cluster.forget_old_root()?;
    sleep(NOTICED).await;
    for (domain, replica) in Cluster::replicas().filter(|(domain, _)| *domain == "orders") {
        anew(cluster, domain, replica).await?;
    }
    Ok("new root trusted, leaves of it, the old one forgotten".to_owned())
}

/// Kills a replica and starts it again, so that everyone connects to it anew.
async fn anew(cluster: &mut Cluster, domain: &'static str, replica: usize) -> Result<(), ProofError> {
    cluster.process(domain, replica)?.kill()?;
    cluster.serve(domain, replica).await?;
    sleep(PAUSE).await;
    Ok(())
}

async fn kill(cluster: &mut Cluster, progress: &Progress, pace: &Pace) -> Result<String, ProofError> {
    let (mut kills, mut under_way) = (0, 0);
    for round in 0..pace.kills {
        for domain in REPLICATED {
            under_way += progress.under_way();
            cluster.process(domain, round % 3)?.kill()?;
            kills += 1;
            sleep(PAUSE / 2).await;
            cluster.serve(domain, round % 3).await?;
            sleep(PAUSE / 2).await;
        }
    }
    Ok(format!("{kills} kills, {under_way} calls under way"))
}

async fn freeze(cluster: &mut Cluster, progress: &Progress, pace: &Pace) -> Result<String, ProofError> {
    let mut under_way = 0;
    for domain in REPLICATED {
        under_way += progress.under_way();
        cluster.process(domain, 1)?.freeze()?;
    }
    sleep(pace.frozen).await;
    for domain in REPLICATED {
        cluster.process(domain, 1)?.thaw()?;
    }
    sleep(3 * PAUSE).await;
    Ok(format!("2 stopped for {} s, {under_way} calls under way", pace.frozen.as_secs()))
}

async fn stutter(cluster: &mut Cluster, progress: &Progress, pace: &Pace) -> Result<String, ProofError> {
    let mut under_way = 0;
    for round in 0..pace.stutters {
        under_way += progress.under_way();
        cluster.process("orders", round % 3)?.freeze()?;
        sleep(HANG).await;
        cluster.process("orders", round % 3)?.thaw()?;
        sleep(PAUSE / 2).await;
    }
    Ok(format!("hung {} times for {} ms, {under_way} calls under way", pace.stutters, HANG.as_millis()))
}

async fn restart(cluster: &mut Cluster) -> Result<String, ProofError> {
    let mut count = 0;
    for (domain, replica) in Cluster::replicas() {
        cluster.process(domain, replica)?.terminate().await?;
        cluster.serve(domain, replica).await?;
        sleep(PAUSE).await;
        count += 1;
    }
    Ok(format!("{count} replicas in turn"))
}

async fn lose_consul(cluster: &mut Cluster, pace: &Pace) -> Result<String, ProofError> {
    cluster.lose_consul();
    sleep(pace.consul_gone).await;
    cluster.bring_consul_back()?;
    sleep(pace.consul_back).await;
    Ok(format!("gone for {} s, back and empty", pace.consul_gone.as_secs()))
}
