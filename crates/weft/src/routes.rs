//! What every method is held to, read from the contracts: nothing is started for it.
//!
//! The JSON is for programs: names are stable, a field that does not apply is null or empty, and new
//! fields may be added. The table is for people.

mod json;
mod table;

use std::io::{self, IsTerminal, Write};

use weft_call::MethodContract;
use weft_mesh::Domain;

use crate::failure::Failure;

pub(crate) use table::table;

/// How routes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For programs.
    Json,
    /// Aligned text, a line a method, for pipes.
    Plain,
    /// With lines, for a terminal.
    Drawn,
}

impl Form {
    /// What suits stdout.
    pub(crate) fn of_stdout(json: bool) -> Self {
        match (json, io::stdout().is_terminal()) {
            (true, _) => Self::Json,
            (false, true) => Self::Drawn,
            (false, false) => Self::Plain,
        }
    }
}

/// The methods and jobs of the domains, for programs.
pub(crate) fn json(domains: &[Domain]) -> Result<String, Failure> {
    json::render(domains).map_err(|error| Failure::Output(error.into()))
}

/// Methods of no domain, for programs.
pub(crate) fn of_methods(methods: &[&MethodContract]) -> String {
    json::of_methods(methods)
}

/// Shows the methods and jobs of the domains.
pub(crate) fn show(domains: &[Domain], form: Form, out: &mut impl Write) -> Result<(), Failure> {
    let text = match form {
        Form::Json => json(domains)?,
        Form::Plain | Form::Drawn => table::render(domains, form),
    };
    writeln!(out, "{text}").map_err(Failure::Output)
}
