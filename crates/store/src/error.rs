//! What can go wrong between a domain and its database.

use sqlx::error::ErrorKind;
use weft_call::{Error, MeshReason};

/// Why the store failed. Domains carry it in their own error with `#[from]`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer.
    #[error("the database {database} cannot be reached")]
    Unreachable {
        /// Host, port and name, or the file; never credentials.
        database: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The URL of a database cannot be read. Its text is not repeated: it may hold a password.
    #[error("`{setting}` is no PostgreSQL URL such as postgres://user@host:5432/name")]
    UrlInvalid {
        /// The setting with the URL.
        setting: &'static str,
    },
    /// The folder for SQLite files cannot be made or written.
    #[error("the folder {} cannot be used for database files", folder.display())]
    FolderUnusable {
        /// The folder.
        folder: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// All connections of the process were busy for too long.
    #[error("no connection to {database} came free in time")]
    Busy {
        /// Host, port and name, or the file.
        database: String,
    },
    /// The connection broke while a commit was under way: it may have been made or not.
    #[error("the connection broke during a commit; whether it was made is not known")]
    CommitUnknown(#[source] sqlx::Error),
    /// The call's time was used up before the work was done; nothing was written.
    #[error("the time for the call was used up in the store")]
    DeadlineSpent,
    /// A statement ran longer than the limit for statements; nothing was written.
    #[error("statement {statement} ran longer than it may")]
    StatementTimeout {
        /// The statement.
        statement: &'static str,
    },
    /// Concurrent changes kept winning; nothing was written.
    #[error("concurrent changes kept winning; nothing was written")]
    Conflict,
    /// The call works under a lease that another process has taken over; nothing was written.
    #[error("another process has taken over {work}; nothing was written")]
    TakenOver {
        /// What is worked on.
        work: String,
    },
    /// A constraint of the schema does not allow the change.
    #[error("statement {statement} breaks a {kind:?} constraint")]
    Constraint {
        /// The statement.
        statement: &'static str,
        /// The kind of constraint.
        kind: Constraint,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The connection broke in a statement; nothing was written.
    #[error("the connection broke in statement {statement}")]
    Broken {
        /// The statement.
        statement: &'static str,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// A new address leads to another database than the one that is open.
    #[error("the new database.url leads to {there} and not to {here}: that needs a restart")]
    OtherDatabase {
        /// The database that is open.
        here: String,
        /// The one of the new address.
        there: String,
    },
    /// A replica is set, and no server that it could be of.
    #[error("database.replica_url needs database.url: SQLite has no replicas")]
    ReplicaWithoutServer,
    /// Migrations were to go through a pooler that ends what they hold with each transaction.
    #[error(
        "migrations cannot go through a pooler that shares sessions: set database.migration_url to another address than {pooler}, the server's own"
    )]
    MigrationsThroughPooler {
        /// Host, port and name.
        pooler: String,
    },
    /// A statement has no place for what a request seeks.
    #[error("statement {statement} cannot be sought by: its text has no {mark}")]
    MarkMissing {
        /// The statement.
        statement: &'static str,
        /// The mark.
        mark: &'static str,
    },
    /// The database refused a statement.
    #[error("statement {statement} failed")]
    Statement {
        /// The statement.
        statement: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A value cannot be bound, or a row is not of the type that the code names.
    #[error("statement {statement} binds or reads a value of another type than the database has")]
    Type {
        /// The statement.
        statement: &'static str,
        /// What the driver said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// `fetch_one` or `fetch_value` found no row.
    #[error("statement {statement} found no row where one must be")]
    NoRow {
        /// The statement.
        statement: &'static str,
    },
    /// A transaction could not be begun or ended.
    #[error("a transaction could not be {step}")]
    Transaction {
        /// What was tried.
        step: &'static str,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// A statement failed earlier in this transaction, so nothing of it can be kept.
    #[error("a statement failed earlier in this transaction; return its error instead of going on")]
    AlreadyFailed,
    /// The closure put its transaction aside and used it after it had ended.
    #[error("the transaction is over: a statement ran after its closure had ended")]
    TransactionOver,
    /// The closure of a read or write used the store again: it would wait for its own connection.
    #[error("a read or write was begun inside of another")]
    Nested,
    /// The call is bound to no tenant, and the statement is a tenant's.
    #[error("the call belongs to no tenant")]
    TenantMissing,
    /// A system statement outside of a system scope.
    #[error("statement {statement} may run only in a system scope")]
    NotInSystemScope {
        /// The statement.
        statement: &'static str,
    },
    /// A statement that is not in the domain's table.
    #[error("statement {statement} is not one that the domain {domain} registered")]
    StatementUnknown {
        /// The statement.
        statement: &'static str,
        /// The domain.
        domain: &'static str,
    },
    /// A method that the contract declares READ tried to write.
    #[error("{method} is declared READ and wrote")]
    ReadMethodWrites {
        /// The method's path.
        method: &'static str,
    },
    /// A KEYED method made a second write, or one whose answer is not stored.
    #[error("{method} is KEYED: it makes exactly one write, and by `Store::write`, which stores the answer")]
    KeyedWritesOnce {
        /// The method's path.
        method: &'static str,
    },
    /// An event of another domain.
    #[error("an event of {topic} is published by the domain {domain} alone")]
    EventForeign {
        /// The event's topic.
        topic: &'static str,
        /// Whose it is.
        domain: &'static str,
    },
    /// An event whose key is empty, longer than 255 bytes, or holds a NUL.
    #[error("an event of {topic} has a key that is empty, too long, or holds a NUL")]
    EventKeyInvalid {
        /// The event's topic.
        topic: &'static str,
    },
    /// An event is larger than carriers take.
    #[error("an event of {topic} is {size} bytes large, where 512 KiB is the limit")]
    EventTooLarge {
        /// The event's topic.
        topic: &'static str,
        /// Its size in bytes.
        size: usize,
    },
    /// The name of what an audited call changes is too long.
    #[error("the name of an audited resource is at most 500 bytes long")]
    AuditResource,
    /// One transaction published too many events.
    #[error("a transaction publishes at most 1000 events")]
    TooManyEvents,
    /// The key was used before with another request.
    #[error("the idempotency key was used before with another request")]
    KeyReused,
    /// A stored answer is no message of the type that the write returns.
    #[error("a stored answer cannot be read")]
    AnswerUnreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A domain's or part's name is no identifier.
    #[error("`{name}` is no name for a domain: [a-z][a-z0-9_]*, at most 32 bytes")]
    NameInvalid {
        /// The name.
        name: &'static str,
    },
    /// Two parts of a domain's schema have one name.
    #[error("`{name}` names two parts of one schema")]
    NameTaken {
        /// The name.
        name: &'static str,
    },
    /// Two migrations of one part have one number.
    #[error("{part} has two migrations {version}")]
    MigrationTwice {
        /// The part.
        part: &'static str,
        /// The number.
        version: i64,
    },
    /// A migration failed; it and what follows is not applied.
    #[error("the migrations of {domain} failed")]
    Migration {
        /// The domain.
        domain: &'static str,
        /// What the driver said.
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// A step of `migrate` beside the migrations themselves failed.
    #[error("could not {step} for {domain}")]
    Setup {
        /// The domain.
        domain: &'static str,
        /// What was tried.
        step: &'static str,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The login user may not make or grant roles, and they are not there.
    #[error(
        "the database user {login} may not {step} for {domain}: give it CREATEROLE, or let an administrator make the roles \
         weft_{domain}, weft_{domain}_system and weft_{domain}_owner, and grant the first two to the user that serves and the \
         last to the user that migrates"
    )]
    RolesMissing {
        /// The login user.
        login: String,
        /// What was tried.
        step: &'static str,
        /// The domain.
        domain: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A role that a domain runs under could see every tenant's rows.
    #[error("the role {role} is a superuser or has BYPASSRLS: row-level security would not hold it")]
    RoleUnsafe {
        /// The role.
        role: String,
    },
    /// The domain's migrations are not all applied.
    #[error("{domain} has migrations to apply first: {}", pending.join(", "))]
    MigrationsPending {
        /// The domain.
        domain: &'static str,
        /// Which.
        pending: Vec<String>,
    },
    /// The key that seals page tokens is missing or damaged.
    #[error("the page-token key of {domain} is missing or damaged; migrate again")]
    SealMissing {
        /// The domain.
        domain: &'static str,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// The kinds of constraints that both databases tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// A value that must be unique exists.
    Unique,
    /// A row that is referred to does not exist, or still is referred to.
    ForeignKey,
    /// A check does not hold.
    Check,
    /// A column that must have a value has none.
    NotNull,
}

impl StoreError {
    /// The constraint that does not allow the change, if that is what failed.
    pub fn constraint(&self) -> Option<Constraint> {
        match self {
            Self::Constraint { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    /// True if a value that must be unique exists.
    pub fn is_unique_violation(&self) -> bool {
        self.constraint() == Some(Constraint::Unique)
    }

    /// True if a row that is referred to does not exist, or still is referred to.
    pub fn is_foreign_key_violation(&self) -> bool {
        self.constraint() == Some(Constraint::ForeignKey)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let reason = match &error {
            StoreError::Unreachable { .. }
            | StoreError::Busy { .. }
            | StoreError::Broken { .. }
            | StoreError::CommitUnknown(_)
            | StoreError::StatementTimeout { .. } => MeshReason::StoreUnavailable,
            StoreError::DeadlineSpent => MeshReason::DeadlineSpent,
            StoreError::Conflict | StoreError::TakenOver { .. } => MeshReason::StoreConflict,
            StoreError::TenantMissing => MeshReason::TenantMissing,
            StoreError::KeyReused => MeshReason::IdempotencyKeyReused,
            _ => return Self::internal(error),
        };
        let message = match reason {
            // Which host or file it is stays in the log.
            MeshReason::StoreUnavailable => "the database cannot be reached or is too busy".to_owned(),
            _ => error.to_string(),
        };
        Self::new(reason, message).with_source(error)
    }
}

/// What a failed statement means for its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A concurrent change won: run the closure again.
    Conflict,
    /// The connection is of no more use.
    Broken,
    /// A statement ran into a time limit.
    Timeout,
    /// A constraint holds.
    Constraint(Constraint),
    /// Anything else that the database refuses.
    Refused,
}

impl Verdict {
    /// Reads the driver's error. SQLSTATEs: PostgreSQL's documentation, appendix A; numbers:
    /// SQLite's result codes, <https://www.sqlite.org/rescode.html>.
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let database = match error {
            sqlx::Error::Database(database) => database,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed => return Self::Broken,
            _ => return Self::Refused,
        };
        let code = database.code().unwrap_or_default();
        match (code.as_ref(), database.kind()) {
            // Serialization failure, deadlock, lock not available.
            ("40001" | "40P01" | "55P03", _) => Self::Conflict,
            ("57014", _) => Self::Timeout,
            // Idle in a transaction for too long: the server has closed the connection.
            ("25P03", _) => Self::Broken,
            (_, ErrorKind::UniqueViolation) => Self::Constraint(Constraint::Unique),
            (_, ErrorKind::ForeignKeyViolation) => Self::Constraint(Constraint::ForeignKey),
            (_, ErrorKind::CheckViolation) => Self::Constraint(Constraint::Check),
            (_, ErrorKind::NotNullViolation) => Self::Constraint(Constraint::NotNull),
            // Connection exception, out of resources, operator intervention.
            (state, _) if state.len() == 5 => {
                if ["08", "53", "57"].iter().any(|class| state.starts_with(class)) {
                    Self::Broken
                } else {
                    Self::Refused
                }
            }
            // The low byte is the primary code: BUSY, LOCKED; IOERR, FULL, CANTOPEN.
            (number, _) => match number.parse::<u32>().map(|number| number & 0xff) {
                Ok(5 | 6) => Self::Conflict,
                Ok(10 | 13 | 14) => Self::Broken,
                _ => Self::Refused,
            },
        }
    }
}
