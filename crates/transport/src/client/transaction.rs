//! Inside a database transaction nothing is sent at all (see [`weft_call::transaction`]).
//!
//! It stands before everything that costs time: a transaction that is held while another domain
//! answers is the fault that it finds.

use weft_call::{Error, Payload, Reply, Result, transaction};

use super::layer::{Layer, Outgoing};

/// Refuses calls from inside a transaction.
pub(super) struct OutsideTransactions<L>(pub(super) L);

impl<L: Layer> Layer for OutsideTransactions<L> {
    async fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> Result<Reply<Payload>> {
        if transaction::is_held() {
            let what = format!("{} was called inside a database transaction", outgoing.method.path);
            return Err(Error::internal(what));
        }
        self.0.send(outgoing).await
    }
}
