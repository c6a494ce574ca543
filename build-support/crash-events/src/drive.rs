//! Starts the processes, kills them, and looks at what became of it all.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::{
    Arguments, CrashError, Result, Role, audit, carrier::CarrierServer, database, records::Records, worker, worker::word,
};

/// How long the changes may take, without what strikes wait for.
const CHANGES_LIMIT: Duration = Duration::from_mins(5);

/// So many moments are looked at by a strike that seeks an open write transaction.
const MOMENTS: usize = 200;
/// What a process may do between two of them, at most.
const BETWEEN_MOMENTS_MICROS: u64 = 5_000;

/// How long a strike waits for those whom the last one stopped to carry something again: longer than a lease.
const CARRYING_LIMIT: Duration = Duration::from_secs(5);
/// How long after it the strike falls, at most: changes have been released again, and their events are on their way.
const AMID_CARRYING_MILLIS: u64 = 60;

/// When it is struck. Each kind cuts off what the others seldom meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Soon after the strike before: amid a start.
    Early,
    /// Amid a write, once events are carried again.
    Writing,
    /// At any moment, once events are carried again.
    Carrying,
}

/// What is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Process(usize),
    Carrier,
    Postgres,
}

/// The processes of a run.
struct House<'a> {
    arguments: &'a Arguments,
    folder: PathBuf,
    carrier: Option<CarrierServer>,
    processes: Vec<(Role, Child)>,
}

/// One run. Gives every broken promise in words.
pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<Vec<String>> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    writeln!(out, "seed {seed}: {} changes, {} kills", arguments.changes, arguments.kills)?;
    let folder = tempfile::tempdir()?;
    let records = Records::open(arguments.database_url.as_deref(), folder.path()).await?;
    release(arguments, folder.path(), 0)?;
    let mut house = House::open(arguments, folder.path())?;
    let struck = house.strike(&records, fastrand::Rng::with_seed(seed)).await?;
    for (what, count) in &struck.by_target {
        writeln!(out, "{count} kills of {what}")?;
    }
    writeln!(out, "{} of {} kills inside an open write transaction", struck.inside, arguments.kills)?;
    if struck.inside == 0 {
        return Err(CrashError::NothingStruck(arguments.kills));
    }
    let audit = audit::audit(&records, folder.path(), Duration::from_secs(arguments.patience)).await?;
    writeln!(out, "{} changes committed, {} answered, {} effects", audit.committed, audit.answered, audit.effects)?;
    if audit.broken.is_empty() {
        writeln!(out, "nothing lost, nothing doubled, nothing swapped, nothing seen that was rolled back")?;
    }
    Ok(audit.broken)
}

/// Lets the changes be made of so many of the run's shares: two for each kill and a last one. What is not held back is made
/// before the first lease of a dead process ends, and the kills after that would cut nothing off.
fn release(arguments: &Arguments, folder: &Path, shares: usize) -> Result<()> {
    let released = arguments.changes * (shares + 1) / (2 * arguments.kills + 1);
    Ok(fs::write(worker::released(folder), released.to_string())?)
}

/// What was struck, and how often inside a transaction.
struct Struck {
    by_target: Vec<(String, usize)>,
    inside: usize,
}

