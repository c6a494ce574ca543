//! An auth domain whose keys and revocations the test decides, and which can fall silent.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;
use weft_contracts_auth as contract;
use weft_contracts_auth::{
    AssignRoleRequest, AuthReason, Avatar, CreateApiKeyRequest, CreateApiKeyResponse, DeleteAvatarRequest, DownloadAvatarRequest,
    ExchangeApiKeyRequest, ExchangeApiKeyResponse, GetAvatarRequest, Key, KeySet, ListApiKeysRequest, ListApiKeysResponse,
    ListKeysRequest, ListRevocationsRequest, ListRevocationsResponse, LoginRequest, LoginResponse, LogoutRequest, RefreshRequest,
    RegisterRequest, Revocation, RevokeApiKeyRequest, User,
};
use weft_mesh::{Call, Domain, Error, HttpBody, MeshReason, Reply, Result, Streaming};

/// What the domain publishes, and how often it was asked.
#[derive(Debug)]
pub(crate) struct Issuer {
    seeds: Mutex<Vec<[u8; 32]>>,
    revoked: Mutex<Vec<Revocation>>,
    silent: AtomicBool,
    keys_listed: AtomicUsize,
    revocations_listed: watch::Sender<usize>,
    keys_exchanged: AtomicUsize,
}

struct Handler(Arc<Issuer>);

impl Issuer {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            seeds: Mutex::new(vec![[1; 32]]),
            revoked: Mutex::default(),
            silent: AtomicBool::default(),
            keys_listed: AtomicUsize::default(),
            revocations_listed: watch::Sender::default(),
            keys_exchanged: AtomicUsize::default(),
        })
    }

    pub(crate) fn domain(self: &Arc<Self>) -> Domain {
        let issuer = Arc::clone(self);
        Domain::new::<contract::AuthContract>().serve(|_| Handler(issuer)).build()
    }

    /// Signs with another key from now on.
    pub(crate) fn rotate(&self) {
        let mut seeds = self.seeds.lock().unwrap();
        let next = u8::try_from(seeds.len() + 1).unwrap();
        seeds.push([next; 32]);
    }

    pub(crate) fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    pub(crate) fn keys_listed(&self) -> usize {
        self.keys_listed.load(Ordering::SeqCst)
    }

    pub(crate) fn keys_exchanged(&self) -> usize {
        self.keys_exchanged.load(Ordering::SeqCst)
    }

    /// Ends a session, and waits until the edge has taken notice.
    pub(crate) async fn revoke(&self, session: Uuid, end: DateTime<Utc>) {
        let expire_time = Some(prost_types::Timestamp { seconds: end.timestamp(), nanos: 0 });
        self.revoked.lock().unwrap().push(Revocation { session_id: session.to_string(), expire_time });
        let mut listed = self.revocations_listed.subscribe();
        // The question under way may be older; that the next but one comes shows that the next was read.
        let read = *listed.borrow() + 3;
        listed.wait_for(|count| *count >= read).await.unwrap();
    }

    fn speak(&self) -> Result<()> {
        let silent = self.silent.load(Ordering::SeqCst);
        if silent { Err(Error::new(MeshReason::StoreUnavailable, "silent")) } else { Ok(()) }
    }

    /// The claims of a good token.
    pub(crate) fn claims(now: DateTime<Utc>) -> Value {
        json!({
            "iss": "weft", "aud": "weft", "sub": Uuid::now_v7(), "tid": Uuid::now_v7(), "sid": Uuid::now_v7(),
            "roles": ["writer"], "epoch": 1, "iat": now.timestamp(), "exp": now.timestamp() + 600, "jti": Uuid::now_v7(),
        })
    }

    /// A token with these claims, signed with the key of the moment.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let seeds = self.seeds.lock().unwrap();
        sign_with(*seeds.last().unwrap(), &format!("k{}", seeds.len()), claims)
    }
}

