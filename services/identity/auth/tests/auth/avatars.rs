//! Avatars: who puts and sees them, what is refused, and that they go with their person.

use std::time::Duration;

use futures_util::{TryStreamExt as _, stream};
use weft_contracts_auth::{AuthReason, Avatar, DeleteAvatarRequest, DownloadAvatarRequest, GetAvatarRequest};
use weft_mesh::{Call, Code, HttpBody, MeshReason, Result, Streaming};
use weft_testkit::{Backend, on_both};

use crate::given::Given;

on_both!(
    an_avatar_is_seen_in_its_tenant_and_nowhere_else,
    a_link_leads_to_the_picture_for_an_hour,
    the_next_avatar_takes_the_place_of_the_one_before,
    what_is_no_picture_or_too_large_is_refused,
    a_picture_that_a_crash_left_behind_goes_with_the_next,
);

fn png(size: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.resize(size, 7);
    bytes
}

async fn put(given: &Given, call: &Call, content_type: &str, bytes: &[u8]) -> Result<Avatar> {
    let piece = |(at, piece): (usize, &[u8])| {
        // Over HTTP every piece says the type; in gRPC the first is enough.
        Ok(HttpBody::new(if at == 0 { content_type } else { "" }, piece.to_vec()))
    };
    let whole = if bytes.is_empty() { vec![bytes] } else { bytes.chunks(40_000).collect() };
    let pieces: Vec<_> = whole.into_iter().enumerate().map(piece).collect();
    let pieces: Streaming<HttpBody> = Box::pin(stream::iter(pieces));
    Ok(given.auth.put_avatar(call, pieces).await?.into_message())
}

async fn get(given: &Given, call: &Call, user: &str) -> Result<Avatar> {
    Ok(given.auth.get_avatar(call, GetAvatarRequest { user_id: user.to_owned() }).await?.into_message())
}

async fn download(given: &Given, url: &str) -> Result<(Vec<u8>, String)> {
    let token = url.rsplit('/').next().unwrap().to_owned();
    let reply = given.auth.download_avatar(&given.mesh.anonymous(), DownloadAvatarRequest { token }).await?;
    let headers = format!("{:?}", reply.headers);
    let pieces: Vec<HttpBody> = reply.into_message().try_collect().await?;
    assert!(pieces.iter().all(|piece| piece.content_type == "image/png"));
    Ok((pieces.into_iter().flat_map(|piece| piece.data).collect(), headers))
}

/// How many pictures are kept.
fn kept(given: &Given) -> usize {
    fn files(folder: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
    }
    files(&given.mesh.running().config().data_dir.join("blobs/tenant"))
}

async fn an_avatar_is_seen_in_its_tenant_and_nowhere_else(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    given.customer("bob@example.org", &owner.tenant_id).await;
    given.owner("eve@example.org").await;
    let call = async |email: &str| given.person(&given.login(email).await).call();
    let (ann, bob, eve) = (call("ann@example.org").await, call("bob@example.org").await, call("eve@example.org").await);
    assert_eq!(get(&given, &bob, &owner.id).await.unwrap_err().reason(), Some(AuthReason::AvatarNotFound));
    let avatar = put(&given, &ann, "image/png", &png(100_000)).await.unwrap();
    assert_eq!((avatar.content_type.as_str(), avatar.size, avatar.sha256.len()), ("image/png", 100_000, 32));
    let seen = get(&given, &bob, &owner.id).await.unwrap();
    assert_eq!((seen.size, &seen.sha256), (avatar.size, &avatar.sha256));
    assert_eq!(get(&given, &eve, &owner.id).await.unwrap_err().reason(), Some(AuthReason::AvatarNotFound));
    let nobody = put(&given, &given.mesh.anonymous(), "image/png", &png(100)).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
}

async fn a_link_leads_to_the_picture_for_an_hour(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    let ann = given.person(&given.login("ann@example.org").await).call();
    let url = put(&given, &ann, "image/png", &png(90_000)).await.unwrap().url;
    assert!(url.starts_with("/api/v1/auth/avatars/"), "{url}");
    let (bytes, headers) = download(&given, &url).await.unwrap();
    assert!(bytes == png(90_000));
    assert!(headers.contains("nosniff") && headers.contains("inline; filename"), "{headers}");
    let changed = format!("{}A", &url[..url.len() - 1]);
    let refused = download(&given, if changed == url { "/x" } else { &changed }).await.unwrap_err();
    assert_eq!(refused.reason(), Some(MeshReason::CredentialsInvalid));
    given.pass(3600);
    assert_eq!(download(&given, &url).await.unwrap_err().reason(), Some(MeshReason::CredentialsExpired));
    // Whoever may see it is given another.
    let ann = given.person(&given.login("ann@example.org").await).call();
    download(&given, &get(&given, &ann, &owner.id).await.unwrap().url).await.unwrap();
}

async fn the_next_avatar_takes_the_place_of_the_one_before(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    let ann = given.person(&given.login("ann@example.org").await).call();
    let first = put(&given, &ann, "image/png", &png(100)).await.unwrap();
    let second = put(&given, &ann, "image/png", &png(200)).await.unwrap();
    assert_eq!(get(&given, &ann, &owner.id).await.unwrap().size, 200);
    assert_eq!(download(&given, &first.url).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(download(&given, &second.url).await.unwrap().0, png(200));
    assert_eq!(kept(&given), 1);
    for _ in 0..2 {
        given.auth.delete_avatar(&ann, DeleteAvatarRequest {}).await.unwrap();
        assert_eq!(get(&given, &ann, &owner.id).await.unwrap_err().reason(), Some(AuthReason::AvatarNotFound));
    }
    assert_eq!(kept(&given), 0);
}

async fn what_is_no_picture_or_too_large_is_refused(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let ann = given.person(&given.login("ann@example.org").await).call();
    for (content_type, bytes, field) in [
        ("image/svg+xml", &b"<svg onload='alert(1)'/>"[..], "content_type"),
        ("image/png", b"<!DOCTYPE html><script>alert(1)</script>", "data"),
        ("image/png", b"", "data"),
        ("", &png(100), "content_type"),
    ] {
        let error = put(&given, &ann, content_type, bytes).await.unwrap_err();
        assert_eq!((error.reason(), error.violations()[0].field.as_str()), (Some(MeshReason::ValidationFailed), field));
    }
    let error = put(&given, &ann, "image/png", &png((1 << 20) + 1)).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::MessageTooLarge));
    assert_eq!(kept(&given), 0);
    put(&given, &ann, "image/png", &png(1 << 20)).await.unwrap();
}

async fn a_picture_that_a_crash_left_behind_goes_with_the_next(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    let ann = given.person(&given.login("ann@example.org").await).call();
    put(&given, &ann, "image/png", &png(100)).await.unwrap();
    let folder = given.mesh.running().config().data_dir.join("blobs/tenant").join(&owner.tenant_id);
    let left = folder.join("auth/person").join(&owner.id).join("avatar").join(uuid::Uuid::now_v7().to_string());
    std::fs::write(&left, png(50)).unwrap();
    put(&given, &ann, "image/png", &png(100)).await.unwrap();
    assert!(left.exists(), "it may be an upload that is under way");
    given.mesh.clock().advance(Duration::from_hours(25));
    let ann = given.person(&given.login("ann@example.org").await).call();
    put(&given, &ann, "image/png", &png(100)).await.unwrap();
    assert!(!left.exists());
    assert_eq!(kept(&given), 1);
}
