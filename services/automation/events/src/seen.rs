//! Which topics a caller sees.

use std::collections::BTreeSet;

use weft_mesh::{Call, Contract, Error, Result, TopicPattern};

/// Patterns that one subscription may name.
const PATTERN_LIMIT: usize = 16;

/// The topics that are asked for and that the caller may see.
pub(crate) fn topics(contracts: &[&'static Contract], call: &Call, asked: &[String]) -> Result<BTreeSet<&'static str>> {
    if asked.len() > PATTERN_LIMIT {
        return Err(Error::invalid_field("topics", format!("at most {PATTERN_LIMIT} patterns")));
    }
    let parse = |(index, text): (usize, &String)| {
        TopicPattern::parse(text).map_err(|error| Error::invalid_field(format!("topics[{index}]"), error.to_string()))
    };
    let patterns: Vec<_> = asked.iter().enumerate().map(parse).collect::<Result<_>>()?;
    let is_asked = |topic: &str| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(topic));
    let events = contracts.iter().flat_map(|contract| contract.events).filter(|event| is_asked(event.topic));
    // An event that names no permission is seen by nobody: who publishes must have said who may see.
    let seen = events.filter(|event| event.permission.is_some_and(|permission| call.allows(permission)));
    Ok(seen.map(|event| event.topic).collect())
}

/// True if there is a permission to see events of this topic.
pub(crate) fn is_ever(contracts: &[&'static Contract], topic: &str) -> bool {
    contracts.iter().flat_map(|contract| contract.events).any(|event| event.topic == topic && event.permission.is_some())
}