/// A token with these claims, signed with any key under any id.
pub(crate) fn sign_with(seed: [u8; 32], kid: &str, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    (header.typ, header.kid) = (Some("at+jwt".into()), Some(kid.into()));
    // PKCS #8 (RFC 8410 section 7): a fixed frame around the seed.
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend(seed);
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&der)).unwrap()
}

fn key(index: usize, seed: [u8; 32]) -> Key {
    let x = URL_SAFE_NO_PAD.encode(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap().public_key());
    Key { kty: "OKP".into(), crv: "Ed25519".into(), x, kid: format!("k{}", index + 1), alg: "EdDSA".into(), r#use: "sig".into() }
}

fn unused<T>() -> Result<Reply<T>> {
    Err(Error::new(MeshReason::MethodUnknown, "the test's issuer only publishes"))
}

impl contract::Auth for Handler {
    async fn register(&self, _: &Call, _: RegisterRequest) -> Result<Reply<User>> {
        unused()
    }

    async fn login(&self, call: &Call, request: LoginRequest) -> Result<Reply<LoginResponse>> {
        let token_type = format!("{} {}", call.principal(), request.email);
        Ok(LoginResponse { token_type, ..LoginResponse::default() }.into())
    }

    async fn refresh(&self, _: &Call, _: RefreshRequest) -> Result<Reply<LoginResponse>> {
        unused()
    }

    async fn logout(&self, _: &Call, _: LogoutRequest) -> Result<Reply<()>> {
        unused()
    }

    async fn assign_role(&self, _: &Call, _: AssignRoleRequest) -> Result<Reply<User>> {
        unused()
    }

    async fn create_api_key(&self, _: &Call, _: CreateApiKeyRequest) -> Result<Reply<CreateApiKeyResponse>> {
        unused()
    }

    async fn list_api_keys(&self, _: &Call, _: ListApiKeysRequest) -> Result<Reply<ListApiKeysResponse>> {
        unused()
    }

    async fn revoke_api_key(&self, _: &Call, _: RevokeApiKeyRequest) -> Result<Reply<()>> {
        unused()
    }

    async fn put_avatar(&self, _: &Call, _: Streaming<HttpBody>) -> Result<Reply<Avatar>> {
        unused()
    }

    async fn get_avatar(&self, _: &Call, _: GetAvatarRequest) -> Result<Reply<Avatar>> {
        unused()
    }

    async fn delete_avatar(&self, _: &Call, _: DeleteAvatarRequest) -> Result<Reply<()>> {
        unused()
    }

    async fn download_avatar(&self, _: &Call, _: DownloadAvatarRequest) -> Result<Reply<Streaming<HttpBody>>> {
        unused()
    }

    async fn exchange_api_key(&self, _: &Call, _: ExchangeApiKeyRequest) -> Result<Reply<ExchangeApiKeyResponse>> {
        self.0.keys_exchanged.fetch_add(1, Ordering::SeqCst);
        Err(Error::new(AuthReason::ApiKeyInvalid, "no such API key is good"))
    }

    async fn list_keys(&self, _: &Call, _: ListKeysRequest) -> Result<Reply<KeySet>> {
        self.0.speak()?;
        self.0.keys_listed.fetch_add(1, Ordering::SeqCst);
        let keys = self.0.seeds.lock().unwrap().iter().enumerate().map(|(index, seed)| key(index, *seed)).collect();
        Ok(KeySet { keys }.into())
    }

    async fn list_revocations(&self, _: &Call, request: ListRevocationsRequest) -> Result<Reply<ListRevocationsResponse>> {
        self.0.speak()?;
        let revoked = self.0.revoked.lock().unwrap();
        let after = usize::try_from(request.after_position).unwrap();
        let position = i64::try_from(revoked.len()).unwrap();
        let revocations = revoked[after..].to_vec();
        self.0.revocations_listed.send_modify(|count| *count += 1);
        Ok(ListRevocationsResponse { revocations, position }.into())
    }
}
