//! From a command line to what it asks for.

use std::{ffi::OsString, fs, io::Write, path::Path};

use weft_access::EDGE;
use weft_mesh::Domain;

use crate::{
    alone,
    arguments::{self, Arguments, Asked, Certificates, Command, Db, New},
    backup, certificates, configure, db, describe, doctor, erase, events,
    failure::Failure,
    graph, migrate, new, probe, process,
    routes::{self, Form},
    sagas, serve, top,
};

/// Does what the command line asks for.
pub(crate) fn run(domains: Vec<Domain>, line: Vec<OsString>, out: &mut impl Write) -> Result<(), Failure> {
    let (program, called) = names(&line);
    let Arguments { settings, command } = match arguments::read(&program, line)? {
        Asked::For(arguments) => arguments,
        Asked::Told(text) => return write!(out, "{text}").map_err(Failure::Output),
    };
    match command {
        Command::New { what: New::Domain { name, path, weft } } => new::domain(&name, path, weft, out),
        Command::Routes { json } => routes::show(&domains, Form::of_stdout(json), out),
        Command::Openapi { markdown } => describe::show(&domains, markdown, out),
        Command::Graph { format } => {
            let config = configure::load(&settings, &domains)?.loaded.config;
            graph::show(&domains, &config, format, out)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut arguments::command(&program), &program, out);
            Ok(())
        }
        Command::Manual { folder } => manual(&program, &folder),
        Command::Config => {
            let loaded = configure::load(&settings, &domains)?.loaded;
            write!(out, "{}", loaded.render()).map_err(Failure::Output)
        }
        Command::Doctor { json } => doctor::run(&settings, &domains, Form::of_stdout(json), out),
        Command::Top(asked) => {
            let config = configure::load(&settings, &domains)?.loaded.config;
            top::run(&config, &asked, out)
        }
        Command::Probe { edge } => {
            let config = configure::load(&settings, &domains)?.loaded.config;
            probe::run(&config, edge.as_ref())
        }
        Command::Events { what } => {
            let config = configure::load(&settings, &domains)?.loaded.config;
            process::run(&config, &program, |_| events::run(&config, &domains, what, out))
        }
        Command::Sagas { what } => {
            let config = configure::load(&settings, &domains)?.loaded.config;
            process::run(&config, &program, |_| sagas::run(&config, &domains, what, out))
        }
        Command::Backup { folder } => {
            let config = configure::load(&settings, &domains)?.loaded.config;
            process::run(&config, &program, |_| backup::backup(&config, &domains, &folder, out))
        }
        Command::Restore { folder } => {
            let config = configure::load(&settings, &domains)?.loaded.config;
            process::run(&config, &program, |_| backup::restore(&config, &domains, &folder, out))
        }
        Command::Db { what: Db::Copy { from, to } } => {
            let config = configure::load(&settings, &domains)?.loaded.config;
            process::run(&config, &program, |_| db::copy(&config, &domains, from, to, out))
        }
        Command::Erase { tenant, subject } => {
            let config = configure::load(&settings, &domains)?.loaded.config;
            process::run(&config, &program, |_| erase::run(&config, &domains, tenant, subject, out))
        }
        Command::Migrate { check, wait } => {
            let config = configure::load(&settings, &domains)?.loaded.config;
            let mode = migrate::Mode::of(check, wait);
            process::run(&config, &program, |_| migrate::run(&config, &domains, mode, &called, out))
        }
        Command::Certificates { what } => {
            let config = configure::load(&settings, &domains)?.loaded.config;
            let work = async {
                match what {
                    Certificates::Renew { secrets } => certificates::renew(&config, &domains, &secrets, out).await,
                    Certificates::Remove { secrets } => certificates::remove(&domains, &secrets, out).await,
                }
            };
            process::run(&config, &program, |_| work)
        }
        Command::Up => {
            let configured = configure::load(&settings, &domains)?;
            let config = configured.loaded.config.clone();
            process::run(&config, &program, |log| serve::everything(configured, domains, log, &called, out))
        }
        Command::Edge(asked) => {
            let loaded = configure::load(&settings, &domains)?.loaded;
            process::run(&loaded.config, EDGE, |log| alone::serve(&loaded, asked, log))
        }
        Command::Serve { domains: names } => {
            let configured = configure::load(&settings, &domains)?;
            let config = configured.loaded.config.clone();
            let names = serve::meant(&domains, names);
            serve::check_names(&domains, &names)?;
            process::run(&config, &names.join(","), |log| serve::some(configured, domains, &names, log))
        }
    }
}

/// Writes the manual's pages.
fn manual(program: &str, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(arguments::command(program), folder))
        .map_err(|source| Failure::Manual { folder: folder.to_owned(), source })
}

/// What the binary is called, and how it was called, for commands that can be copied.
fn names(line: &[OsString]) -> (String, String) {
    let path = line.first().map_or_else(|| Path::new("weft"), Path::new);
    let name = path.file_stem().unwrap_or(path.as_os_str());
    (name.to_string_lossy().into_owned(), path.to_string_lossy().into_owned())
}
