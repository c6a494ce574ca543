//! Accounts, passwords, sessions and tokens.
//!
//! A person registers with an email address and a password, which is kept as an Argon2id hash. A
//! login starts a session: short-lived access tokens, signed with Ed25519 so that the edge verifies
//! them alone, and one refresh token at a time, which every refresh replaces. A session ends by its
//! time, by a logout, or when an old refresh token is shown again. A program has an API key instead, which
//! the edge has looked up here by its digest, and which lasts until it is revoked. An account may have an avatar, a file of the
//! person.
//!
//! Settings: the section `[auth]` of the configuration.

mod access_token;
mod api_key;
mod email;
mod error;
mod first_administrator;
mod hasher;
mod keys;
mod news;
mod password;
mod random;
mod refresh_token;
mod role;
mod service;
mod session;
mod settings;
mod signing_key;
mod store;

use weft_contracts_auth::AuthContract;
use weft_mesh::{Domain, StartError, hours, migrations, minutes};

use crate::{service::Auth, settings::Settings};

/// The domain.
pub fn domain() -> Domain {
    Domain::new::<AuthContract>()
        .migrations(migrations!())
        .statements(store::STATEMENTS)
        .try_serve(|cx| {
            let auth = &cx.config().auth;
            let settings = Settings::new(auth.access_token_ttl, auth.refresh_token_ttl, auth.max_parallel_hashes());
            let (email, password) = (auth.first_administrator_email.clone(), auth.first_administrator_password.clone());
            let settings = settings.and_then(|settings| settings.with_first_administrator(email, password));
            let settings = settings.map_err(|error| cannot_start(&error))?;
            Auth::new(cx.store(), settings, cx.sealer(), cx.blobs()).map_err(|error| cannot_start(&error))
        })
        .every("expire_sessions", minutes(10), Auth::expire)
        .every("rotate_signing_keys", hours(1), Auth::rotate_signing_keys)
        .erase(store::erase)
        .build()
}

fn cannot_start(error: &dyn std::error::Error) -> StartError {
    StartError::Domain { domain: "auth", reason: error.to_string() }
}
