//! Links: the folder's tokens, the bucket's presigned addresses.

use std::time::Duration;

use uuid::Uuid;
use weft_blob::{BlobError, Followed, Link, MediaType, Owner};

use crate::given::{EXPORT, Given, Kept, PICTURE, in_both, pieces, png, read};

const HOUR: Duration = Duration::from_hours(1);

in_both!(a_link_holds_between_a_second_and_seven_days);

#[tokio::test]
async fn a_token_of_the_folder_leads_to_the_blob_while_it_holds() {
    let given = Given::start(Kept::InFolder);
    let (call, owner) = (given.call(), Owner::Person(Uuid::now_v7()));
    let stored = given.blobs.put(&call, &PICTURE, owner, "image/png", pieces(&png(50))).await.unwrap();
    let Link::Token(token) = given.blobs.link(&call, &stored.key, MediaType::Png, HOUR).await.unwrap() else {
        panic!("a folder gives tokens");
    };
    // Whoever follows it may be of another tenant, or of none.
    let stranger = given.call();
    let followed = given.blobs.follow(&stranger, &PICTURE, &token).unwrap();
    assert_eq!(followed, Followed { key: stored.key, media_type: MediaType::Png });
    let there = given.call_of(followed.key.tenant());
    assert_eq!(read(given.blobs.get(&there, &followed.key).await.unwrap().pieces).await, png(50));
    let headers = given.blobs.headers(&followed).map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    assert!(headers.contains(&"content-disposition: inline; filename=\"picture.png\"".to_owned()), "{headers:?}");
    assert!(headers.contains(&"x-content-type-options: nosniff".to_owned()), "{headers:?}");
    assert!(matches!(given.blobs.follow(&call, &EXPORT, &token), Err(BlobError::LinkInvalid)));
    given.clock.advance(HOUR);
    assert!(matches!(given.blobs.follow(&call, &PICTURE, &token), Err(BlobError::LinkExpired)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_presigned_address_gives_the_blob_and_nothing_else() {
    let given = Given::start(Kept::InBucket);
    let call = given.call();
    let stored = given.blobs.put(&call, &EXPORT, Owner::Tenant, "text/csv", pieces(b"id\n1\n")).await.unwrap();
    let Link::Address(address) = given.blobs.link(&call, &stored.key, MediaType::Csv, HOUR).await.unwrap() else {
        panic!("a bucket gives addresses");
    };
    let answer = reqwest::get(address.clone()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()), (200, "text/csv"));
    assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"export.csv\"");
    assert_eq!(answer.text().await.unwrap(), "id\n1\n");
    // Signed are the method, the blob and how it is shown.
    let client = reqwest::Client::new();
    let changed = |from: &str, to: &str| {
        let changed = address.as_str().replacen(from, to, 1);
        assert_ne!(changed, address.as_str());
        changed
    };
    let other = given.blobs.put(&call, &EXPORT, Owner::Tenant, "text/csv", pieces(b"secret\n")).await.unwrap();
    let refused = [
        client.delete(address.clone()),
        client.get(changed(&stored.key.id().to_string(), &other.key.id().to_string())),
        client.get(changed("attachment", "inline")),
        client.get(changed("X-Amz-Expires=3600", "X-Amz-Expires=7200")),
    ];
    for request in refused {
        assert_eq!(request.send().await.unwrap().status().as_u16(), 403);
    }
    let token = "A".repeat(120);
    assert!(matches!(given.blobs.follow(&call, &EXPORT, &token), Err(BlobError::LinkInvalid)));
}

async fn a_link_holds_between_a_second_and_seven_days(kept: Kept) {
    let given = Given::start(kept);
    let call = given.call();
    let key = given.blobs.put(&call, &EXPORT, Owner::Tenant, "text/csv", pieces(b"a\n")).await.unwrap().key;
    for lifetime in [Duration::ZERO, Duration::from_millis(999), HOUR * 24 * 7 + Duration::from_secs(1)] {
        let refused = given.blobs.link(&call, &key, MediaType::Csv, lifetime).await;
        assert!(matches!(refused, Err(BlobError::LinkLifetime)), "{refused:?}");
    }
    given.blobs.link(&call, &key, MediaType::Csv, HOUR * 24 * 7).await.unwrap();
}
