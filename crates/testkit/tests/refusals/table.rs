//! The table: each condition, and what came of it both ways.

use std::fmt;

use crate::{as_client, as_server, lab::Lab};

/// The row that must get through.
pub(crate) const CONTROL: &str = "a workload of the mesh that may call";

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Refused, by the error that the condition has.
    Refused(String),
    /// It got what it wanted.
    LetThrough,
    /// Something else went wrong.
    Unexpected(String),
}

/// A condition, and what a server and a client of ours made of it.
struct Row {
    condition: &'static str,
    as_server: Outcome,
    as_client: Outcome,
}

pub(crate) struct Table(Vec<Row>);

/// Tries everything, both ways.
pub(crate) async fn table(lab: &Lab) -> Table {
    let row = |condition, as_server, as_client| Row { condition, as_server, as_client };
    Table(vec![
        row(CONTROL, as_server::welcome(lab).await, as_client::welcome(lab).await),
        row("wrong CA", as_server::wrong_authority(lab).await, as_client::wrong_authority(lab).await),
        row("expired leaf", as_server::expired(lab).await, as_client::expired(lab).await),
        row("right CA, wrong id", as_server::wrong_id(lab).await, as_client::wrong_id(lab).await),
        row("plaintext", as_server::plaintext(lab).await, as_client::plaintext(lab).await),
        row("TLS 1.2", as_server::tls_1_2(lab).await, as_client::tls_1_2(lab).await),
        row("caller not in the contract", as_server::stranger(lab).await, as_client::stranger(lab).await),
        row("revoked caller", as_server::revoked(lab).await, as_client::revoked(lab).await),
    ])
}

impl Table {
    /// The cells that are not as they must be.
    pub(crate) fn failed(&self) -> Vec<String> {
        let mut failed = Vec::new();
        for Row { condition, as_server, as_client } in &self.0 {
            for (side, outcome) in [("as server", as_server), ("as client", as_client)] {
                let is_right = match outcome {
                    Outcome::Refused(_) => *condition != CONTROL,
                    Outcome::LetThrough => *condition == CONTROL,
                    Outcome::Unexpected(_) => false,
                };
                if !is_right {
                    failed.push(format!("{condition} / {side}"));
                }
            }
        }
        failed
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(how) => f.pad(&format!("refused: {how}")),
            Self::LetThrough => f.pad("let through"),
            Self::Unexpected(what) => f.pad(&format!("UNEXPECTED: {what}")),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {:<36} | {:<64} | {:<64} |", "condition", "as server", "as client")?;
        writeln!(f, "|{:-<38}|{:-<66}|{:-<66}|", "", "", "")?;
        for Row { condition, as_server, as_client } in &self.0 {
            writeln!(f, "| {condition:<36} | {as_server:<64} | {as_client:<64} |")?;
        }
        Ok(())
    }
}
