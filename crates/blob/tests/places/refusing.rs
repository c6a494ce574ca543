//! What is refused, and that nothing of it stays.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use weft_blob::{BlobError, Owner};
use weft_call::{Error, MeshReason};

use crate::given::{EXPORT, Given, Kept, LARGE, PICTURE, in_both, pieces, png};

in_both!(
    a_blob_that_is_too_large_leaves_nothing,
    a_blob_that_breaks_off_leaves_nothing,
    a_blob_whose_sender_goes_away_leaves_nothing,
    a_type_that_the_kind_does_not_take_is_refused,
    bytes_that_are_not_what_they_are_said_to_be_are_refused,
    an_empty_blob_is_refused,
);

async fn a_blob_that_is_too_large_leaves_nothing(kept: Kept) {
    let given = Given::start(kept);
    let call = given.call();
    let put = given.blobs.put(&call, &PICTURE, Owner::Tenant, "image/png", pieces(&png(LARGE + 1)));
    let error = put.await.unwrap_err();
    assert!(matches!(error, BlobError::TooLarge { most } if most == LARGE as u64), "{error}");
    assert_eq!(Error::from(error).reason(), Some(MeshReason::MessageTooLarge));
    assert_eq!(given.files(), Vec::<std::path::PathBuf>::new());
}

async fn a_blob_that_breaks_off_leaves_nothing(kept: Kept) {
    let given = Given::start(kept);
    let call = given.call();
    let broken = pieces(&png(LARGE - 1)).chain(stream::iter([Err(Error::new(MeshReason::CallCancelled, "gone"))]));
    let error = given.blobs.put(&call, &PICTURE, Owner::Tenant, "image/png", broken).await.unwrap_err();
    assert!(matches!(error, BlobError::Mesh(_)), "{error}");
    assert_eq!(given.files(), Vec::<std::path::PathBuf>::new());
}

async fn a_blob_whose_sender_goes_away_leaves_nothing(kept: Kept) {
    let given = Given::start(kept);
    let (blobs, call) = (given.blobs.clone(), given.call());
    let (waits, waiting) = tokio::sync::oneshot::channel();
    let mut waits = Some(waits);
    // The stream tells when everything was taken, and then hangs as a sender does that is gone.
    let hangs = stream::poll_fn(move |_| {
        waits.take().map(|waits| waits.send(()));
        std::task::Poll::<Option<weft_call::Result<Bytes>>>::Pending
    });
    let sent = pieces(&png(LARGE - 1)).chain(hangs);
    let put = tokio::spawn(async move { blobs.put(&call, &PICTURE, Owner::Tenant, "image/png", sent).await });
    waiting.await.unwrap();
    assert!(!given.files().is_empty(), "parts are there while it comes");
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    // It is cleaned up behind the back of whoever went away.
    while !given.files().is_empty() {
        tokio::task::yield_now().await;
    }
}

async fn a_type_that_the_kind_does_not_take_is_refused(kept: Kept) {
    let given = Given::start(kept);
    for declared in ["image/gif", "image/svg+xml", "text/html", "", "image/png\r\nx: y"] {
        let call = given.call();
        let error = given.blobs.put(&call, &PICTURE, Owner::Tenant, declared, pieces(&png(50))).await.unwrap_err();
        assert!(matches!(error, BlobError::TypeNotAllowed { .. }), "{error}");
        assert_eq!(Error::from(error).violations()[0].field, "content_type");
    }
    assert!(given.files().is_empty());
}

async fn bytes_that_are_not_what_they_are_said_to_be_are_refused(kept: Kept) {
    let given = Given::start(kept);
    let page = b"<!DOCTYPE html><script>alert(document.cookie)</script>".repeat(1_000);
    for (kind, declared, bytes) in [
        (&PICTURE, "image/png", &page[..]),
        (&PICTURE, "image/jpeg", &png(50)[..]),
        (&PICTURE, "image/png", b"nothing in particular"),
        (&EXPORT, "text/csv", &page[..]),
    ] {
        let call = given.call();
        let error = given.blobs.put(&call, kind, Owner::Tenant, declared, pieces(bytes)).await.unwrap_err();
        assert!(matches!(error, BlobError::TypeMismatch { .. }), "{error}");
    }
    assert!(given.files().is_empty());
}

async fn an_empty_blob_is_refused(kept: Kept) {
    let given = Given::start(kept);
    let error = given.blobs.put(&given.call(), &EXPORT, Owner::Tenant, "text/csv", pieces(b"")).await.unwrap_err();
    assert!(matches!(error, BlobError::Empty), "{error}");
}
