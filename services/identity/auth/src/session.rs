//! What a refresh does to a session: the rules of rotation.
//!
//! Problem: tabs of one browser refresh at the same moment with the same token, and answers get lost;
//! punishing that as theft logs people out. Yet an old token that is shown again must end the
//! session, because one of its two holders is a thief (RFC 9700 section 4.14.2).
//! Rule: the live token is replaced by each refresh. A token that was replaced at most [`GRACE`] ago
//! leads to the live one, over as many steps as there were. An older one is reuse.
//! Recovery: reuse ends this session alone; the person's other sessions live on.

use chrono::{DateTime, TimeDelta, Utc};

use crate::refresh_token::{Nonce, RefreshToken};

/// How long a replaced token still leads to the live one.
pub(crate) const GRACE: TimeDelta = TimeDelta::seconds(10);
/// Refreshes of one session within [`GRACE`]: what a stranger with a token can make us remember.
pub(crate) const MAX_REPLACED: usize = 64;

/// What the database knows of a session's live token.
pub(crate) struct Live<'a> {
    /// The live token's fingerprint.
    pub(crate) secret_hash: &'a [u8],
    /// When the session ends.
    pub(crate) expire_time: DateTime<Utc>,
}

/// A token that was replaced.
pub(crate) struct Replaced {
    /// Its fingerprint.
    pub(crate) secret_hash: Vec<u8>,
    /// What leads to its successor.
    pub(crate) nonce: Nonce,
    /// When.
    pub(crate) replace_time: DateTime<Utc>,
}

/// What a refresh does.
pub(crate) enum Refresh {
    /// The token is the live one: replace it.
    Rotate,
    /// The token was replaced a moment ago: this is the live one.
    Successor(RefreshToken),
    /// The token was replaced long ago: end the session.
    Reused,
    /// The session's time is over.
    Expired,
    /// The token is live but was replaced too often within moments.
    TooOften,
}

/// Decides about a token of the session's family.
pub(crate) fn refresh(token: &RefreshToken, live: &Live<'_>, replaced: &[Replaced], now: DateTime<Utc>) -> Refresh {
    if live.expire_time <= now {
        return Refresh::Expired;
    }
    let fresh: Vec<_> = replaced.iter().filter(|old| now - old.replace_time <= GRACE).collect();
    let is_live = |token: &RefreshToken| token.secret_fingerprint().is(live.secret_hash);
    if is_live(token) {
        return if fresh.len() < MAX_REPLACED { Refresh::Rotate } else { Refresh::TooOften };
    }
    let step = |token: &RefreshToken| {
        let fingerprint = token.secret_fingerprint();
        fresh.iter().find(|old| fingerprint.is(&old.secret_hash)).map(|old| token.successor(&old.nonce))
    };
    // Each step leads past another of the replaced tokens, so there are at most as many steps.
    let mut later = std::iter::successors(step(token), step).take(fresh.len());
    later.find(is_live).map_or(Refresh::Reused, Refresh::Successor)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn second(number: i64) -> DateTime<Utc> {
        START + TimeDelta::seconds(number)
    }

    /// A session whose token was replaced at these seconds; all its tokens, the live one last.
    fn session(replaced_at: &[i64]) -> (Vec<String>, Vec<Replaced>) {
        let mut token = RefreshToken::fresh().unwrap();
        let (mut texts, mut replaced) = (vec![token.to_text()], Vec::new());
        for at in replaced_at {
            let nonce = Nonce::fresh().unwrap();
            let next = token.successor(&nonce);
            replaced.push(Replaced { secret_hash: token.secret_fingerprint().to_vec(), nonce, replace_time: second(*at) });
            texts.push(next.to_text());
            token = next;
        }
        (texts, replaced)
    }

    fn refresh_at(now: i64, shown: &str, tokens: &[String], replaced: &[Replaced]) -> Refresh {
        let live = RefreshToken::parse(tokens.last().unwrap()).unwrap().secret_fingerprint().to_vec();
        let live = Live { secret_hash: &live, expire_time: second(1000) };
        refresh(&RefreshToken::parse(shown).unwrap(), &live, replaced, second(now))
    }

    #[test]
    fn the_live_token_is_replaced() {
        let (tokens, replaced) = session(&[100]);
        assert!(matches!(refresh_at(100, &tokens[1], &tokens, &replaced), Refresh::Rotate));
        assert!(matches!(refresh_at(999, &tokens[1], &tokens, &replaced), Refresh::Rotate));
    }

    #[test]
    fn a_token_replaced_within_the_grace_leads_to_the_live_one_over_every_step() {
        let (tokens, replaced) = session(&[100, 103, 109]);
        for shown in &tokens[..3] {
            let Refresh::Successor(live) = refresh_at(110, shown, &tokens, &replaced) else { panic!("no successor") };
            assert_eq!(live.to_text(), tokens[3]);
        }
    }

    #[test]
    fn a_token_replaced_before_the_grace_is_reuse() {
        let (tokens, replaced) = session(&[100, 109]);
        assert!(matches!(refresh_at(111, &tokens[0], &tokens, &replaced), Refresh::Reused));
        assert!(matches!(refresh_at(111, &tokens[1], &tokens, &replaced), Refresh::Successor(_)));
        assert!(matches!(refresh_at(120, &tokens[1], &tokens, &replaced), Refresh::Reused));
        assert!(matches!(refresh_at(120, &tokens[1], &tokens, &[]), Refresh::Reused));
    }

    #[test]
    fn a_session_ends_with_its_time() {
        let (tokens, replaced) = session(&[]);
        assert!(matches!(refresh_at(999, &tokens[0], &tokens, &replaced), Refresh::Rotate));
        assert!(matches!(refresh_at(1000, &tokens[0], &tokens, &replaced), Refresh::Expired));
    }

    #[test]
    fn a_session_refreshed_too_often_within_moments_is_slowed_down_and_not_ended() {
        let (tokens, replaced) = session(&[100; MAX_REPLACED]);
        assert!(matches!(refresh_at(105, tokens.last().unwrap(), &tokens, &replaced), Refresh::TooOften));
        assert!(matches!(refresh_at(105, &tokens[0], &tokens, &replaced), Refresh::Successor(_)));
        assert!(matches!(refresh_at(111, tokens.last().unwrap(), &tokens, &replaced), Refresh::Rotate));
    }
}
