//! API keys: made, listed, revoked, and looked up for the edge.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use weft_contracts_auth::{
    self as contract, CreateApiKeyRequest, CreateApiKeyResponse, ExchangeApiKeyRequest, ExchangeApiKeyResponse,
    ListApiKeysResponse, RevokeApiKeyRequest,
};
use weft_mesh::{
    Call,
    store::{Read, Tx},
};

use super::{Auth, parse_id};
use crate::{
    api_key::{self, ApiKey},
    error::AuthError,
    role,
    store::{self, ApiKeyRow},
};

impl Auth {
    pub(super) async fn make_key(&self, call: &Call, request: CreateApiKeyRequest) -> Result<CreateApiKeyResponse, AuthError> {
        // A key that could make keys would outlive its own revocation.
        let creator = call.user()?.id;
        let name = role::name(request.role()).ok_or(AuthError::RoleUnspecified)?;
        let (id, secret, now) = (Uuid::now_v7(), ApiKey::fresh()?, call.now());
        let to_come = |time| instant(&time).filter(|end| *end > now).ok_or(AuthError::NotToCome("expire_time"));
        let expire_time = request.expire_time.map(to_come).transpose()?;
        let make = async |tx: Tx| {
            if tx.run(&store::COUNT_API_KEYS).fetch_value::<i64>().await? >= api_key::MOST {
                return Err(AuthError::TooManyApiKeys.into());
            }
            let run = tx.run(&store::INSERT_API_KEY).bind(id).bind(&request.name).bind(secret.digest());
            run.bind(name).bind(creator).bind(now).bind(expire_time).execute().await?;
            Ok(contract::ApiKey {
                id: id.to_string(),
                name: request.name.clone(),
                role: request.role,
                creator_id: creator.to_string(),
                create_time: Some(SystemTime::from(now).into()),
                expire_time: expire_time.map(|time| SystemTime::from(time).into()),
            })
        };
        let api_key = Some(self.store.write(call, make).await?);
        Ok(CreateApiKeyResponse { api_key, secret: secret.to_text() })
    }

    pub(super) async fn keys_of_tenant(&self, call: &Call) -> Result<ListApiKeysResponse, AuthError> {
        let list = async |read: Read| Ok(read.run(&store::LIST_API_KEYS).fetch_all::<ApiKeyRow>().await?);
        let rows = self.store.read(call, list).await?;
        Ok(ListApiKeysResponse { api_keys: rows.into_iter().map(ApiKeyRow::into_key).collect::<Result<_, _>>()? })
    }

    pub(super) async fn revoke_key(&self, call: &Call, request: &RevokeApiKeyRequest) -> Result<(), AuthError> {
        let (id, now) = (parse_id("id", &request.id)?, call.now());
        let told_until = self.last_expiry(now);
        let revoke = async |tx: Tx| Ok(store::revoke_api_key(&tx, id, now, told_until).await.map(drop)?);
        Ok(self.store.write(call, revoke).await?)
    }

    pub(super) async fn whose_key(
        &self,
        call: &Call,
        request: &ExchangeApiKeyRequest,
    ) -> Result<ExchangeApiKeyResponse, AuthError> {
        let find = async |read: Read| {
            Ok(read.run(&store::FIND_API_KEY).bind(request.digest.to_vec()).fetch_optional::<ApiKeyRow>().await?)
        };
        let key = self.store.read(call, find).await?.ok_or(AuthError::ApiKeyInvalid)?;
        if key.expire_time.is_some_and(|end| end <= call.now()) {
            return Err(AuthError::ApiKeyInvalid);
        }
        Ok(ExchangeApiKeyResponse {
            role: key.role()?.into(),
            id: key.id.to_string(),
            tenant_id: key.tenant_id.to_string(),
            expire_time: key.expire_time.map(|time| SystemTime::from(time).into()),
        })
    }
}

/// In whole microseconds: what both databases keep.
fn instant(time: &prost_types::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()? / 1000 * 1000)
}
