//! `[tuning]`: the client and server stacks, changed while they run.

use std::time::Duration;

use serde::Deserialize;

use crate::setting::{Setting, Shape};
use crate::units;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::duration(
        "tuning.connections.handshake",
        "Name resolution, TCP and TLS together when connecting, and TLS when accepting, may take so long.",
    )
    .default("3s")
    .running(),
    Setting::duration("tuning.connections.keep_alive_interval", "A peer that is silent for so long is probed.")
        .default("20s")
        .running(),
    Setting::duration("tuning.connections.keep_alive_timeout", "A probe that is not answered for so long ends the connection.")
        .default("10s")
        .running(),
    Setting::duration("tuning.connections.max_age", "A caller replaces a connection of this age, give or take a tenth.")
        .default("30m")
        .running(),
    Setting::duration("tuning.connections.age_grace", "How much longer a server waits before it ends such a connection itself.")
        .default("5m")
        .running(),
    Setting::text(
        "tuning.breaker.consecutive_failures",
        "a number of calls (at least 1)",
        "Failures in a row that eject an endpoint.",
    )
    .shape(Shape::Integer)
    .default("5")
    .running(),
    Setting::text(
        "tuning.breaker.success_rate",
        "a number from 0 to 1",
        "The share of calls within the window that must succeed; fewer eject an endpoint.",
    )
    .shape(Shape::Number)
    .default("0.5")
    .running(),
    Setting::duration("tuning.breaker.window", "The window of the success rate.").default("10s").running(),
    Setting::text(
        "tuning.breaker.minimum_calls",
        "a number of calls (at least 1)",
        "The calls in a window without which its rate says nothing.",
    )
    .shape(Shape::Integer)
    .default("20")
    .running(),
    Setting::duration("tuning.breaker.ejection", "The length of an endpoint's first ejection; each in a row doubles it.")
        .default("1s")
        .running(),
    Setting::duration("tuning.breaker.ejection_limit", "The longest ejection.").default("1m").running(),
    Setting::text("tuning.retry.attempts", "a number of attempts (0 to 10)", "How often one call is sent again at most.")
        .shape(Shape::Integer)
        .default("2")
        .running(),
    Setting::text(
        "tuning.retry.budget_ratio",
        "a number from 0 to 1",
        "Retries for each first attempt, shared by all calls to a domain.",
    )
    .shape(Shape::Number)
    .default("0.2")
    .running(),
    Setting::text(
        "tuning.retry.budget_floor",
        "a number of retries (at most 10000)",
        "Retries a second that a domain's callers have whatever they send.",
    )
    .shape(Shape::Integer)
    .default("10")
    .running(),
    Setting::duration(
        "tuning.retry.first_pause",
        "The mean pause before the first retry is half of this; each further one is four times longer.",
    )
    .default("10ms")
    .running(),
    Setting::duration("tuning.retry.pause_limit", "The longest pause of our own; a callee may ask for more.")
        .default("500ms")
        .running(),
    Setting::text("tuning.calling.initial", "a number of calls", "Calls at once to begin with under way at one endpoint.")
        .shape(Shape::Integer)
        .default("128")
        .running(),
    Setting::text(
        "tuning.calling.least",
        "a number of calls (at least 1)",
        "Never fewer calls at once than this under way at one endpoint.",
    )
    .shape(Shape::Integer)
    .default("16")
    .running(),
    Setting::text(
        "tuning.calling.most",
        "a number of calls (at most 100000)",
        "Never more calls at once than this under way at one endpoint.",
    )
    .shape(Shape::Integer)
    .default("2048")
    .running(),
    Setting::text(
        "tuning.calling.tolerance",
        "a factor (1 to 100)",
        "How much slower than usual calls may be before fewer are let in under way at one endpoint.",
    )
    .shape(Shape::Number)
    .default("2.0")
    .running(),
    Setting::text(
        "tuning.calling.queue",
        "a number of calls (at most 100000)",
        "Calls that may wait for a place under way at one endpoint; more are refused at once.",
    )
    .shape(Shape::Integer)
    .default("64")
    .running(),
    Setting::duration(
        "tuning.calling.queue_wait",
        "How long a call may wait for a place under way at one endpoint; its deadline may be earlier.",
    )
    .default("1s")
    .running(),
    Setting::text("tuning.serving.initial", "a number of calls", "Calls at once to begin with in a domain.")
        .shape(Shape::Integer)
        .default("128")
        .running(),
    Setting::text("tuning.serving.least", "a number of calls (at least 1)", "Never fewer calls at once than this in a domain.")
        .shape(Shape::Integer)
        .default("16")
        .running(),
    Setting::text("tuning.serving.most", "a number of calls (at most 100000)", "Never more calls at once than this in a domain.")
        .shape(Shape::Integer)
        .default("2048")
        .running(),
    Setting::text(
        "tuning.serving.tolerance",
        "a factor (1 to 100)",
        "How much slower than usual calls may be before fewer are let in in a domain.",
    )
    .shape(Shape::Number)
    .default("2.0")
    .running(),
    Setting::text(
        "tuning.serving.queue",
        "a number of calls (at most 100000)",
        "Calls that may wait for a place in a domain; more are refused at once.",
    )
    .shape(Shape::Integer)
    .default("1024")
    .running(),
    Setting::duration(
        "tuning.serving.queue_wait",
        "How long a call may wait for a place in a domain; its deadline may be earlier.",
    )
    .default("1s")
    .running(),
    Setting::duration("tuning.streams.idle", "A stream on which no message passes for so long is ended.").default("5m").running(),
    Setting::duration("tuning.streams.lifetime", "A stream that is open for so long is ended.").default("1h").running(),
];

