//! Follows keys in Consul by blocking queries.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::mpsc, task::JoinSet, time::sleep};
use weft_consul::{Client, Key};

/// How long a blocking query waits at most. An agent that lost its memory within one of our pauses is not noticed to be
/// another one before that: its index is below the one that we wait for.
const WAIT: Duration = Duration::from_secs(10);
/// A storm of changes is read this often at most.
const PACE: Duration = Duration::from_millis(100);
/// A failed request is made again after this at most, and half of it at least.
const RETRY: Duration = Duration::from_secs(4);

/// What Consul holds under a key from now on.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) key: String,
    /// Nothing if the key has gone.
    pub(crate) text: Option<SecretString>,
}

/// Follows the keys until the receiver is dropped. Each is told of when it changes, and once at the beginning.
pub(crate) fn follow(client: Client, keys: Vec<String>) -> (mpsc::Receiver<Changed>, JoinSet<()>) {
    let (told, changes) = mpsc::channel(16);
    let client = Arc::new(client);
    let mut tasks = JoinSet::new();
    for key in keys {
        tasks.spawn(follow_one(Arc::clone(&client), key, told.clone()));
    }
    (changes, tasks)
}

async fn follow_one(client: Arc<Client>, key: String, told: mpsc::Sender<Changed>) {
    let mut index = 0;
    let mut known: Option<Option<SecretString>> = None;
    let mut is_failing = false;
    loop {
        match client.key(&key, index, WAIT).await {
            Ok(Key { index: next, text }) => {
                if is_failing {
                    tracing::info!(key, "Consul answers again about this key");
                    is_failing = false;
                }
                // Consul's "Blocking Queries": an index that goes backwards is of another history, and none is 0.
                index = if next < index { 0 } else { next.max(1) };
                if known.as_ref().is_none_or(|known| !is_same(known.as_ref(), text.as_ref())) {
                    known = Some(text.clone());
                    if told.send(Changed { key: key.clone(), text }).await.is_err() {
                        return;
                    }
                }
                sleep(PACE).await;
            }
            Err(error) => {
                if !is_failing {
                    tracing::warn!(key, %error, "Consul does not answer about this key: what it held last stays");
                    is_failing = true;
                }
                index = 0;
                sleep(RETRY.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            }
        }
    }
}

/// Not in constant time: both are held here, and nobody who times this chooses either.
fn is_same(one: Option<&SecretString>, other: Option<&SecretString>) -> bool {
    one.map(ExposeSecret::expose_secret) == other.map(ExposeSecret::expose_secret)
}
