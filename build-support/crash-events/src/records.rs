//! The two domains: `shop` changes and publishes, `mail` handles.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use uuid::Uuid;
use weft_call::{Call, CallBuilder, Clock, Event, EventContract, Scope, TenantId, TopicPattern};
use weft_events::Handler;
use weft_store::{Databases, DomainSchema, Migrations, Read, Settings, Store, statements};

use crate::Result;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Whose records they all are.
const TENANT: TenantId = TenantId(Uuid::from_u128(7));
/// What a change that is rolled back says.
pub(crate) const GHOST: i64 = -1;

statements! {
    NEXT_NUMBER = "SELECT count(*) FROM steps WHERE tenant_id = $1 AND event_key = $2";
    ADD_STEP = "INSERT INTO steps (tenant_id, event_key, number, said) VALUES ($1, $2, $3, $4)";
    COUNT_STEPS = "SELECT count(*) FROM steps WHERE tenant_id = $1";
    LIST_STEPS = "SELECT event_key, said FROM steps WHERE tenant_id = $1 ORDER BY event_key, number LIMIT 1000000";
}

/// A step was made.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Stepped {
    #[prost(string, tag = "1")]
    pub(crate) what: String,
    #[prost(int64, tag = "2")]
    pub(crate) number: i64,
}

impl Event for Stepped {
    const EVENT: &'static EventContract = &EventContract {
        topic: "events.thing.stepped",
        domain: "shop",
        message: "weft.shop.v1.Stepped",
        key: "what",
        permission: None,
    };

    fn key(&self) -> &str {
        &self.what
    }
}

/// The stores of both domains.
pub(crate) struct Records {
    pub(crate) shop: Store,
    pub(crate) mail: Store,
}

fn schema(domain: &'static str) -> DomainSchema {
    let migrations = Migrations { shared: &MIGRATIONS, postgres: None };
    DomainSchema::new(domain).part(weft_events::schema_part()).migrations(migrations).statements(STATEMENTS)
}

impl Records {
    pub(crate) async fn open(database_url: Option<&str>, folder: &Path) -> Result<Self> {
        let mut settings = Settings::sqlite(folder.join("data"));
        settings.url = database_url.map(|url| url.to_owned().into());
        settings.max_connections = 12;
        let databases = Databases::open(&settings).await?;
        let (shop, mail) = (schema("shop"), schema("mail"));
        databases.migrate(&shop).await?;
        databases.migrate(&mail).await?;
        Ok(Self { shop: databases.store(&shop).await?, mail: databases.store(&mail).await? })
    }

    /// What each key's steps say, in their order.
    pub(crate) async fn steps(store: &Store) -> Result<BTreeMap<String, Vec<i64>>> {
        let list = async |read: Read| Ok(read.run(&LIST_STEPS).fetch_all::<(String, i64)>().await?);
        let mut steps: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (key, said) in store.read(&call(), list).await? {
            steps.entry(key).or_default().push(said);
        }
        Ok(steps)
    }

    /// How many steps there are.
    pub(crate) async fn count(store: &Store) -> Result<usize> {
        let count = store.read(&call(), async |read: Read| Ok(read.run(&COUNT_STEPS).fetch_value::<i64>().await?)).await?;
        Ok(usize::try_from(count).unwrap_or_default())
    }
}

/// Adds a step to what the event is about, saying what the event says.
pub(crate) fn handler() -> Result<Handler> {
    let pattern = TopicPattern::parse("events.thing.*")?;
    let handle: weft_events::Handle = Arc::new(|_, tx, event| {
        Box::pin(async move {
            let stepped: Stepped = event.message().map_err(weft_call::Error::internal)?;
            let number: i64 = tx.run(&NEXT_NUMBER).bind(&stepped.what).fetch_value().await?;
            tx.run(&ADD_STEP).bind(&stepped.what).bind(number).bind(stepped.number).execute().await?;
            Ok(())
        })
    });
    Ok(Handler { pattern, handle })
}

/// A call for the tenant.
pub(crate) fn call() -> Call {
    let mut parts = CallBuilder::new(Clock::system());
    parts.scope = Scope::Tenant(TENANT);
    parts.build()
}
