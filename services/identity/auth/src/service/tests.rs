//! What cannot be seen from outside: records of another age, and several replicas on one database.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use tempfile::TempDir;
use weft_contracts_auth::Auth as _;
use weft_mesh::{
    CallBuilder, Clock, Scope,
    store::{Databases, Settings as Database},
};

use super::*;
use crate::store::AccountRow;

/// Replicas of auth that share a database.
struct Replicas {
    all: Vec<Arc<Auth>>,
    store: Store,
    clock: Clock,
    _folder: TempDir,
}

impl Replicas {
    async fn on(database: Database, folder: TempDir, count: usize) -> Self {
        let databases = Databases::open(&database).await.unwrap();
        let domain = crate::domain();
        databases.migrate(domain.schema()).await.unwrap();
        let store = databases.store(domain.schema()).await.unwrap();
        let (minute, month) = (Duration::from_mins(10), Duration::from_hours(720));
        let settings = Settings::new(minute, month, NonZeroUsize::MIN).unwrap();
        let replica = || Arc::new(Auth::new(store.clone(), settings.clone(), None, None).unwrap());
        let all = (0..count).map(|_| replica()).collect();
        Self { all, store, clock: Clock::manual(Clock::system().now()), _folder: folder }
    }

    /// On SQLite and on PostgreSQL.
    async fn on_both(count: usize) -> [Self; 2] {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let url = weft_test_postgres::database().await.unwrap_or_else(|error| panic!("{error}"));
        let sqlite = Database::sqlite(one.path());
        let postgres = Database::postgres(url.to_string().into());
        [Self::on(sqlite, one, count).await, Self::on(postgres, two, count).await]
    }

    fn call(&self) -> Call {
        let mut parts = CallBuilder::new(self.clock.clone());
        parts.scope = Scope::System("a test");
        parts.build()
    }

    async fn account(&self) -> AccountRow {
        let email = EmailAddress::normalised("ann@example.org");
        let find = async |read: Read| Ok(store::find_account(&read, &email).await?);
        self.store.read(&self.call(), find).await.unwrap().unwrap()
    }
}

fn register() -> RegisterRequest {
    let (email, password) = ("ann@example.org".to_owned(), "pass word".to_owned());
    RegisterRequest { email, password, ..Default::default() }
}

fn login(password: &str) -> LoginRequest {
    LoginRequest { email: "ann@example.org".to_owned(), password: password.to_owned() }
}

/// The hash of "pass word" at a cost of long ago.
fn outdated() -> String {
    let argon2 = argon2::Argon2::from(argon2::Params::new(64, 1, 1, Some(32)).unwrap());
    let mut output = [0; 32];
    argon2.hash_password_into(b"pass word", &[7; 16], &mut output).unwrap();
    let output = argon2::password_hash::phc::Output::new(&output).unwrap();
    format!("$argon2id$v=19$m=64,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw${output}")
}

