//! JSON whose objects keep the order in which they were made: the order of the contract is the one that readers expect.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::Serialize;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Json {
    Bool(bool),
    Integer(i64),
    Natural(u64),
    Real(f64),
    Text(String),
    List(Vec<Self>),
    Object(Object),
}

/// A JSON object.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Object(IndexMap<Cow<'static, str>, Json>);

impl Object {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// `{"$ref": "#/components/KIND/NAME"}`
    pub(crate) fn reference(kind: &str, name: &str) -> Self {
        Self::new().with("$ref", format!("#/components/{kind}/{name}"))
    }

    #[must_use]
    pub(crate) fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Json>) -> Self {
        self.set(key, value);
        self
    }

    #[must_use]
    pub(crate) fn with_some(self, key: &'static str, value: Option<impl Into<Json>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// With the text, if there is any.
    #[must_use]
    pub(crate) fn with_text(self, key: &'static str, text: &str) -> Self {
        if text.is_empty() { self } else { self.with(key, text) }
    }

    pub(crate) fn set(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Json>) {
        self.0.insert(key.into(), value.into());
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        self.0.get(key)
    }

    pub(crate) fn object(&self, key: &str) -> Option<&Self> {
        self.get(key).and_then(Json::as_object)
    }

    /// The object under a key, made if there is nothing; none if there is something else.
    pub(crate) fn object_mut(&mut self, key: impl Into<Cow<'static, str>>) -> Option<&mut Self> {
        match self.0.entry(key.into()).or_insert_with(|| Json::Object(Self::new())) {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Json::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn list(&self, key: &str) -> &[Json] {
        match self.get(key) {
            Some(Json::List(list)) => list,
            _ => &[],
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Json> {
        self.0.shift_remove(key)
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// In the order of the keys.
    pub(crate) fn sort(&mut self) {
        self.0.sort_keys();
    }
}

impl Json {
    pub(crate) fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Natural(value)
    }
}

impl From<f64> for Json {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Object> for Json {
    fn from(value: Object) -> Self {
        Self::Object(value)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Json {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_object_is_written_in_the_order_in_which_it_was_made() {
        let object =
            Object::new().with("b", 1_u64).with("a", vec!["x"]).with_text("c", "").with("d", Object::new().with("z", -1.5));
        assert_eq!(serde_json::to_string(&object).unwrap(), r#"{"b":1,"a":["x"],"d":{"z":-1.5}}"#);
    }
}
