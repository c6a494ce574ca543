//! Plain structs of the same texts, for parsers that know no protobuf.

#![allow(dead_code, reason = "parsed, never read")]

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Deserializer};

/// `int64` as JSON has it: a string.
fn quoted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
pub(crate) struct Strings {
    contacts: Vec<Contact>,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Contact {
    id: String,
    first_name: String,
    last_name: String,
    email_address: String,
    street: String,
}

#[derive(Deserialize)]
pub(crate) struct Numbers {
    samples: Vec<Sample>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Sample {
    count: i32,
    #[serde(deserialize_with = "quoted")]
    total: i64,
    code: u32,
    delta: i32,
    #[serde(deserialize_with = "quoted")]
    serial: i64,
    ratio: f64,
    weight: f32,
    valid: bool,
    steps: Vec<i32>,
    points: Vec<f64>,
}

#[derive(Deserialize)]
pub(crate) struct Nested {
    purchases: Vec<Purchase>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Purchase {
    id: String,
    state: State,
    buyer: Buyer,
    lines: Vec<Line>,
}

#[derive(Deserialize, Default)]
enum State {
    #[default]
    #[serde(rename = "STATE_UNSPECIFIED")]
    Unspecified,
    #[serde(rename = "STATE_OPEN")]
    Open,
    #[serde(rename = "STATE_PAID")]
    Paid,
    #[serde(rename = "STATE_SHIPPED")]
    Shipped,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Buyer {
    name: String,
    place: Place,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Place {
    city: String,
    country: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Line {
    sku: String,
    quantity: i32,
    price: Price,
    notes: Vec<Note>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Price {
    currency: String,
    #[serde(deserialize_with = "quoted")]
    units: i64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Note {
    text: String,
}

#[derive(Deserialize)]
pub(crate) struct Maps {
    shelves: Vec<Shelf>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Shelf {
    labels: HashMap<String, String>,
    counts: HashMap<String, i32>,
    levels: HashMap<i32, f64>,
}
