//! The contenders and what they translate.

#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_precision_loss, reason = "data from dice")]

mod data;
mod typed;

pub use data::{Shape, Size, json_of};

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde::Serialize as _;
use weft_transcode::{MessageId, PrintOptions, ReadOptions, Schema, json_to_wire, wire_to_json};

/// The compiled `bench.proto`.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bench.binpb"));

/// prost's types with pbjson's JSON.
#[allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications, unreachable_pub, reason = "generated")]
mod pb {
    include!(concat!(env!("OUT_DIR"), "/prost/bench.rs"));
    include!(concat!(env!("OUT_DIR"), "/prost/bench.serde.rs"));
}

/// buffa's types.
#[allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications, unreachable_pub, reason = "generated")]
mod bf {
    include!(concat!(env!("OUT_DIR"), "/buffa/mod.rs"));
}

/// A contender and what it does.
pub type Task<'c> = (&'static str, Box<dyn Fn() + 'c>);

/// What the contenders do with one text.
pub struct Contest {
    schema: Schema,
    message: MessageId,
    descriptor: MessageDescriptor,
    shape: Shape,
    /// The JSON, as this crate prints it.
    pub json: Vec<u8>,
    /// The same message on the wire.
    pub wire: Vec<u8>,
}

/// Keeps the result from being optimised away.
fn keep<T>(value: T) {
    drop(std::hint::black_box(value));
}

/// Runs `$body` with `$type` bound to the shape's type in module `$module`.
macro_rules! of_shape {
    ($shape:expr, $module:path as $types:ident, $message:ident => $body:expr) => {{
        use $module as $types;
        match $shape {
            Shape::Strings => {
                type $message = $types::Strings;
                $body
            }
            Shape::Numbers => {
                type $message = $types::Numbers;
                $body
            }
            Shape::Nested => {
                type $message = $types::Nested;
                $body
            }
            Shape::Maps => {
                type $message = $types::Maps;
                $body
            }
        }
    }};
}

impl Contest {
    /// A text of about the given size.
    pub fn new(shape: Shape, size: Size) -> anyhow::Result<Self> {
        let schema = Schema::from_descriptor_set(DESCRIPTOR_SET)?;
        let name = format!("bench.{}", shape.message());
        let message = schema.message(&name).ok_or_else(|| anyhow::anyhow!("no {name}"))?;
        let pool = DescriptorPool::decode(DESCRIPTOR_SET)?;
        let descriptor = pool.get_message_by_name(&name).ok_or_else(|| anyhow::anyhow!("no {name}"))?;
        let (mut wire, mut json) = (Vec::new(), Vec::new());
        json_to_wire(&schema, message, json_of(shape, size).as_bytes(), &ReadOptions::default(), &mut wire)?;
        // As a serializer writes it: fields in the order of their numbers, maps in none.
        wire = of_shape!(shape, crate::pb as types, M => M::decode(wire.as_slice())?.encode_to_vec());
        wire_to_json(&schema, message, &wire, &PrintOptions::default(), &mut json)?;
        Ok(Self { schema, message, descriptor, shape, json, wire })
    }

