//! Greetings of a tenant: a domain of one's own.
use weft::store::{Read, Store, Tx, statements};
use weft::{Call, Domain, Error, Reply, Result, Uuid, migrations};

include!(concat!(env!("OUT_DIR"), "/contract.rs"));

statements! {
    INSERT = "INSERT INTO greetings (tenant_id, id, text) VALUES ($1, $2, $3)";
    GET = "SELECT text FROM greetings WHERE tenant_id = $1 AND id = $2";
    UPDATE = "UPDATE greetings SET text = $3 WHERE tenant_id = $1 AND id = $2";
    DELETE = "DELETE FROM greetings WHERE tenant_id = $1 AND id = $2";
}

pub fn domain() -> Domain {
    Domain::new::<GreeterContract>().migrations(migrations!()).statements(STATEMENTS).serve(|cx| Handler(cx.store())).build()
}

struct Handler(Store);

impl Greeter for Handler {
    async fn create_greeting(&self, call: &Call, Greeting { text, .. }: Greeting) -> Result<Reply<Greeting>> {
        let id = Uuid::now_v7();
        let greeting = Greeting { id: id.to_string(), text };
        let insert = async |tx: Tx| {
            tx.run(&INSERT).bind(id).bind(greeting.text.clone()).execute().await?;
            Ok(Reply::created(greeting.clone(), format!("/api/v1/greeter/greetings/{id}")))
        };
        self.0.write(call, insert).await
    }

    async fn get_greeting(&self, call: &Call, GreetingId { id }: GreetingId) -> Result<Reply<Greeting>> {
        // What is no UUID is bound as NULL, and so found nowhere.
        let get = async |read: Read| Ok(read.run(&GET).bind(Uuid::try_parse(&id).ok()).fetch_optional_value().await?);
        let text = self.0.read(call, get).await?.ok_or_else(not_found)?;
        Ok(Greeting { id, text }.into())
    }

    async fn update_greeting(&self, call: &Call, new: Greeting) -> Result<Reply<Greeting>> {
        let id = Uuid::try_parse(&new.id).ok();
        self.0.write(call, async |tx| found(tx.run(&UPDATE).bind(id).bind(new.text.clone()).execute().await?, &new)).await
    }

    async fn delete_greeting(&self, call: &Call, GreetingId { id }: GreetingId) -> Result<Reply<()>> {
        self.0.write(call, async |tx| found(tx.run(&DELETE).bind(Uuid::try_parse(&id).ok()).execute().await?, &())).await
    }
}

fn found<T: Clone>(rows: u64, answer: &T) -> Result<Reply<T>> {
    if rows == 0 { Err(not_found()) } else { Ok(answer.clone().into()) }
}

fn not_found() -> Error {
    Error::new(GreeterReason::NotFound, "no such greeting exists")
}
