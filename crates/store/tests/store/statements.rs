//! Statements that cannot run are found without being run.

use weft_store::{
    DomainSchema,
    check::{CheckError, prepare_all},
};

use crate::support::{Backend, MIGRATIONS, on_both, schema};

/// Each is wrong in its own way, some on one database only.
mod wrong {
    weft_store::statements! {
        FORGETS_TENANT = "SELECT count(*) FROM things";
        NO_SUCH_COLUMN = "SELECT colour FROM things WHERE tenant_id = $1";
        ONLY_POSTGRES = "SELECT name FROM things WHERE tenant_id = $1 FOR UPDATE";
        ONLY_SQLITE = "SELECT name FROM things WHERE tenant_id = $1 AND active = 1";
        NOT_OF_A_TENANT = "SELECT email FROM accounts WHERE $1 = $1 /* tenant_id */";
        system RIGHT = "SELECT count(*) FROM accounts";
    }
}

on_both! {
    async fn every_right_statement_can_be_prepared(bench) {
        prepare_all(&bench.databases, &schema()).await.unwrap();
    }

    async fn every_wrong_statement_is_reported_by_name(bench) {
        let schema = DomainSchema::new("things").migrations(MIGRATIONS).statements(wrong::STATEMENTS);
        let error = prepare_all(&bench.databases, &schema).await.unwrap_err();
        let CheckError::Statements { domain: "things", faults } = error else { panic!("{error:?}") };
        let names: Vec<_> = faults.iter().map(|(name, _)| *name).collect();
        let expected: &[&str] = match bench.backend {
            // SQLite has no roles: what is not a tenant's is held by the scope alone.
            Backend::Sqlite => &["FORGETS_TENANT", "NO_SUCH_COLUMN", "ONLY_POSTGRES"],
            Backend::Postgres => &["FORGETS_TENANT", "NO_SUCH_COLUMN", "ONLY_SQLITE", "NOT_OF_A_TENANT"],
        };
        assert_eq!(names, expected, "{faults:?}");
    }
}
