//! The two domains that are measured: `shop` changes records and publishes, `mail` handles.

use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;
use weft_call::{Call, CallBuilder, Clock, Event, EventContract, Scope, TenantId};
use weft_store::{Databases, DomainSchema, Settings, Store, migrations, statements};

/// Whose records they are.
pub(crate) const TENANT: TenantId = TenantId(Uuid::from_u128(7));

pub(crate) const ADD_TEXT: &str = "INSERT INTO items (tenant_id, id, name, amount, created_at) VALUES ($1, $2, $3, $4, $5)";
pub(crate) const GET_TEXT: &str = "SELECT name, amount FROM items WHERE tenant_id = $1 AND id = $2";
pub(crate) const SET_TEXT: &str = "UPDATE items SET amount = $3 WHERE tenant_id = $1 AND id = $2";

statements! {
    ADD = "INSERT INTO items (tenant_id, id, name, amount, created_at) VALUES ($1, $2, $3, $4, $5)";
    GET = "SELECT name, amount FROM items WHERE tenant_id = $1 AND id = $2";
    SET = "UPDATE items SET amount = $3 WHERE tenant_id = $1 AND id = $2";
    LIST =
        "SELECT id, name, amount, created_at FROM items WHERE tenant_id = $1 AND (created_at, id) > ($2, $3) \
         ORDER BY created_at, id LIMIT $4";
}

/// Where records are.
#[derive(Clone, Debug)]
pub(crate) enum Backend {
    Sqlite,
    /// A server, by its superuser's address: each part of the run gets a database of its own.
    Postgres(String),
}

impl Backend {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

/// The stores of both domains, in databases that nothing else is in.
pub(crate) struct Records {
    pub(crate) shop: Store,
    pub(crate) mail: Store,
    pub(crate) place: Place,
    _folder: Arc<TempDir>,
}

/// Where the records of `shop` are, for who goes there by themselves.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A folder beside that of the store.
    Folder(std::path::PathBuf),
    /// The database of the store.
    Url(String),
}

impl Records {
    pub(crate) async fn open(backend: &Backend) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("weft-bench-data-").tempdir_in(".")?;
        let mut settings = Settings::sqlite(folder.path());
        settings.max_connections = 24;
        let mut place = Place::Folder(folder.path().to_owned());
        if let Backend::Postgres(server) = backend {
            let url = new_database(server).await?;
            settings.url = Some(url.clone().into());
            place = Place::Url(url);
        }
        let databases = Databases::open(&settings).await?;
        for domain in ["shop", "mail"] {
            databases.migrate(&schema(domain)).await?;
        }
        let (shop, mail) = (databases.store(&schema("shop")).await?, databases.store(&schema("mail")).await?);
        Ok(Self { shop, mail, place, _folder: Arc::new(folder) })
    }
}

fn schema(domain: &'static str) -> DomainSchema {
    DomainSchema::new(domain).part(weft_events::schema_part()).migrations(migrations!()).statements(STATEMENTS)
}

/// A database of a server, by its address.
async fn new_database(server: &str) -> anyhow::Result<String> {
    let name = format!("bench_{}", Uuid::now_v7().simple());
    let mut connection = PgConnection::connect(server).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
    connection.close().await?;
    Ok(server.replacen("/postgres?", &format!("/{name}?"), 1))
}

/// A call for the tenant.
pub(crate) fn call() -> Call {
    in_scope(Scope::Tenant(TENANT))
}

/// A call for all of them.
pub(crate) fn system() -> Call {
    in_scope(Scope::System("a benchmark looks at all tenants"))
}

fn in_scope(scope: Scope) -> Call {
    let mut parts = CallBuilder::new(Clock::system());
    parts.scope = scope;
    parts.build()
}

/// Something was sold.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Sold {
    #[prost(string, tag = "1")]
    pub(crate) item_id: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(uint64, tag = "3")]
    pub(crate) number: u64,
}

impl Event for Sold {
    const EVENT: &'static EventContract = &EventContract {
        topic: "events.item.sold",
        domain: "shop",
        message: "weft.shop.v1.Sold",
        key: "item_id",
        permission: None,
    };

    fn key(&self) -> &str {
        &self.item_id
    }
}

impl Sold {
    pub(crate) fn number(number: u64) -> Self {
        let item_id = Uuid::from_u128(u128::from(number % 1000)).to_string();
        Self { item_id, name: "a teapot of blue enamel, two litres".to_owned(), number }
    }
}
