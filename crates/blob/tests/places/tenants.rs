//! No blob is reached from another tenant or domain, and what is erased is gone.

use uuid::Uuid;
use weft_blob::{BlobError, MediaType, Owner};
use weft_call::{CallBuilder, MeshReason};

use crate::given::{EXPORT, Given, Kept, PICTURE, in_both, pieces, png};

in_both!(
    another_tenants_blobs_are_out_of_reach,
    another_domains_blobs_are_out_of_reach,
    a_call_without_a_tenant_keeps_nothing,
    a_person_is_erased_and_nobody_else,
    a_tenant_is_erased_and_no_other,
);

async fn another_tenants_blobs_are_out_of_reach(kept: Kept) {
    let given = Given::start(kept);
    let (ours, theirs) = (given.call(), given.call());
    let key = given.blobs.put(&ours, &PICTURE, Owner::Tenant, "image/png", pieces(&png(50))).await.unwrap().key;
    let second = std::time::Duration::from_secs(1);
    let refused = [
        given.blobs.get(&theirs, &key).await.map(drop),
        given.blobs.get_range(&theirs, &key, 0..1).await.map(drop),
        given.blobs.delete(&theirs, &key).await,
        given.blobs.link(&theirs, &key, MediaType::Png, second).await.map(drop),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(BlobError::NotFound)), "{refused:?}");
    }
    // The same id in their own room is another blob.
    let own = given.blobs.key(&theirs, &PICTURE, Owner::Tenant, key.id()).unwrap();
    assert!(matches!(given.blobs.get(&theirs, &own).await, Err(BlobError::NotFound)));
    given.blobs.get(&ours, &key).await.unwrap();
}

async fn another_domains_blobs_are_out_of_reach(kept: Kept) {
    let given = Given::start(kept);
    let call = given.call();
    let key = given.blobs.put(&call, &PICTURE, Owner::Tenant, "image/png", pieces(&png(50))).await.unwrap().key;
    let other = given.store.of("orders");
    assert!(matches!(other.get(&call, &key).await, Err(BlobError::NotFound)));
    other.erase_tenant(call.tenant().unwrap()).await.unwrap();
    given.blobs.get(&call, &key).await.unwrap();
}

async fn a_call_without_a_tenant_keeps_nothing(kept: Kept) {
    let given = Given::start(kept);
    let call = CallBuilder::new(given.clock.clone()).build();
    let error = given.blobs.put(&call, &EXPORT, Owner::Tenant, "text/csv", pieces(b"a\n")).await.unwrap_err();
    assert_eq!(weft_call::Error::from(error).reason(), Some(MeshReason::TenantMissing));
}

async fn a_person_is_erased_and_nobody_else(kept: Kept) {
    let given = Given::start(kept);
    let (call, ann, bob) = (given.call(), Uuid::now_v7(), Uuid::now_v7());
    let mut keys = Vec::new();
    for owner in [Owner::Person(ann), Owner::Person(ann), Owner::Person(bob), Owner::Tenant] {
        keys.push(given.blobs.put(&call, &EXPORT, owner, "text/csv", pieces(b"a\n")).await.unwrap().key);
    }
    for _ in 0..2 {
        given.blobs.erase_person(call.tenant().unwrap(), ann).await.unwrap();
        let mut there = Vec::new();
        for key in &keys {
            there.push(given.blobs.get(&call, key).await.is_ok());
        }
        assert_eq!(there, [false, false, true, true]);
    }
    assert!(given.files().iter().all(|file| !file.to_string_lossy().contains(&ann.to_string())));
}

async fn a_tenant_is_erased_and_no_other(kept: Kept) {
    let given = Given::start(kept);
    let (ours, theirs) = (given.call(), given.call());
    let put = async |call| given.blobs.put(call, &EXPORT, Owner::Tenant, "text/csv", pieces(b"a\n")).await.unwrap().key;
    let (gone, stays) = (put(&ours).await, put(&theirs).await);
    given.blobs.erase_tenant(ours.tenant().unwrap()).await.unwrap();
    assert!(matches!(given.blobs.get(&ours, &gone).await, Err(BlobError::NotFound)));
    given.blobs.get(&theirs, &stays).await.unwrap();
}