    /// Everybody's way from JSON to wire, by name; those marked `parse only` stop at their own type.
    pub fn readers(&self) -> Vec<Task<'_>> {
        let json = self.json.as_slice();
        let mut all: Vec<Task<'_>> = vec![
            (
                "weft",
                Box::new(move || {
                    let mut wire = Vec::new();
                    json_to_wire(&self.schema, self.message, json, &ReadOptions::default(), &mut wire).unwrap_or_default();
                    keep(wire);
                }),
            ),
            (
                "prost-reflect",
                Box::new(move || {
                    let mut text = serde_json::Deserializer::from_slice(json);
                    keep(
                        DynamicMessage::deserialize(self.descriptor.clone(), &mut text)
                            .map(|m| m.encode_to_vec())
                            .unwrap_or_default(),
                    );
                }),
            ),
        ];
        of_shape!(self.shape, crate::pb as types, M => {
            all.push(("pbjson", Box::new(move || keep(serde_json::from_slice::<M>(json).map(|m| m.encode_to_vec()).unwrap_or_default()))));
            all.push(("pbjson, parse only", Box::new(move || keep(serde_json::from_slice::<M>(json).unwrap_or_default()))));
        });
        of_shape!(self.shape, crate::bf::bench as types, M => {
            use buffa::Message as _;
            all.push(("buffa", Box::new(move || keep(serde_json::from_slice::<M>(json).map(|m| m.encode_to_vec()).unwrap_or_default()))));
            all.push(("buffa, parse only", Box::new(move || keep(serde_json::from_slice::<M>(json).unwrap_or_default()))));
        });
        of_shape!(self.shape, crate::typed as types, M => {
            all.push(("sonic-rs, parse only", Box::new(move || keep(sonic_rs::from_slice::<M>(json).ok()))));
        });
        all
    }

    /// Everybody's way from wire to JSON, by name; those marked `print only` begin with their own type.
    pub fn printers(&self) -> Vec<Task<'_>> {
        let wire = self.wire.as_slice();
        let mut all: Vec<Task<'_>> = vec![
            (
                "weft",
                Box::new(move || {
                    let mut json = Vec::new();
                    wire_to_json(&self.schema, self.message, wire, &PrintOptions::default(), &mut json).unwrap_or_default();
                    keep(json);
                }),
            ),
            (
                "prost-reflect",
                Box::new(move || {
                    let Ok(message) = DynamicMessage::decode(self.descriptor.clone(), wire) else { return };
                    let mut json = Vec::new();
                    keep(message.serialize(&mut serde_json::Serializer::new(&mut json)));
                    keep(json);
                }),
            ),
        ];
        of_shape!(self.shape, crate::pb as types, M => {
            all.push(("pbjson", Box::new(move || keep(M::decode(wire).map(|m| serde_json::to_vec(&m))))));
            let message = M::decode(wire).unwrap_or_default();
            all.push(("pbjson, print only", Box::new(move || keep(serde_json::to_vec(&message)))));
        });
        of_shape!(self.shape, crate::bf::bench as types, M => {
            use buffa::Message as _;
            all.push(("buffa", Box::new(move || keep(M::decode_from_slice(wire).map(|m| serde_json::to_vec(&m))))));
            let message = M::decode_from_slice(wire).unwrap_or_default();
            all.push(("buffa, print only", Box::new(move || keep(serde_json::to_vec(&message)))));
        });
        all
    }

    /// Whether all contenders read and print the same value. Numbers may differ a little: `serde_json` without
    /// `float_roundtrip`, on which the generated types stand, may miss the last bit of a `double`.
    pub fn check(&self) -> anyhow::Result<()> {
        let value: serde_json::Value = serde_json::from_slice(&self.json)?;
        let reflected = DynamicMessage::decode(self.descriptor.clone(), self.wire.as_slice())?;
        let agreed = of_shape!(self.shape, crate::pb as types, M => {
            let read: M = serde_json::from_slice(&self.json)?;
            same(&serde_json::to_value(&read)?, &serde_json::to_value(M::decode(self.wire.as_slice())?)?) && same(&serde_json::to_value(&read)?, &value)
        }) && of_shape!(self.shape, crate::bf::bench as types, M => {
            use buffa::Message as _;
            let read: M = serde_json::from_slice(&self.json)?;
            same(&serde_json::to_value(&read)?, &serde_json::to_value(M::decode_from_slice(&self.wire).map_err(|e| anyhow::anyhow!("{e}"))?)?) && same(&serde_json::to_value(&read)?, &value)
        }) && of_shape!(self.shape, crate::typed as types, M => {
            sonic_rs::from_slice::<M>(&self.json).map_err(|e| anyhow::anyhow!("{e}"))?;
            true
        }) && same(&serde_json::to_value(&reflected)?, &value);
        anyhow::ensure!(agreed, "the contenders disagree on {:?}", self.shape);
        Ok(())
    }
}

/// Whether two values are equal, numbers by value and as `f32` at least.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value as Json;
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or_default(), b.as_f64().unwrap_or_default());
            (a - b).abs() <= a.abs() * 1e-6
        }
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