#[tokio::test]
async fn a_login_replaces_a_hash_of_another_cost() {
    for replicas in Replicas::on_both(1).await {
        let (auth, call) = (&replicas.all[0], replicas.call());
        Box::pin(auth.register(&call, register())).await.unwrap();
        let account = replicas.account().await;
        let tenant = call.in_tenant(TenantId(account.tenant_id)).unwrap();
        let age = async |tx: Tx| {
            let run = tx.run(&store::REPLACE_PASSWORD_HASH).bind(account.id).bind(&account.password_hash);
            Ok(run.bind(outdated()).execute().await?)
        };
        assert_eq!(replicas.store.transact(&tenant, age).await.unwrap(), 1);

        auth.login(&call, login("pass-word")).await.unwrap_err();
        assert_eq!(replicas.account().await.password_hash, outdated(), "a wrong password replaces nothing");
        auth.login(&call, login("pass word")).await.unwrap();
        let renewed = replicas.account().await.password_hash;
        assert!(renewed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{renewed}");
        auth.login(&call, login("pass word")).await.unwrap();
        assert_eq!(replicas.account().await.password_hash, renewed, "today's hash stays");
    }
}

#[tokio::test]
async fn replicas_agree_on_the_first_key_and_list_it_at_once() {
    for replicas in Replicas::on_both(4).await {
        let call = replicas.call();
        // All of them have seen that there is no key.
        for auth in &replicas.all {
            assert!(auth.list_keys(&call, ListKeysRequest {}).await.unwrap().message.keys.is_empty());
        }
        let signing = replicas.all.iter().map(|auth| {
            let (auth, call) = (Arc::clone(auth), call.clone());
            tokio::spawn(async move { auth.keys.signing(&call).await.unwrap().signing(call.now()).unwrap().id().to_owned() })
        });
        let mut signed_by = Vec::new();
        for replica in signing.collect::<Vec<_>>() {
            signed_by.push(replica.await.unwrap());
        }
        for auth in &replicas.all {
            let keys = auth.list_keys(&call, ListKeysRequest {}).await.unwrap().message.keys;
            assert_eq!(keys.iter().map(|key| &key.kid).collect::<Vec<_>>(), [&signed_by[0]]);
        }
        signed_by.dedup();
        assert_eq!(signed_by.len(), 1);
    }
}

#[tokio::test]
async fn replicas_rotate_a_session_as_one() {
    for replicas in Replicas::on_both(4).await {
        let call = replicas.call();
        Box::pin(replicas.all[0].register(&call, register())).await.unwrap();
        let token = replicas.all[0].login(&call, login("pass word")).await.unwrap().message.refresh_token;
        let refreshes = replicas.all.iter().map(|auth| {
            let (auth, call, refresh_token) = (Arc::clone(auth), call.clone(), token.clone());
            tokio::spawn(
                async move { auth.refresh(&call, RefreshRequest { refresh_token }).await.unwrap().message.refresh_token },
            )
        });
        let mut got = Vec::new();
        for refresh in refreshes.collect::<Vec<_>>() {
            got.push(refresh.await.unwrap());
        }
        got.dedup();
        assert_eq!(got.len(), 1);
    }
}

/// The same replica with other keys of the installation.
fn with_keys(replicas: &Replicas, sealer: Option<Sealer>) -> Auth {
    Auth::new(replicas.store.clone(), replicas.all[0].settings.clone(), sealer, None).unwrap()
}

async fn seeds(replicas: &Replicas) -> Vec<Vec<u8>> {
    let list = async |read: Read| Ok(store::list_signing_keys(&read).await?);
    replicas.store.read(&replicas.call(), list).await.unwrap().into_iter().map(|row| row.seed).collect()
}

async fn kid(auth: &Auth, call: &Call) -> String {
    auth.keys.signing(call).await.unwrap().signing(call.now()).unwrap().id().to_owned()
}

#[tokio::test]
async fn seeds_are_sealed_and_sealed_anew_when_the_key_changes() {
    for replicas in Replicas::on_both(1).await {
        let call = replicas.call();
        let (old, new) = (weft_mesh::seal::fresh_key().unwrap(), weft_mesh::seal::fresh_key().unwrap());
        let id = kid(&replicas.all[0], &call).await;
        assert_eq!(seeds(&replicas).await[0].len(), 32, "without a key it stands as it is");

        let sealed = with_keys(&replicas, Some(Sealer::new(&old, []).unwrap()));
        sealed.rotate_signing_keys(&call).await.unwrap();
        let first = seeds(&replicas).await;
        assert!(weft_mesh::seal::is_sealed(&first[0]));
        assert_eq!(kid(&sealed, &call).await, id);
        sealed.rotate_signing_keys(&call).await.unwrap();
        assert_eq!(seeds(&replicas).await, first, "what is sealed stays");

        let rotated = Sealer::new(&new, [old.as_str()]).unwrap();
        let both = with_keys(&replicas, Some(rotated.clone()));
        assert_eq!(kid(&both, &call).await, id);
        both.rotate_signing_keys(&call).await.unwrap();
        assert!(seeds(&replicas).await.iter().all(|seed| rotated.is_current(seed)));
        assert_eq!(kid(&with_keys(&replicas, Some(Sealer::new(&new, []).unwrap())), &call).await, id);

        let stranger = with_keys(&replicas, Some(Sealer::new(&old, []).unwrap()));
        assert!(matches!(stranger.keys.signing(&call).await, Err(AuthError::Seal(_))), "its key is gone");
    }
}

/// Replicas that start now, told of a first administrator with this password.
fn started_with(replicas: &Replicas, password: &str) -> Vec<Arc<Auth>> {
    let (email, password) = (Some("ann@example.org".to_owned()), Some(password.into()));
    let settings = replicas.all[0].settings.clone().with_first_administrator(email, password).unwrap();
    let replica = |_| Arc::new(Auth::new(replicas.store.clone(), settings.clone(), None, None).unwrap());
    (0..4).map(replica).collect()
}

#[tokio::test]
async fn replicas_open_the_first_administrators_account_once_and_never_change_it() {
    for replicas in Replicas::on_both(1).await {
        let call = replicas.call();
        let logins = started_with(&replicas, "pass word").into_iter().map(|auth| {
            let call = call.clone();
            tokio::spawn(async move { auth.login(&call, login("pass word")).await.unwrap().message.user.unwrap() })
        });
        let mut users = Vec::new();
        for login in logins.collect::<Vec<_>>() {
            users.push(login.await.unwrap());
        }
        users.dedup();
        assert_eq!(users.len(), 1);

        let later = &started_with(&replicas, "another pass word")[0];
        later.login(&call, login("another pass word")).await.unwrap_err();
        assert_eq!(later.login(&call, login("pass word")).await.unwrap().message.user.as_ref(), users.first());
    }
}
