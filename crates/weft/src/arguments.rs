//! The command line.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::{ArgGroup, Args, CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind, value_parser};

use clap_complete::Shell;
use secrecy::SecretString;
use url::Url;
use uuid::Uuid;
use weft_discovery::Endpoint;
use weft_mesh::{TopicPattern, saga::State};

use crate::{alone, db, erase, events, failure::Failure, graph::Format, sagas};

/// Runs domains of a mesh.
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true, arg_required_else_help = false)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where settings come from, beside the environment.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Settings {
    /// The configuration file [default: weft.toml, if it is there]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// A setting, such as edge.port=9000; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = path_and_value, global = true)]
    pub(crate) set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run all domains and the edge in this process
    Up,
    /// Run some of the domains
    Serve {
        /// Names of domains; `all` is every one, and `edge` the front door
        #[arg(value_name = "DOMAIN", required = true)]
        domains: Vec<String>,
    },
    /// Run the edge alone, in front of any gRPC server
    #[command(group = ArgGroup::new("schema").required(true))]
    Edge(Alone),
    /// Show what every method is held to, and the jobs
    Routes {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the OpenAPI document of the REST API, for programs that make clients
    Openapi {
        /// As Markdown, for people
        #[arg(long)]
        markdown: bool,
    },
    /// Show who may call whom, by the contracts and the configuration
    Graph {
        /// How
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Bring the databases up to date
    Migrate {
        /// Only tell what is pending, and fail if anything is
        #[arg(long)]
        check: bool,
        /// With --check: seconds to wait until nothing is pending any more
        #[arg(long, value_name = "SECONDS", default_value_t = 0, requires = "check")]
        wait: u64,
    },
    /// Show the configuration and where each value comes from, without secrets
    Config,
    /// Look at everything that the configuration names, and tell what is wrong and what to do
    Doctor {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what running domains do: rates, errors, delays, breakers, backlogs and certificates, again and again
    Top(Top),
    /// Ask a running weft whether it is ready, and fail if it is not: for health checks
    Probe {
        /// The edge to ask, as a client does, for all its domains [default: this configuration's admin port, for its process]
        #[arg(long, value_name = "http://HOST:PORT")]
        edge: Option<Url>,
    },
    /// Issue and renew certificates, inside a pod of Kubernetes
    #[command(arg_required_else_help = false)]
    Certificates {
        #[command(subcommand)]
        what: Certificates,
    },
    /// Look at events, and have parked ones tried again
    #[command(arg_required_else_help = false)]
    Events {
        #[command(subcommand)]
        what: Events,
    },
    /// Look at changes over several domains, and have those that are stuck undone again
    #[command(arg_required_else_help = false)]
    Sagas {
        #[command(subcommand)]
        what: Sagas,
    },
    /// Copy the SQLite files of all domains, whoever writes to them
    Backup {
        /// The folder to write
        folder: PathBuf,
    },
    /// Put copies of SQLite files back, where none are
    Restore {
        /// The folder that holds them
        folder: PathBuf,
    },
    /// Move databases
    #[command(arg_required_else_help = false)]
    Db {
        #[command(subcommand)]
        what: Db,
    },
    /// Erase what all domains keep of a person
    Erase {
        /// The tenant that the account is in
        #[arg(long, value_name = "ID", value_parser = events::tenant)]
        tenant: Uuid,
        /// The account
        #[arg(long, value_name = "ID", value_parser = erase::subject)]
        subject: Uuid,
    },
    /// Write what completes this command line in a shell: `weft completions bash > /etc/bash_completion.d/weft`
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write the manual's pages, one for each command, for `man`
    Manual {
        /// The folder to write them to
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Write something to begin with
    #[command(arg_required_else_help = false)]
    New {
        #[command(subcommand)]
        what: New,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Alone {
    /// The server's schema: a FileDescriptorSet with its imports, read again when it changes
    #[arg(long, value_name = "FILE", group = "schema", requires = "upstream")]
    pub(crate) descriptors: Option<PathBuf>,
    /// The server; may be given several times, for instances of one server
    #[arg(long, value_name = "http[s]://HOST:PORT", value_parser = alone::upstream, conflicts_with = "reflect")]
    pub(crate) upstream: Vec<alone::Server>,
    /// The server, which describes itself; may be given several times, for instances of one server
    #[arg(long, value_name = "http[s]://HOST:PORT", value_parser = alone::upstream, group = "schema")]
    pub(crate) reflect: Vec<alone::Server>,
    /// The authorities that prove a server at https://, in PEM [default: those that the Web trusts]
    #[arg(long, value_name = "FILE")]
    pub(crate) upstream_ca: Option<PathBuf>,
    /// The address to listen on [default: that of the setting edge.port]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Serve health and metrics here, in plaintext and for operators alone; nowhere without it
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) admin: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// The admin port of a process; may be given several times [default: that of the setting admin.port]
    #[arg(long, value_name = "http://HOST:PORT", value_parser = alone::server)]
    pub(crate) admin: Vec<Endpoint>,
    /// Seconds from one table to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,
    /// End after so many tables
    #[arg(long, value_name = "TABLES")]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Certificates {
    /// Issue what is missing or half over, by an authority that is made if there is none
    Renew {
        /// What the names of the Secrets begin with: PREFIX-authority, PREFIX-DOMAIN-certificate
        #[arg(long, value_name = "PREFIX")]
        secrets: String,
    },
    /// Delete the certificates; the authority stays
    Remove {
        /// What the names of the Secrets begin with
        #[arg(long, value_name = "PREFIX")]
        secrets: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Show what was published, in the order of each domain's log
    List {
        /// A topic such as events.order.created, or a pattern such as events.user.*
        #[arg(default_value = "*", value_parser = events::pattern)]
        topic: TopicPattern,
        /// Only what this domain published
        #[arg(long)]
        domain: Option<String>,
        /// Only what belongs to this tenant
        #[arg(long, value_name = "ID", value_parser = events::tenant)]
        tenant: Option<Uuid>,
        /// Only what stands behind this position of its log
        #[arg(long, value_name = "POSITION", default_value_t = 0)]
        after: i64,
        /// At most so many of each domain
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// As CloudEvents, one a line
        #[arg(long)]
        json: bool,
    },
    /// Show the keys whose events nobody tries to handle any more
    Parked {
        /// Only in this domain
        domain: Option<String>,
        /// As JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// Have parked events handled again, with those that wait behind them
    #[command(group = ArgGroup::new("which").required(true))]
    Replay {
        /// The domain that could not handle them
        domain: String,
        /// The key that is parked
        #[arg(long, group = "which")]
        key: Option<String>,
        /// All keys that are parked
        #[arg(long, group = "which")]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sagas {
    /// Show sagas, the newest first
    List {
        /// Only of this domain
        #[arg(long)]
        domain: Option<String>,
        /// Only those in this state: running, undoing, done, undone or stuck
        #[arg(long, value_parser = sagas::state)]
        state: Option<State>,
        /// At most so many of each domain
        #[arg(long, default_value_t = 50)]
        limit: i64,
    },
    /// Show one saga
    Show {
        /// The domain that conducts it
        domain: String,
        /// Which
        id: Uuid,
    },
    /// Have one that is stuck undone again
    Retry {
        /// The domain that conducts it
        domain: String,
        /// Which
        id: Uuid,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Copy all domains' records from SQLite files to PostgreSQL, and compare every row
    Copy {
        /// The folder of the files [default: that of the setting data_dir]
        #[arg(long, value_name = "sqlite:FOLDER", value_parser = db::source)]
        from: Option<PathBuf>,
        /// The database, whose user may make roles and schemas [default: that of the setting database.url]
        // Checked later: what is refused here is repeated on the terminal, and it may hold a password.
        #[arg(long, value_name = "postgres://USER@HOST/NAME")]
        to: Option<SecretString>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum New {
    /// A crate with a domain of your own: contract, SQL, handler, test and binary
    Domain {
        /// Its name, such as `invoices`
        name: String,
        /// The folder to write [default: NAME]
        #[arg(long, value_name = "DIR")]
        path: Option<PathBuf>,
        /// The folder of weft's sources [default: the repository that this is run in]
        #[arg(long, value_name = "DIR")]
        weft: Option<PathBuf>,
    },
}

/// The command line of a binary of this name.
pub(crate) fn command(program: &str) -> clap::Command {
    Arguments::command().name(program.to_owned()).display_name(program).bin_name(program)
}

/// What a command line asks for.
pub(crate) enum Asked {
    /// To do something.
    For(Arguments),
    /// To be told of something: help or the version.
    Told(String),
}

/// Reads a command line, the program's name first.
pub(crate) fn read(program: &str, line: Vec<OsString>) -> Result<Asked, Failure> {
    let read = command(program).try_get_matches_from(line).and_then(|matches| Arguments::from_arg_matches(&matches));
    match read {
        Ok(arguments) => Ok(Asked::For(arguments)),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Asked::Told(error.to_string()))
        }
        Err(error) => Err(Failure::Usage { problem: problem(&error.to_string()), program: program.to_owned() }),
    }
}

/// The first paragraph of what clap says, on one line.
fn problem(text: &str) -> String {
    let paragraph = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let line = paragraph.collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").map(str::to_owned).unwrap_or(line)
}

fn path_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.is_empty() => Ok((path.to_owned(), value.to_owned())),
        _ => Err("it must be PATH=VALUE, such as edge.port=9000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn line(words: &[&str]) -> Vec<OsString> {
        ["weft"].iter().chain(words).map(OsString::from).collect()
    }

    fn refusal(words: &[&str]) -> String {
        match read("weft", line(words)) {
            Err(failure) => failure.sentence(),
            Ok(_) => panic!("{words:?} is not refused"),
        }
    }

    #[test]
    fn settings_may_stand_before_and_behind_the_command() {
        for words in [["--set", "edge.port=1", "up"], ["up", "--set", "edge.port=1"]] {
            let Ok(Asked::For(arguments)) = read("weft", line(&words)) else { panic!("{words:?}") };
            assert_eq!(arguments.settings.set, [("edge.port".to_owned(), "1".to_owned())]);
        }
    }

    #[test]
    fn a_wrong_command_line_is_told_in_one_line() {
        for (words, told) in [
            (&["up", "--nonsense"][..], "unexpected argument '--nonsense' found (`weft --help` says more)"),
            (&["up", "--set", "edge.port"], "it must be PATH=VALUE"),
            (&["serve"], "<DOMAIN>"),
            (&[], "requires a subcommand but one was not provided [subcommands: up, serve, edge,"),
            (&["edge"], "<--descriptors <FILE>|--reflect <http[s]://HOST:PORT>>"),
            (&["edge", "--descriptors", "set.binpb"], "--upstream <http[s]://HOST:PORT>"),
            (&["edge", "--reflect", "ftp://localhost:1"], "it must be http://HOST:PORT or https://HOST:PORT"),
            (&["top", "--admin", "https://localhost:1"], "it must be http://HOST:PORT"),
            (&["new"], "requires a subcommand"),
            (&["upp"], "unrecognized subcommand 'upp'"),
        ] {
            let sentence = refusal(words);
            assert!(sentence.contains(told) && !sentence.contains('\n'), "{words:?}: {sentence}");
        }
    }

    #[test]
    fn help_and_version_are_no_failures() {
        for words in [["--help"], ["--version"]] {
            assert!(matches!(read("weft", line(&words)), Ok(Asked::Told(_))));
        }
    }
}
