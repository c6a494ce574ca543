//! Closures of a store borrow what they like, and the handler's future stays `Send`.
//!
//! This is decided when the test compiles: with a transaction that is lent instead of given, handlers like these do not.

use std::future::Future;
use weft_call::*;
use weft_store::{Store, statements};
statements! {
    /// Any statement.
    GET = "SELECT n FROM t WHERE tenant_id = $1 AND id = $2";
}
trait H: Send + Sync + 'static {
    fn get(&self, call: &Call, request: String) -> impl Future<Output = Result<Reply<String>>> + Send;
}
struct S {
    store: Store,
    name: String,
}
struct Order {
    id: i64,
    name: String,
    lines: Vec<String>,
}
impl S {
    async fn helper(&self, call: &Call, order: &Order) -> Result<String> {
        self.store
            .write(call, async |tx| {
                for line in &order.lines {
                    tx.run(&GET).bind(line.as_str()).execute().await?;
                }
                tx.run(&GET).bind(order.id).bind(call.now()).execute().await?;
                Ok::<_, Error>(self.name.clone())
            })
            .await
    }
}
impl H for S {
    async fn get(&self, call: &Call, request: String) -> Result<Reply<String>> {
        let order = Order { id: 1, name: request, lines: vec![] };
        let x = self
            .store
            .write(call, async |tx| {
                tx.run(&GET).bind(order.id).bind(order.name.as_str()).execute().await?;
                tx.run(&GET).bind(call.now()).execute().await?;
                Ok::<_, Error>(Reply::new(order.name.clone()))
            })
            .await?;
        self.helper(call, &order).await?;
        let _found = self
            .store
            .read(call, async |tx| {
                let n: Option<i64> = tx.run(&GET).bind(order.id).bind(self.name.as_str()).fetch_optional_value().await?;
                Ok::<_, Error>(n)
            })
            .await?;
        Ok(x)
    }
}
/// The transport spawns handlers: it asks exactly this of them.
fn spawned<'a>(handler: &'a S, call: &'a Call) -> impl Future<Output = Result<Reply<String>>> + Send + 'a {
    handler.get(call, "name".to_owned())
}

#[test]
fn a_handler_that_borrows_from_everywhere_is_send() {
    fn asks<F: Send>(_: fn(&'static S, &'static Call) -> F) {}
    asks(spawned);
}
