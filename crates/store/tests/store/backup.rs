//! Copies of files that are being written to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use weft_store::{
    Databases, Settings, Tx,
    backup::{BackupError, backup, restore},
};

use crate::support::{Backend, Bench, call, insert, schema, tenant, thing};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_under_load_holds_whole_transactions_and_all_that_were_answered() {
    let bench = Bench::new(Backend::Sqlite).await;
    let (tenant, copies, stop) = (tenant(), tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
    let writing = tokio::spawn({
        let (store, stop) = (bench.store.clone(), Arc::clone(&stop));
        async move {
            let mut pairs = 0;
            while !stop.load(Ordering::SeqCst) {
                let (left, right) = (thing(&format!("{pairs:06}-left")), thing(&format!("{pairs:06}-right")));
                let pair = async |tx: Tx| {
                    insert(&tx, &left).await?;
                    Ok(insert(&tx, &right).await?)
                };
                store.transact(&call(tenant), pair).await.unwrap();
                pairs += 1;
            }
            pairs
        }
    });
    for round in 0..5 {
        let folder = copies.path().join(round.to_string());
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before = bench.names(tenant).await;
        backup(&bench.settings, &schema(), &folder).await.unwrap();
        let after = bench.names(tenant).await;
        let elsewhere = Settings::sqlite(copies.path().join(format!("restored-{round}")));
        restore(&elsewhere, &schema(), &folder).await.unwrap();
        let store = Databases::open(&elsewhere).await.unwrap().store(&schema()).await.unwrap();
        let names = crate::support::names_in(&store, tenant).await;
        assert!(names.len().is_multiple_of(2), "half a transaction is in the copy");
        assert!(before.len() <= names.len() && names.len() <= after.len());
        assert_eq!(names, after[..names.len()]);
    }
    stop.store(true, Ordering::SeqCst);
    assert!(writing.await.unwrap() > 20, "there was no load");
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_damaged_is_put_back() {
    let bench = Bench::new(Backend::Sqlite).await;
    bench.add(tenant(), "thing").await;
    let copies = tempfile::tempdir().unwrap();
    let copy = backup(&bench.settings, &schema(), copies.path()).await.unwrap();
    assert!(matches!(backup(&bench.settings, &schema(), copies.path()).await, Err(BackupError::Exists(_))));
    assert!(matches!(restore(&bench.settings, &schema(), copies.path()).await, Err(BackupError::Exists(_))));

    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xAA);
    std::fs::write(&copy, bytes).unwrap();
    let elsewhere = Settings::sqlite(bench.folder.path().join("elsewhere"));
    let error = restore(&elsewhere, &schema(), copies.path()).await.unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. } | BackupError::Copy { .. }), "{error:?}");
    let left: Vec<_> = std::fs::read_dir(elsewhere.data_dir).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(matches!(restore(&bench.settings, &schema(), bench.folder.path()).await, Err(BackupError::Exists(_))));
}
