//! Switches that each break one guarantee, so that the test of it can be seen to fail.
//!
//! A room with a guarantee depends on this crate by its feature `sabotage` alone, which no release
//! has; the switches that are on stand in the environment variable `WEFT_SABOTAGE`, with commas
//! between them.

use std::sync::LazyLock;

/// A guarantee that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A write is answered before it is committed.
    AnswerBeforeCommit,
    /// A repeat of a KEYED call runs again.
    NoKeys,
    /// Who lost a lease writes on.
    NoFences,
    /// No failed call is sent again.
    NoRetries,
    /// An endpoint that does not answer is waited for to the deadline.
    NoPatience,
    /// Endpoints are forgotten when the registry does not answer.
    ForgetEndpoints,
    /// An instance that the registry forgot is not registered again.
    RegisterOnce,
    /// Certificates that were replaced stay in use.
    StaleCertificates,
    /// A process that is asked to stop ends at once.
    NoDrain,
}

impl Sabotage {
    const ALL: [Self; 9] = [
        Self::AnswerBeforeCommit,
        Self::NoKeys,
        Self::NoFences,
        Self::NoRetries,
        Self::NoPatience,
        Self::ForgetEndpoints,
        Self::RegisterOnce,
        Self::StaleCertificates,
        Self::NoDrain,
    ];

    /// Its name in `WEFT_SABOTAGE`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnswerBeforeCommit => "answer-before-commit",
            Self::NoKeys => "no-keys",
            Self::NoFences => "no-fences",
            Self::NoRetries => "no-retries",
            Self::NoPatience => "no-patience",
            Self::ForgetEndpoints => "forget-endpoints",
            Self::RegisterOnce => "register-once",
            Self::StaleCertificates => "stale-certificates",
            Self::NoDrain => "no-drain",
        }
    }

    /// Whether it is on in this process.
    pub fn is_on(self) -> bool {
        static ON: LazyLock<Vec<Sabotage>> = LazyLock::new(|| read(&std::env::var("WEFT_SABOTAGE").unwrap_or_default()));
        ON.contains(&self)
    }
}

/// The switches that a text names. An unknown name is none: a test of it would find nothing broken.
fn read(text: &str) -> Vec<Sabotage> {
    let named = |name: &str| Sabotage::ALL.into_iter().find(|sabotage| sabotage.name() == name.trim());
    text.split(',').filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_named_with_commas_between_them() {
        assert_eq!(read(""), []);
        assert_eq!(read("no-keys, no-drain,no-such"), [Sabotage::NoKeys, Sabotage::NoDrain]);
        assert_eq!(Sabotage::ALL.map(Sabotage::name).join(",").split(',').count(), Sabotage::ALL.len());
    }
}