impl<'a> House<'a> {
    fn open(arguments: &'a Arguments, folder: &Path) -> Result<Self> {
        let carrier = match arguments.database_url {
            Some(_) => CarrierServer::start(arguments.carrier)?,
            None => None,
        };
        let roles: &[Role] = match &carrier {
            Some(_) => &[Role::Publish, Role::Relay, Role::Relay, Role::Consume, Role::Consume],
            None => &[Role::All],
        };
        let mut house = Self { arguments, folder: folder.to_owned(), carrier, processes: Vec::new() };
        for role in roles {
            let child = house.spawn(*role)?;
            house.processes.push((*role, child));
        }
        Ok(house)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn spawn(&self, role: Role) -> Result<Child> {
        let log: File = OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--role").arg(format!("{role:?}").to_lowercase()).arg("--folder").arg(&self.folder);
        command.arg("--changes").arg(self.arguments.changes.to_string());
        if let Some(url) = &self.arguments.database_url {
            command.arg("--database-url").arg(url);
        }
        if let Some(carrier) = &self.carrier {
            command.arg("--carrier-url").arg(carrier.address());
        }
        Ok(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
    }

    /// Strikes at random moments, spread over the changes.
    async fn strike(&mut self, records: &Records, mut random: fastrand::Rng) -> Result<Struck> {
        let (changes, kills) = (self.arguments.changes, self.arguments.kills);
        let kills_limit = CARRYING_LIMIT * u32::try_from(kills).unwrap_or(u32::MAX);
        let (mut struck, end) = (Vec::new(), Instant::now() + CHANGES_LIMIT + kills_limit);
        let mut inside = 0;
        self.wait_for_first_effect(records, end).await?;
        if let Some(carrier) = &mut self.carrier {
            carrier.rest()?;
        }
        let mut carried = 0;
        for kill in 0..kills {
            release(self.arguments, &self.folder, 2 * kill)?;
            self.wait(records, 2 * kill * changes / (2 * kills + 1), end).await?;
            let moment = [Moment::Early, Moment::Writing, Moment::Carrying][kill % 3];
            self.seek(moment, carried, records, &mut random).await;
            let target = self.choose(&mut random);
            let moments = if moment == Moment::Writing { MOMENTS } else { 1 };
            release(self.arguments, &self.folder, 2 * kill + 1)?;
            if moment == Moment::Carrying {
                tokio::time::sleep(Duration::from_millis(random.u64(..AMID_CARRYING_MILLIS))).await;
            }
            inside += usize::from(self.hit(target, moments, &mut random).await?);
            carried = Records::count(&records.mail).await.unwrap_or(carried);
            struck.push(match target {
                Target::Process(index) => format!("{:?}", self.processes[index].0).to_lowercase(),
                Target::Carrier => format!("{:?}", self.arguments.carrier).to_lowercase(),
                Target::Postgres => "postgresql".to_owned(),
            });
        }
        release(self.arguments, &self.folder, 2 * kills)?;
        self.wait(records, changes, end).await?;
        self.wait_for_word(records, end).await?;
        struck.sort();
        let mut by_target: Vec<(String, usize)> = Vec::new();
        for what in struck {
            match by_target.last_mut() {
                Some((last, count)) if *last == what => *count += 1,
                _ => by_target.push((what, 1)),
            }
        }
        Ok(Struck { by_target, inside })
    }

    /// Waits for the moment of a strike; `carried` is what was carried at the last one.
    async fn seek(&self, moment: Moment, carried: usize, records: &Records, random: &mut fastrand::Rng) {
        if moment == Moment::Early {
            return tokio::time::sleep(Duration::from_millis(random.u64(20..250))).await;
        }
        let end = Instant::now() + CARRYING_LIMIT;
        while Records::count(&records.mail).await.unwrap_or_default() <= carried && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the carrier has carried something: all that it needs is there.
    async fn wait_for_first_effect(&self, records: &Records, end: Instant) -> Result<()> {
        while Records::count(&records.mail).await? == 0 {
            if Instant::now() > end {
                return Err(CrashError::TooSlow { made: 0, planned: self.arguments.changes });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Waits until nobody makes changes any more: who is in the middle of some makes a few more than enough.
    async fn wait_for_word(&self, records: &Records, end: Instant) -> Result<()> {
        let writing = self.processes.iter().filter(|(role, _)| matches!(role, Role::Publish | Role::All));
        let words: Vec<_> = writing.map(|(_, child)| word(&self.folder, child.id())).collect();
        while !words.iter().all(|word| word.exists()) {
            if Instant::now() > end {
                let made = Records::count(&records.shop).await.unwrap_or_default();
                return Err(CrashError::TooSlow { made, planned: self.arguments.changes });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Waits until so many changes are made.
    async fn wait(&self, records: &Records, enough: usize, end: Instant) -> Result<()> {
        loop {
            // Zero while the database is being restarted.
            let made = Records::count(&records.shop).await.unwrap_or_default();
            if made >= enough {
                return Ok(());
            }
            if Instant::now() > end {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                let _ = std::io::stderr().write_all(log.as_bytes());
                return Err(CrashError::TooSlow { made, planned: self.arguments.changes });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn choose(&self, random: &mut fastrand::Rng) -> Target {
        let mut targets: Vec<_> = (0..self.processes.len()).map(Target::Process).collect();
        targets.extend(self.carrier.as_ref().map(|_| Target::Carrier));
        targets.extend(self.arguments.restart_postgres.as_ref().map(|_| Target::Postgres));
        targets[random.usize(..targets.len())]
    }

    /// Freezes a process, so that what it is doing at this moment is what a kill cuts off. True if a transaction is open then.
    async fn freeze(&self, pid: Pid) -> Result<bool> {
        kill_process(pid, Signal::STOP)?;
        match waitpid(Some(pid), WaitOptions::UNTRACED)? {
            Some((_, status)) if status.stopped() => {}
            _ => return Err(CrashError::EndedByItself(self.log())),
        }
        database::is_written(self.arguments.database_url.as_deref(), &self.folder).await
    }

    /// Kills the target and starts it again; a process in the first of so many moments in which a transaction is open, or in the
    /// last. True if one was open.
    async fn hit(&mut self, target: Target, moments: usize, random: &mut fastrand::Rng) -> Result<bool> {
        let (url, folder) = (self.arguments.database_url.clone(), self.folder.clone());
        match target {
            Target::Process(index) => {
                let pid = Pid::from_child(&self.processes[index].1);
                let mut inside = self.freeze(pid).await?;
                for _ in 1..moments {
                    if inside {
                        break;
                    }
                    kill_process(pid, Signal::CONT)?;
                    tokio::time::sleep(Duration::from_micros(random.u64(..BETWEEN_MOMENTS_MICROS))).await;
                    inside = self.freeze(pid).await?;
                }
                self.processes[index].1.kill()?;
                self.processes[index].1.wait()?;
                self.processes[index].1 = self.spawn(self.processes[index].0)?;
                Ok(inside)
            }
            Target::Carrier => {
                let inside = database::is_written(url.as_deref(), &folder).await?;
                if let Some(carrier) = &mut self.carrier {
                    carrier.restart()?;
                }
                Ok(inside)
            }
            Target::Postgres => {
                let inside = database::is_written(url.as_deref(), &folder).await?;
                let command = self.arguments.restart_postgres.clone().unwrap_or_default();
                let output = Command::new("bash").arg("-c").arg(command).stdin(Stdio::null()).output()?;
                if !output.status.success() {
                    return Err(CrashError::Restart(String::from_utf8_lossy(&output.stderr).into_owned()));
                }
                Ok(inside)
            }
        }
    }
}

impl Drop for House<'_> {
    fn drop(&mut self) {
        for (_, child) in &mut self.processes {
            // It may have ended already, and there is nobody to tell.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
