//! Counters in Redis.

use std::time::Duration;

use redis::Script;

use super::Redis;
use crate::{Answer, CounterKey, Counters, Rate, Taken};

/// [`Rate::take`] in Lua, by the clock of Redis, which is one for all processes. Its numbers are
/// doubles: microseconds since 1970 and a year more stay below 2^53, so they are exact.
pub(super) fn take_script() -> Script {
    Script::new(
        "local time = redis.call('TIME')
        local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
        local interval, room = tonumber(ARGV[1]), tonumber(ARGV[2])
        local full = tonumber(redis.call('GET', KEYS[1]) or 0)
        local next = math.min(math.max(full, now), now + room) + interval
        local wait = next - now - room
        if wait > 0 then return wait end
        redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
        return now - next",
    )
}

impl Counters for Redis {
    fn take<'a>(&'a self, key: &'a CounterKey, rate: Rate) -> Answer<'a, Taken> {
        Box::pin(async move {
            let answer: i64 = self
                .ask(|mut redis| async move {
                    let mut call = self.scripts.take.key(key.entry().as_str());
                    call.arg(rate.interval()).arg(rate.room()).invoke_async(&mut redis).await
                })
                .await?;
            // The time to wait; or, below zero, the time until the bucket is full.
            let span = answer.unsigned_abs();
            Ok(if answer > 0 { Taken::Wait(Duration::from_micros(span)) } else { rate.taken(span) })
        })
    }
}
