//! What is forgotten of a person who asks for it.

use std::sync::Arc;

use uuid::Uuid;
use weft_blob::BlobStore;
use weft_call::{BoxFuture, Call, Result, TenantId};
use weft_store::{Store, Tx};

use crate::Domain;

/// A person whose data is to be erased: the subject of the data, by the id of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Where the account is.
    pub tenant: TenantId,
    /// The account.
    pub user: Uuid,
}

/// Erases what a domain keeps of a person: `async fn erase(tx: &Tx, subject: Subject) -> Result<()>`.
///
/// It runs in one transaction with the erasure of what the mesh keeps for the domain: stored answers, and events about the
/// person. What the law keeps, such as an order, stays without what tells of the person. It may run again.
pub trait EraseFn<'a>: Send + Sync + 'static {
    /// Erases it.
    fn erase(&self, tx: &'a Tx, subject: Subject) -> BoxFuture<'a, Result<()>>;
}

impl<'a, F, R> EraseFn<'a> for F
where
    F: Fn(&'a Tx, Subject) -> R + Send + Sync + 'static,
    R: Future<Output = Result<()>> + Send + 'a,
{
    fn erase(&self, tx: &'a Tx, subject: Subject) -> BoxFuture<'a, Result<()>> {
        Box::pin(self(tx, subject))
    }
}

/// What a domain does to erase a person.
pub(crate) type Erase = Arc<dyn for<'a> EraseFn<'a>>;

impl Domain {
    /// Erases a person from the domain's records, its stored answers, its events and its files. The call is in a system scope;
    /// `store` is the domain's own, `blobs` where the process keeps files, if it does.
    pub async fn erase(&self, store: &Store, blobs: Option<&BlobStore>, call: &Call, subject: Subject) -> Result<()> {
        let call = call.in_tenant(subject.tenant)?;
        let erase = self.erase.clone();
        let work = async |tx: Tx| {
            tx.forget(subject.user).await?;
            weft_events::deferred::forget(&tx, subject.user).await?;
            match &erase {
                Some(erase) => erase.erase(&tx, subject).await,
                None => Ok(()),
            }
        };
        store.transact(&call, work).await?;
        if let Some(blobs) = blobs {
            blobs.of(self.name()).erase_person(subject.tenant, subject.user).await?;
        }
        Ok(store.scrub().await?)
    }
}