/// What operators may change about calls while the process runs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Connections, at both ends.
    pub connections: Connections,
    /// Which endpoints are left alone for a while.
    pub breaker: Breaker,
    /// Which failed calls are sent again.
    pub retry: Retry,
    /// How many calls a caller has under way at one endpoint.
    pub calling: Concurrency,
    /// How many calls a domain works on at once.
    pub serving: Concurrency,
    /// How long streams last, at both ends.
    pub streams: Streams,
}

/// How connections begin, are probed and end.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connections {
    /// Name resolution, TCP and TLS together when connecting, and TLS when accepting, may take so long.
    #[serde(deserialize_with = "units::positive_duration")]
    pub handshake: Duration,
    /// A peer that is silent for so long is probed.
    #[serde(deserialize_with = "units::positive_duration")]
    pub keep_alive_interval: Duration,
    /// A probe that is not answered for so long ends the connection.
    #[serde(deserialize_with = "units::positive_duration")]
    pub keep_alive_timeout: Duration,
    /// A caller replaces a connection of this age, give or take a tenth.
    #[serde(deserialize_with = "units::positive_duration")]
    pub max_age: Duration,
    /// How much longer a server waits before it ends such a connection itself.
    #[serde(deserialize_with = "units::positive_duration")]
    pub age_grace: Duration,
}

/// When an endpoint is ejected, and for how long.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// Failures in a row that eject an endpoint.
    pub consecutive_failures: u32,
    /// The share of calls within the window that must succeed; fewer eject an endpoint.
    pub success_rate: f64,
    /// The window of the success rate.
    #[serde(deserialize_with = "units::positive_duration")]
    pub window: Duration,
    /// The calls in a window without which its rate says nothing.
    pub minimum_calls: u32,
    /// The length of an endpoint's first ejection; each in a row doubles it.
    #[serde(deserialize_with = "units::positive_duration")]
    pub ejection: Duration,
    /// The longest ejection.
    #[serde(deserialize_with = "units::positive_duration")]
    pub ejection_limit: Duration,
}

/// How often failed calls are sent again.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How often one call is sent again at most.
    pub attempts: u32,
    /// Retries for each first attempt, shared by all calls to a domain.
    pub budget_ratio: f64,
    /// Retries a second that a domain's callers have whatever they send.
    pub budget_floor: u32,
    /// The mean pause before the first retry is half of this; each further one is four times longer.
    #[serde(deserialize_with = "units::positive_duration")]
    pub first_pause: Duration,
    /// The longest pause of our own; a callee may ask for more.
    #[serde(deserialize_with = "units::positive_duration")]
    pub pause_limit: Duration,
}

/// How far the number of calls at once adapts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// Calls at once to begin with.
    pub initial: u32,
    /// Never fewer calls at once than this.
    pub least: u32,
    /// Never more calls at once than this.
    pub most: u32,
    /// How much slower than usual calls may be before fewer are let in.
    pub tolerance: f64,
    /// Calls that may wait for a place; more are refused at once.
    pub queue: u32,
    /// How long a call may wait for a place; its deadline may be earlier.
    #[serde(deserialize_with = "units::positive_duration")]
    pub queue_wait: Duration,
}

/// How long streams last.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Streams {
    /// A stream on which no message passes for so long is ended.
    #[serde(deserialize_with = "units::positive_duration")]
    pub idle: Duration,
    /// A stream that is open for so long is ended.
    #[serde(deserialize_with = "units::positive_duration")]
    pub lifetime: Duration,
}
