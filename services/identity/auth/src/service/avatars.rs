//! Avatars: put, told of, deleted, and given to whoever holds a link.
//!
//! Rule: a new avatar is a new blob, which is put before the record names it; the one before is deleted after. What a crash in
//! between leaves behind belongs to the person, and goes with their next avatar a day later, or when they are erased.

use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::HeaderValue;
use uuid::Uuid;
use weft_contracts_auth::{Avatar, DownloadAvatarRequest, GetAvatarRequest};
use weft_mesh::{
    Call, HttpBody, Reply, Streaming,
    blob::{BlobKind, Blobs, Found, Link, MediaType, Owner},
    store::{Read, Tx},
};

use super::{Auth, account, parse_id};
use crate::{
    error::AuthError,
    store::{self, AvatarRow},
};

/// An avatar.
const AVATAR: BlobKind = BlobKind::new("avatar", &[MediaType::Png, MediaType::Jpeg, MediaType::Gif, MediaType::Webp], 1 << 20);
/// How long a link to an avatar holds.
const LINK_LIFETIME: Duration = Duration::from_hours(1);
/// No upload takes so long: what is older and not recorded was left behind.
const LEFT_AFTER: TimeDelta = TimeDelta::days(1);
/// By it the edge learns the length of a stream of bytes before the first of them.
const LENGTH: http::HeaderName = http::HeaderName::from_static("x-content-length");

impl Auth {
    fn blobs(&self) -> Result<&Blobs, AuthError> {
        self.blobs.as_ref().ok_or(AuthError::AvatarsNotKept)
    }

    pub(super) async fn change_avatar(&self, call: &Call, mut pieces: Streaming<HttpBody>) -> Result<Avatar, AuthError> {
        let (blobs, user, now) = (self.blobs()?, call.user()?.id, call.now());
        let first = pieces.next().await.transpose()?.unwrap_or_default();
        let declared = first.content_type.clone();
        let bytes = stream::iter([Ok(first)]).chain(pieces).map_ok(|piece| piece.data);
        let owner = Owner::Person(user);
        let stored = blobs.put(call, &AVATAR, owner, &declared, bytes).await?;
        let row = AvatarRow {
            blob_id: stored.key.id(),
            media_type: stored.media_type.name().to_owned(),
            size: i64::try_from(stored.size).unwrap_or(i64::MAX),
            sha256: stored.sha256.to_vec(),
            update_time: now,
        };
        let record = async |tx: Tx| {
            if store::get_user(&tx, user).await?.is_none() {
                return Err(AuthError::UserNotFound.into());
            }
            let before = store::get_avatar(&tx, user).await?;
            store::set_avatar(&tx, user, &row).await?;
            tx.audit::<Avatar>(&resource(user), None, None)?;
            Ok(before.map(|before| before.blob_id))
        };
        if let Some(before) = self.store.transact(call, record).await? {
            blobs.delete(call, &blobs.key(call, &AVATAR, owner, before)?).await?;
        }
        self.delete_left_behind(call, owner, row.blob_id).await?;
        self.shown(call, user, row).await
    }

    /// Deletes avatars of the person that no record names.
    async fn delete_left_behind(&self, call: &Call, owner: Owner, current: Uuid) -> Result<(), AuthError> {
        let (blobs, before) = (self.blobs()?, call.now() - LEFT_AFTER);
        let found: Vec<Found> = blobs.list(call, &AVATAR, owner)?.try_collect().await?;
        for left in found.iter().filter(|found| found.key.id() != current && found.put_time < before) {
            blobs.delete(call, &left.key).await?;
        }
        Ok(())
    }

    pub(super) async fn avatar_of(&self, call: &Call, request: &GetAvatarRequest) -> Result<Avatar, AuthError> {
        let user = parse_id("user_id", &request.user_id)?;
        let row = self.store.read(call, async |read: Read| Ok(store::get_avatar(&read, user).await?)).await?;
        self.shown(call, user, row.ok_or(AuthError::AvatarNotFound)?).await
    }

    pub(super) async fn remove_avatar(&self, call: &Call) -> Result<(), AuthError> {
        let (blobs, user) = (self.blobs()?, call.user()?.id);
        let remove = async |tx: Tx| {
            let before = store::get_avatar(&tx, user).await?;
            tx.run(&store::DELETE_AVATAR).bind(user).execute().await?;
            tx.audit::<Avatar>(&resource(user), None, None)?;
            Ok(before.map(|before| before.blob_id))
        };
        if let Some(before) = self.store.transact(call, remove).await? {
            blobs.delete(call, &blobs.key(call, &AVATAR, Owner::Person(user), before)?).await?;
        }
        Ok(())
    }

    pub(super) async fn give_avatar(
        &self,
        call: &Call,
        request: &DownloadAvatarRequest,
    ) -> Result<Reply<Streaming<HttpBody>>, AuthError> {
        let blobs = self.blobs()?;
        let followed = blobs.follow(call, &AVATAR, &request.token)?;
        let blob = blobs.get(&call.in_tenant(followed.key.tenant())?, &followed.key).await?;
        let pieces = blob.pieces.map(move |piece| Ok(HttpBody::new(followed.media_type.name(), piece?)));
        let pieces: Streaming<HttpBody> = Box::pin(pieces);
        let mut reply = Reply::new(pieces).with_header(LENGTH, HeaderValue::from(blob.size));
        for (name, value) in blobs.headers(&followed) {
            reply = reply.with_header(name, value);
        }
        Ok(reply)
    }

    /// The avatar as others see it, with a link to it.
    async fn shown(&self, call: &Call, user: Uuid, row: AvatarRow) -> Result<Avatar, AuthError> {
        let blobs = self.blobs()?;
        let media_type = MediaType::from_name(&row.media_type).ok_or(AuthError::MediaTypeUnknown)?;
        let key = blobs.key(call, &AVATAR, Owner::Person(user), row.blob_id)?;
        let url = match blobs.link(call, &key, media_type, LINK_LIFETIME).await? {
            Link::Token(token) => format!("/api/v1/auth/avatars/{token}"),
            Link::Address(address) => address.into(),
        };
        Ok(Avatar {
            url,
            expire_time: Some((SystemTime::from(call.now()) + LINK_LIFETIME).into()),
            content_type: row.media_type,
            size: row.size,
            sha256: row.sha256.into(),
            update_time: Some(SystemTime::from(row.update_time).into()),
        })
    }
}

/// As audit records name it.
fn resource(user: Uuid) -> String {
    format!("{}/avatar", account(user))
}
