//! The processes that are measured: started on a processor of their own, asked over their standard streams, and watched
//! through `/proc`.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Serialize, de::DeserializeOwned};

/// Where a process runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Processor {
    /// With the client.
    Client,
    /// With the server.
    Server,
}

/// A process; it is killed when it is dropped.
pub(crate) struct Process(Child);

/// A client or server of ours, which is told and answers by lines of JSON.
pub(crate) struct Peer {
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

// === impl Process ===

impl Process {
    /// Starts a program on one processor. All its threads stay there.
    pub(crate) fn start(command: &mut Command, processor: Processor) -> anyhow::Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut allowed = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu));
        let cpu = match processor {
            Processor::Client => allowed.next(),
            Processor::Server => allowed.nth(1),
        };
        let mut one = CpuSet::new();
        one.set(cpu.context("two processors are needed: one for clients, one for servers")?);
        // The child inherits what this thread has when it is started.
        sched_setaffinity(None, &one)?;
        let child = command.spawn();
        sched_setaffinity(None, &all)?;
        Ok(Self(child.with_context(|| format!("{} cannot be started", command.get_program().display()))?))
    }

    /// How long its threads were on a processor.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.0.id())).context("the process has ended")? {
            // A thread may end between the two looks.
            let Ok(line) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            sum += line.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(sum))
    }

    /// The memory that it holds, in bytes, shared pages of its program included.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// === impl Peer ===

impl Peer {
    /// Starts this program in a role. What it logs goes nowhere.
    pub(crate) fn start(role: &str, settings: &impl Serialize, processor: Processor) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(role).arg(serde_json::to_string(settings)?);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::start(&mut command, processor)?;
        let stdin = process.0.stdin.take().context("no standard input")?;
        let stdout = BufReader::new(process.0.stdout.take().context("no standard output")?);
        Ok(Self { process, stdin, stdout })
    }

    /// Tells it something, and waits for its answer.
    pub(crate) fn ask<A: DeserializeOwned>(&mut self, order: &impl Serialize) -> anyhow::Result<A> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.stdin.write_all(&line)?;
        self.hear()
    }

    /// Waits for what it says of itself.
    pub(crate) fn hear<A: DeserializeOwned>(&mut self) -> anyhow::Result<A> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        let said: Result<A, String> = serde_json::from_str(&line).context("a peer ended early")?;
        said.map_err(anyhow::Error::msg)
    }

    /// The process itself.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }
}

/// Fails with a sentence that says what to do if a program is not there.
pub(crate) fn demand_program(program: &Path, install: &str) -> anyhow::Result<()> {
    let named = program.as_os_str().as_bytes().contains(&b'/');
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = if named { program.is_file() } else { env::split_paths(&folders).any(|folder| folder.join(program).is_file()) };
    anyhow::ensure!(found, "{} is missing: run {install}", program.display());
    Ok(())
}
