//! The account that is there from the beginning.
//!
//! Problem: whoever installs weft needs an account before anyone else can take its address, and every replica is told of
//! it alike. Rule: before the first registration or login is served, the account that the settings name is opened, as the
//! owner of a tenant of its own, unless its address has one. From then on it is an account like others: another password in
//! the settings changes nothing. Recovery: while the account cannot be opened, neither registrations nor logins are served, and
//! the next one tries again.

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;
use weft_contracts_auth::RegisterRequest;
use weft_mesh::{
    Call, CallBuilder, Principal, Scope,
    store::{Read, Store},
};

use crate::{
    email::EmailAddress,
    error::AuthError,
    store::{self, AccountRow},
};

/// Who that is. Its debug output tells no password.
#[derive(Clone, Debug)]
pub(crate) struct FirstAdministrator {
    /// The address by which the account logs in.
    pub(crate) email: String,
    /// The password that it is opened with.
    pub(crate) password: SecretString,
}

/// Whether this replica knows that the account is there.
#[derive(Debug, Default)]
pub(crate) struct Seen(OnceCell<()>);

impl Seen {
    /// Waits until the account is there; `open` opens it where it is not.
    pub(crate) async fn ensure<R>(
        &self,
        first: Option<&FirstAdministrator>,
        (store, call): (&Store, &Call),
        open: impl FnOnce(Call, RegisterRequest) -> R + Send,
    ) -> Result<(), AuthError>
    where
        R: Future<Output = Result<(), AuthError>> + Send,
    {
        let Some(first) = first else { return Ok(()) };
        let look = async {
            let call = own_call(call);
            if find(store, &call, &first.email).await?.is_some() {
                return Ok(());
            }
            match open(call.clone(), first.request()).await {
                // Another replica may have been faster.
                Err(error) if find(store, &call, &first.email).await?.is_none() => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        };
        self.0.get_or_try_init(|| look).await.copied()
    }
}

impl FirstAdministrator {
    fn request(&self) -> RegisterRequest {
        let (email, password) = (self.email.clone(), self.password.expose_secret().to_owned());
        RegisterRequest { email, password, ..Default::default() }
    }
}

async fn find(store: &Store, call: &Call, email: &str) -> Result<Option<AccountRow>, AuthError> {
    let email = EmailAddress::normalised(email);
    Ok(store.read(call, async |read: Read| Ok(store::find_account(&read, &email).await?)).await?)
}

/// On auth's own account, in the time that the caller has.
fn own_call(call: &Call) -> Call {
    let mut parts = CallBuilder::new(call.clock().clone());
    parts.request_id = call.request_id().clone();
    parts.trace = call.trace().clone();
    parts.deadline = call.deadline();
    parts.principal = Principal::Job { domain: "auth", name: "first_administrator" };
    parts.scope = Scope::System("the first administrator is there before anyone is logged in");
    parts.build()
}
