//! Marks in Redis.

use std::time::Duration;

use redis::{AsyncCommands, Script};

use super::Redis;
use crate::{Answer, CacheError, MarkKey, Marks, lifetime::millis};

/// Digits of a mark: as texts of one length they compare as the numbers do, where Lua's own numbers would lose the last ones.
const DIGITS: usize = 16;

/// Raises a mark in one step.
pub(super) fn raise_script() -> Script {
    Script::new(
        "local held = redis.call('GET', KEYS[1])
        local mark = ARGV[1]
        if held and held > mark then mark = held end
        redis.call('SET', KEYS[1], mark, 'PX', ARGV[2])
        return 1",
    )
}

fn read(text: Option<String>) -> Result<Option<u64>, CacheError> {
    let number = |text: String| u64::from_str_radix(&text, 16).map_err(|_| CacheError::Foreign);
    text.map(number).transpose()
}

impl Marks for Redis {
    fn raise<'a>(&'a self, key: &'a MarkKey, to: u64, ttl: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            let raised: Result<i64, CacheError> = self
                .ask(|mut redis| async move {
                    let mut call = self.scripts.raise.key(key.entry().as_str());
                    call.arg(format!("{to:0DIGITS$x}")).arg(millis(ttl)).invoke_async(&mut redis).await
                })
                .await;
            raised.map(drop)
        })
    }

    fn pair<'a>(&'a self, first: &'a MarkKey, second: &'a MarkKey) -> Answer<'a, (Option<u64>, Option<u64>)> {
        Box::pin(async move {
            // Two commands and not one: in a cluster the two need not lie together. They go out together all the same, and in
            // this order: whoever reads a mark that was forgotten then reads of the second that it was forgotten, too.
            let get = |key: &'a MarkKey| {
                self.ask(move |mut redis| async move { redis.get::<_, Option<String>>(key.entry().as_str()).await })
            };
            let (first, second) = tokio::try_join!(biased; get(first), get(second))?;
            Ok((read(first)?, read(second)?))
        })
    }
}
