//! How values become bytes.

use prost::Message;
use serde::{Serialize, de::DeserializeOwned};

/// Why bytes and value could not be turned into each other.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes are no message of the type.
    #[error("no such protobuf message")]
    Protobuf(#[from] prost::DecodeError),
    /// The value is no JSON, or the bytes are not the JSON of the type.
    #[error("no such JSON value")]
    Json(#[from] serde_json::Error),
}

/// Turns values into bytes and back. Both sides may be of different releases: what another release
/// wrote must decode to the same meaning or fail, so a type that changes its meaning needs a cache of
/// another name.
pub trait Codec<V>: Send + Sync + 'static {
    /// The value as bytes.
    fn encode(value: &V) -> Result<Vec<u8>, CodecError>;
    /// The value that the bytes stand for.
    fn decode(bytes: &[u8]) -> Result<V, CodecError>;
}

/// Messages of a contract, in the protobuf wire format.
#[derive(Clone, Copy, Debug)]
pub struct Protobuf;

/// Types of serde, as JSON.
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl<V: Message + Default> Codec<V> for Protobuf {
    fn encode(value: &V) -> Result<Vec<u8>, CodecError> {
        Ok(value.encode_to_vec())
    }

    fn decode(bytes: &[u8]) -> Result<V, CodecError> {
        Ok(V::decode(bytes)?)
    }
}

impl<V: Serialize + DeserializeOwned> Codec<V> for Json {
    fn encode(value: &V) -> Result<Vec<u8>, CodecError> {
        Ok(serde_json::to_vec(value)?)
    }

    fn decode(bytes: &[u8]) -> Result<V, CodecError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}
