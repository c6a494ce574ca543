//! Who did what: recorded in the transaction that did it.
//!
//! Problem: a record that is written before the commit tells of what may never be, and one that is
//! written after it is lost with the process. Rule: a call that its contract marks (`audit`) leaves one
//! event, [`AuditRecorded`], in the transaction that makes its change. The domain says what was changed
//! with [`Tx::audit`]; where it does not, the digest of the answer is what is recorded. Calls that
//! changed nothing in a transaction, reads and refusals are recorded by themselves when they have ended
//! ([`Records`]). Recovery: records stay in the domain's outbox, whatever its retention, until whoever
//! collects them has them and says so ([`Store::release_audit`]).

use std::time::SystemTime;

use bytes::Bytes;
use prost::Message;
use weft_call::{Audit, BoxFuture, Call, CallBuilder, Digest, Error, Records, Result, Scope, TenantId};
use weft_contracts_mesh::{AuditOutcome, AuditRecorded};

use crate::{Store, StoreError, Tx};

/// Longest name of a resource, in bytes.
const RESOURCE_LIMIT: usize = 500;

crate::statements! {
    system RELEASE_AUDIT = "DELETE FROM weft_outbox WHERE topic = 'events.audit.recorded' AND position <= $1";
}

/// What an audited call changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    resource: String,
    before: Option<Digest>,
    after: Option<Digest>,
}

impl Tx {
    /// Says what the call changes: a resource such as `orders/0192…`, and how it is before and after, of which digests are
    /// recorded. Without effect where the contract asks for no audit; the last word counts.
    pub fn audit<M: Message>(&self, resource: &str, before: Option<&M>, after: Option<&M>) -> Result<(), StoreError> {
        if resource.len() > RESOURCE_LIMIT {
            return Err(StoreError::AuditResource);
        }
        let digest = |message: &M| Digest::of(&message.encode_to_vec());
        self.set_change(Change { resource: resource.to_owned(), before: before.map(digest), after: after.map(digest) });
        Ok(())
    }

    /// Leaves the record of the call's change, if its contract asks for one.
    pub(crate) async fn record_change(&self, answer: Option<Digest>) -> Result<(), StoreError> {
        let call = self.call();
        let asked = call.method().is_some_and(|method| method.audit.of_changes());
        let change = self.take_change();
        // A call leaves one record: of the change that it names, or of its answer.
        if !asked || call.is_audited() || (change.is_none() && answer.is_none()) {
            return Ok(());
        }
        let change = change.unwrap_or(Change { after: answer, ..Change::default() });
        self.put_audit(&recorded(call, &change, None)).await?;
        self.set_has_audit();
        Ok(())
    }

    async fn put_audit(&self, record: &AuditRecorded) -> Result<(), StoreError> {
        let tenant = match (self.scope(), self.call().principal().tenant()) {
            (Scope::Tenant(tenant), _) | (_, Some(tenant)) => tenant,
            // Of no tenant: the installation's own.
            (Scope::System(_) | Scope::Nothing, None) => TenantId(uuid::Uuid::nil()),
        };
        self.put_event(tenant, record).await
    }
}

fn recorded(call: &Call, change: &Change, refusal: Option<&Error>) -> AuditRecorded {
    let digest = |digest: Option<Digest>| digest.map_or_else(Bytes::new, |digest| Bytes::copy_from_slice(&digest.0));
    let outcome = if refusal.is_some() { AuditOutcome::Refused } else { AuditOutcome::Done };
    AuditRecorded {
        actor: call.principal().to_string(),
        on_behalf_of: call.on_behalf_of().unwrap_or_default().to_owned(),
        caller: call.caller().unwrap_or_default().to_owned(),
        action: call.method().map_or_else(String::new, |method| method.path.to_owned()),
        resource: change.resource.clone(),
        before_digest: digest(change.before),
        after_digest: digest(change.after),
        request_id: call.request_id().as_str().to_owned(),
        outcome: outcome.into(),
        reason: refusal.and_then(Error::reason_name).unwrap_or_default().to_owned(),
        time: Some(SystemTime::from(call.now()).into()),
    }
}

impl Records for Store {
    fn audit<'a>(&'a self, call: &'a Call, refusal: Option<&'a Error>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let wanted = call.method().is_some_and(|method| method.audit != Audit::None);
            if !wanted || call.is_audited() {
                return Ok(());
            }
            let record = recorded(call, &Change::default(), refusal);
            // Beside the call: a READ method may not write, a refused one has no scope, and a spent one no time.
            let mut parts = CallBuilder::new(call.clock().clone());
            parts.principal = call.principal().clone();
            parts.request_id = call.request_id().clone();
            parts.trace = call.trace().clone();
            parts.scope = Scope::System("records who did what");
            let tenant = match call.scope() {
                Scope::Tenant(tenant) => tenant,
                Scope::System(_) | Scope::Nothing => call.principal().tenant().unwrap_or(TenantId(uuid::Uuid::nil())),
            };
            self.queue(&parts.build(), async |tx: Tx| Ok(tx.put_event(tenant, &record).await?)).await?;
            call.set_audited();
            Ok(())
        })
    }
}

impl Store {
    /// Deletes the audit records up to a position of the domain's log and says how many there were: whoever collects them has
    /// them. The call is in a system scope.
    pub async fn release_audit(&self, call: &Call, position: i64) -> Result<u64> {
        self.transact(call, async |tx: Tx| Ok(tx.run(&RELEASE_AUDIT).bind(position).execute().await?)).await
    }
}
