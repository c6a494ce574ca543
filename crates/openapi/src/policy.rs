//! What a method is held to, in words.

use std::time::Duration;

use weft_call::{Access, Idempotency, Limit, LimitScope, MethodContract};

/// What callers of a method should know beside what its comment says.
pub(crate) fn described(policy: &MethodContract) -> String {
    let mut lines = vec![access(&policy.access)];
    if let Some(deadline) = policy.deadline {
        lines.push(format!("It takes {} at most.", seconds(deadline)));
    }
    lines.extend(match policy.idempotency {
        Idempotency::Read => None,
        Idempotency::Natural => Some("A repeat changes nothing more.".to_owned()),
        Idempotency::Keyed => Some("A repeat with the same `Idempotency-Key` gets the answer of the first.".to_owned()),
        Idempotency::None => Some("A repeat does its work again.".to_owned()),
    });
    lines.extend(policy.limits.iter().filter_map(limit));
    lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")
}

fn access(access: &Access) -> String {
    match access.permission {
        _ if access.public => "Anyone may call it.".to_owned(),
        Some(permission) => {
            let roles = access.roles.iter().map(|role| format!("`{role}`"));
            let roles: Vec<_> = std::iter::once("`owner`".to_owned()).chain(roles).collect();
            format!("It takes the permission `{permission}`, which these roles hold from the start: {}.", roles.join(", "))
        }
        None => "Anyone with good credentials may call it.".to_owned(),
    }
}

fn limit(limit: &Limit) -> Option<String> {
    let who = match limit.per {
        LimitScope::Tenant => "A tenant",
        LimitScope::User => "A user or an API key",
        LimitScope::Address => "An address",
        // Domains call on the inside.
        LimitScope::Peer => return None,
    };
    Some(format!("{who} may call it {} times a second, {} times at once after a pause.", limit.rate, limit.burst.max(limit.rate)))
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
