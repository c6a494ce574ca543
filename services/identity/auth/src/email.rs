//! Email addresses as accounts are found by them.

/// An address without the spaces around it and in lower case, so that one mailbox has one account.
///
/// RFC 5321 lets a server tell local parts apart by case; none in use does, and people do not know
/// which letter they wrote large.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EmailAddress(String);

impl EmailAddress {
    pub(crate) fn normalised(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_has_one_spelling() {
        for text in ["ann@example.org", " Ann@Example.ORG\t", "ANN@EXAMPLE.ORG"] {
            assert_eq!(EmailAddress::normalised(text).as_str(), "ann@example.org");
        }
        assert_eq!(EmailAddress::normalised("ÄNN@example.org").as_str(), "änn@example.org");
    }
}
