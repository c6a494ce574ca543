//! Messages that are published.
//!
//! An event says that something has happened. It is written in the transaction that made it happen,
//! and reaches every domain that subscribes to its topic: each key's events in the order in which they
//! were committed, and with one effect each.

use prost::Message;

/// What a contract declares of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventContract {
    /// The topic: `events.order.created`.
    pub topic: &'static str,
    /// The domain that publishes it: `orders`.
    pub domain: &'static str,
    /// The full protobuf name of the message.
    pub message: &'static str,
    /// The field that says what the event is about: `order_id`.
    pub key: &'static str,
    /// The permission that following it from outside takes; without it nobody outside can.
    pub permission: Option<&'static str>,
}

/// A message that is published as an event: generated.
pub trait Event: Message + Default + Clone + Send + Sync + 'static {
    /// What the contract declares of it.
    const EVENT: &'static EventContract;
    /// What it is about: events of one key stay in order.
    fn key(&self) -> &str;
}

/// Longest pattern, in bytes.
const PATTERN_LIMIT: usize = 255;

/// Topics that somebody subscribes to: one by its name, or all that match. A `*` at the end stands
/// for whatever follows, as in Redis: `events.user.*`, `events.*`, or `*` alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPattern(String);

/// A pattern that matches nothing that could be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a topic pattern is dotted lower-case words, such as `events.order.created`, the last of which may be `*`")]
pub struct TopicPatternError;

impl TopicPattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, TopicPatternError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_word = |word: &str| !word.is_empty() && word.chars().all(plain);
        let words = match text.strip_suffix('*') {
            Some("") => return Ok(Self(text.to_owned())),
            Some(before) => before.strip_suffix('.').ok_or(TopicPatternError)?,
            None => text,
        };
        let fits = text.len() <= PATTERN_LIMIT && words.split('.').all(is_word);
        if fits { Ok(Self(text.to_owned())) } else { Err(TopicPatternError) }
    }

    /// The pattern that every topic matches.
    pub fn all() -> Self {
        Self("*".to_owned())
    }

    /// The pattern that one event alone matches.
    pub fn of(event: &EventContract) -> Self {
        Self(event.topic.to_owned())
    }

    /// True for the topics that it stands for.
    pub fn matches(&self, topic: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => topic.starts_with(prefix),
            None => topic == self.0,
        }
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_topic_or_what_begins_like_it() {
        for (pattern, topic, matches) in [
            ("events.user.registered", "events.user.registered", true),
            ("events.user.registered", "events.user.registered.twice", false),
            ("events.user.*", "events.user.registered", true),
            ("events.user.*", "events.user", false),
            ("events.user.*", "events.users.merged", false),
            ("events.*", "events.user.logged_in", true),
            ("*", "events.user.logged_in", true),
        ] {
            let parsed = TopicPattern::parse(pattern);
            assert_eq!(parsed.map(|parsed| parsed.matches(topic)), Ok(matches), "{pattern} {topic}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in
            ["", "events.", ".events", "events..user", "events.u*", "events.*.made", "Events.user", "events user", "**", "?"]
        {
            assert_eq!(TopicPattern::parse(bad), Err(TopicPatternError), "{bad:?}");
        }
        assert_eq!(TopicPattern::parse(&"a.".repeat(200)), Err(TopicPatternError));
    }
}
