//! The processes that are measured: started on a processor of their own, and watched through `/proc`.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The longest that a program may take to listen.
const START: Duration = Duration::from_secs(20);

/// The processors of the benchmark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processors {
    /// The proxies'.
    pub(crate) proxy: usize,
    /// The others'.
    pub(crate) rest: usize,
}

impl Processors {
    /// The first two that this process may use. It stays on the second from now on.
    pub(crate) fn take() -> anyhow::Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut allowed = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu));
        let pair = allowed.next().zip(allowed.next());
        let (proxy, rest) = pair.context("two processors are needed: one for the proxies, one for the rest")?;
        sched_setaffinity(None, &only(rest))?;
        Ok(Self { proxy, rest })
    }
}

fn only(cpu: usize) -> CpuSet {
    let mut one = CpuSet::new();
    one.set(cpu);
    one
}

/// A process; it is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    /// A process of this program ends with it, and so it is held.
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts this program in a role; gives the port that it listens on too. What it logs goes nowhere.
    pub(crate) fn own(role: &[&str], cpu: usize) -> anyhow::Result<(Self, u16)> {
        let mut command = Command::new(env::current_exe()?);
        command.args(role).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = Self::start(&mut command, cpu)?;
        process.stdin = process.child.stdin.take();
        let mut line = String::new();
        BufReader::new(process.child.stdout.take().context("no standard output")?).read_line(&mut line)?;
        let port = line.trim().parse().with_context(|| format!("{} ended early", role.join(" ")))?;
        Ok((process, port))
    }

    /// Starts a program that will listen on a port, and waits until it does. What it says goes to a file.
    pub(crate) fn program(command: &mut Command, cpu: usize, port: u16, log: &Path) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(log)?);
        let process = Self::start(command, cpu)?;
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = fs::read_to_string(log).unwrap_or_default();
            anyhow::ensure!(begun.elapsed() < START, "{} does not listen: {said}", command.get_program().display());
            thread::sleep(Duration::from_millis(50));
        }
        Ok(process)
    }

    /// Starts a program on one processor. All its threads stay there.
    fn start(command: &mut Command, cpu: usize) -> anyhow::Result<Self> {
        let before = sched_getaffinity(None)?;
        // The child inherits what this thread has when it is started.
        sched_setaffinity(None, &only(cpu))?;
        let child = command.spawn();
        sched_setaffinity(None, &before)?;
        let child = child.with_context(|| format!("{} cannot be started", command.get_program().display()))?;
        Ok(Self { child, stdin: None })
    }

    /// How long its threads were on a processor.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id())).context("the process has ended")? {
            // A thread may end between the two looks.
            let Ok(line) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            sum += line.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(sum))
    }

    /// The memory that it holds, in bytes, shared pages of its program included.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
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
