//! What is put is there, whole and in part, until it is deleted.

use futures_util::TryStreamExt as _;
use ring::digest::{SHA256, digest};
use uuid::Uuid;
use weft_blob::{BlobError, Found, MediaType, Owner};

use crate::given::{EXPORT, Given, Kept, LARGE, PICTURE, in_both, pieces, png, read};

in_both!(
    a_blob_of_one_part_or_of_several_reads_back_with_its_digest,
    a_part_of_a_blob_can_be_read,
    a_deleted_blob_is_gone_and_can_be_deleted_again,
    blobs_of_a_kind_are_listed_by_their_owner,
    a_place_that_answers_passes_its_check,
);

async fn a_blob_of_one_part_or_of_several_reads_back_with_its_digest(kept: Kept) {
    let given = Given::start(kept);
    let call = given.call();
    for size in [100, 5 << 20, (5 << 20) + 1, LARGE] {
        let bytes = png(size);
        let stored = given.blobs.put(&call, &PICTURE, Owner::Tenant, "image/png", pieces(&bytes)).await.unwrap();
        assert_eq!((stored.size, stored.media_type), (size as u64, MediaType::Png));
        assert_eq!(stored.sha256, digest(&SHA256, &bytes).as_ref());
        let blob = given.blobs.get(&call, &stored.key).await.unwrap();
        assert_eq!((blob.size, blob.range.clone()), (size as u64, 0..size as u64));
        assert!(read(blob.pieces).await == bytes, "{size} bytes");
    }
    assert_eq!(given.files().len(), 4);
}

async fn a_part_of_a_blob_can_be_read(kept: Kept) {
    let given = Given::start(kept);
    let (call, bytes) = (given.call(), png(10_000));
    let stored = given.blobs.put(&call, &PICTURE, Owner::Tenant, "image/png", pieces(&bytes)).await.unwrap();
    for (range, expected) in [(100..200, 100..200), (9_990..20_000, 9_990..10_000), (0..1, 0..1)] {
        let part = given.blobs.get_range(&call, &stored.key, range).await.unwrap();
        assert_eq!((part.size, part.range), (10_000, expected.start as u64..expected.end as u64));
        assert_eq!(read(part.pieces).await, bytes[expected]);
    }
    for range in [10_000..10_001, 5..5] {
        let error = given.blobs.get_range(&call, &stored.key, range).await.unwrap_err();
        assert!(matches!(error, BlobError::RangeNotSatisfiable), "{error}");
    }
}

async fn a_deleted_blob_is_gone_and_can_be_deleted_again(kept: Kept) {
    let given = Given::start(kept);
    let call = given.call();
    let stored = given.blobs.put(&call, &EXPORT, Owner::Tenant, "text/csv; charset=utf-8", pieces(b"id\n1\n")).await.unwrap();
    for _ in 0..2 {
        given.blobs.delete(&call, &stored.key).await.unwrap();
        let error = given.blobs.get(&call, &stored.key).await.unwrap_err();
        assert!(matches!(error, BlobError::NotFound), "{error}");
    }
    assert!(given.files().is_empty(), "{:?}", given.files());
}

async fn blobs_of_a_kind_are_listed_by_their_owner(kept: Kept) {
    let given = Given::start(kept);
    let (call, person) = (given.call(), Owner::Person(Uuid::now_v7()));
    let put = async |kind, owner, declared, bytes: &[u8]| {
        given.blobs.put(&call, kind, owner, declared, pieces(bytes)).await.unwrap().key
    };
    let mut expected =
        vec![put(&PICTURE, person, "image/png", &png(50)).await, put(&PICTURE, person, "image/png", &png(50)).await];
    put(&PICTURE, Owner::Tenant, "image/png", &png(50)).await;
    put(&EXPORT, person, "text/csv", b"a,b\n").await;
    let found: Vec<Found> = given.blobs.list(&call, &PICTURE, person).unwrap().try_collect().await.unwrap();
    let mut keys: Vec<_> = found.iter().map(|found| found.key).collect();
    keys.sort_by_key(weft_blob::BlobKey::id);
    expected.sort_by_key(weft_blob::BlobKey::id);
    assert_eq!(keys, expected);
    assert!(found.iter().all(|found| found.size == 50));
}

async fn a_place_that_answers_passes_its_check(kept: Kept) {
    Given::start(kept).store.check().await.unwrap();
}
