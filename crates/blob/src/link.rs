//! Links: who holds one may read a blob for a while.
//!
//! Rule: a bucket signs its own (SigV4 query parameters). For a folder a link is a token that the domain puts into an address
//! of its own: what it lets read and until when, and an HMAC-SHA256 over that, the method, the domain and the kind, in
//! base64url. The key stands in the folder, so that whoever shares the folder takes the same links.

use std::{fs, io, io::Write as _, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use http::Method;
use ring::{
    hmac::{self, HMAC_SHA256},
    rand::{SecureRandom as _, SystemRandom},
};
use url::Url;
use uuid::Uuid;
use weft_call::TenantId;

use crate::{BlobError, BlobKey, BlobKind, MediaType, Owner};

/// The file in the folder that holds the key.
const FILE: &str = "link.key";

/// The longest that a link may hold: as S3 has it.
const LONGEST: Duration = Duration::from_hours(7 * 24);

const VERSION: u8 = 1;
/// Version, expiry, tenant, whether it has a person, person, id, type.
const BODY: usize = 1 + 8 + 16 + 1 + 16 + 16 + 1;
const TAG: usize = 32;

/// What lets its holder read a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// A token that the domain takes in a method of its own, and gives to [`crate::Blobs::follow`]. It needs no escaping in a
    /// path.
    Token(String),
    /// An address at the bucket.
    Address(Url),
}

/// What a token lets read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The blob.
    pub key: BlobKey,
    /// What it is.
    pub media_type: MediaType,
}

/// What a folder's links are signed with.
pub(crate) struct LinkKey(hmac::Key);

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(***)")
    }
}

/// Refuses a lifetime that no link can have.
pub(crate) fn check_lifetime(lifetime: Duration) -> Result<(), BlobError> {
    let is_fit = (Duration::from_secs(1)..=LONGEST).contains(&lifetime);
    if is_fit { Ok(()) } else { Err(BlobError::LinkLifetime) }
}

impl LinkKey {
    /// The key of a folder, made if it has none.
    pub(crate) fn of(folder: &Path) -> Result<Self, BlobError> {
        let file = folder.join(FILE);
        let failed = |source| BlobError::Folder { folder: folder.to_owned(), source };
        if !file.try_exists().map_err(failed)? {
            let mut key = [0; 32];
            SystemRandom::new().fill(&mut key).map_err(|_| BlobError::NoRandomness)?;
            // Complete before it has its name, and never in place of one that another process has made meanwhile.
            let draft = folder.join(format!("{FILE}.{}", Uuid::now_v7()));
            write(&draft, &hex(&key)).map_err(failed)?;
            let linked = fs::hard_link(&draft, &file);
            fs::remove_file(&draft).map_err(failed)?;
            linked.or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(failed(error)) })?;
        }
        let text = fs::read_to_string(&file).map_err(failed)?;
        let key = unhex(text.trim_end()).ok_or(BlobError::LinkKey { file })?;
        Ok(Self(hmac::Key::new(HMAC_SHA256, &key)))
    }

    pub(crate) fn sign(&self, key: &BlobKey, media_type: MediaType, expire: DateTime<Utc>) -> String {
        let (has_person, person) = match key.owner {
            Owner::Tenant => (0, Uuid::nil()),
            Owner::Person(person) => (1, person),
        };
        let mut token = Vec::with_capacity(BODY + TAG);
        token.push(VERSION);
        token.extend(expire.timestamp().to_be_bytes());
        token.extend(key.tenant.0.as_bytes());
        token.push(has_person);
        token.extend(person.as_bytes());
        token.extend(key.id.as_bytes());
        token.push(number(media_type));
        let tag = hmac::sign(&self.0, &signed(&token, key.domain, key.kind));
        token.extend(tag.as_ref());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// What a token lets read, if it is one of this domain and kind whose time is not over.
    pub(crate) fn verify(
        &self,
        token: &str,
        domain: &'static str,
        kind: &BlobKind,
        now: DateTime<Utc>,
    ) -> Result<Followed, BlobError> {
        let invalid = || BlobError::LinkInvalid;
        // Its length first: a stranger's token costs no more than ours do.
        if token.len() != (BODY + TAG).div_ceil(3) * 4 - (3 - (BODY + TAG) % 3) % 3 {
            return Err(invalid());
        }
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
        let (body, tag) = token.split_at_checked(BODY).ok_or_else(invalid)?;
        hmac::verify(&self.0, &signed(body, domain, kind.name()), tag).map_err(|_| invalid())?;
        let (version, rest) = body.split_first().ok_or_else(invalid)?;
        let (expire, rest) = rest.split_first_chunk::<8>().ok_or_else(invalid)?;
        let (tenant, rest) = rest.split_first_chunk::<16>().ok_or_else(invalid)?;
        let (has_person, rest) = rest.split_first().ok_or_else(invalid)?;
        let (person, rest) = rest.split_first_chunk::<16>().ok_or_else(invalid)?;
        let (id, rest) = rest.split_first_chunk::<16>().ok_or_else(invalid)?;
        let media_type = rest.first().and_then(|number| MediaType::ALL.get(usize::from(*number))).ok_or_else(invalid)?;
        if *version != VERSION {
            return Err(invalid());
        }
        if i64::from_be_bytes(*expire) <= now.timestamp() {
            return Err(BlobError::LinkExpired);
        }
        let owner = if *has_person == 1 { Owner::Person(Uuid::from_bytes(*person)) } else { Owner::Tenant };
        let tenant = TenantId(Uuid::from_bytes(*tenant));
        let key = BlobKey { tenant, domain, owner, kind: kind.name(), id: Uuid::from_bytes(*id) };
        Ok(Followed { key, media_type: *media_type })
    }
}

/// What the HMAC is of. Names have no zero byte, so no two of these are alike.
fn signed(body: &[u8], domain: &str, kind: &str) -> Vec<u8> {
    [Method::GET.as_str().as_bytes(), domain.as_bytes(), kind.as_bytes(), body].join(&0)
}

/// The type's place among all; tokens outlive the process, so the order of [`MediaType::ALL`] is kept.
fn number(media_type: MediaType) -> u8 {
    let place = MediaType::ALL.iter().position(|known| *known == media_type);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

fn write(file: &Path, content: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const KIND: BlobKind = BlobKind::new("avatar", &[MediaType::Png], 1 << 20);
    const OTHER: BlobKind = BlobKind::new("invoice", &[MediaType::Pdf], 1 << 20);

    fn key() -> BlobKey {
        let owner = Owner::Person(Uuid::now_v7());
        BlobKey { tenant: TenantId(Uuid::now_v7()), domain: "auth", owner, kind: KIND.name(), id: Uuid::now_v7() }
    }

    #[test]
    fn a_token_leads_to_its_blob_until_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let (links, key, now) = (LinkKey::of(folder.path()).unwrap(), key(), Utc::now());
        let token = links.sign(&key, MediaType::Png, now + Duration::from_mins(1));
        assert_eq!(links.verify(&token, "auth", &KIND, now).unwrap(), Followed { key, media_type: MediaType::Png });
        let late = links.verify(&token, "auth", &KIND, now + Duration::from_mins(1));
        assert!(matches!(late, Err(BlobError::LinkExpired)), "{late:?}");
    }

    #[test]
    fn a_token_that_was_changed_or_was_given_out_for_something_else_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (links, now) = (LinkKey::of(folder.path()).unwrap(), Utc::now());
        let token = links.sign(&key(), MediaType::Png, now + Duration::from_mins(1));
        let is_refused =
            |token: &str, domain, kind| matches!(links.verify(token, domain, kind, now), Err(BlobError::LinkInvalid));
        assert!(is_refused(&token, "orders", &KIND) && is_refused(&token, "auth", &OTHER));
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(is_refused(&URL_SAFE_NO_PAD.encode(changed), "auth", &KIND), "byte {at}");
        }
        for text in ["", "a", &token[1..], &format!("{token}A"), &"A".repeat(100_000)] {
            assert!(is_refused(text, "auth", &KIND));
        }
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(LinkKey::of(elsewhere.path()).unwrap().verify(&token, "auth", &KIND, now).is_err());
    }

    #[test]
    fn a_folder_keeps_its_key_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (first, again) = (LinkKey::of(folder.path()).unwrap(), LinkKey::of(folder.path()).unwrap());
        let (key, now) = (key(), Utc::now());
        assert_eq!(first.sign(&key, MediaType::Png, now), again.sign(&key, MediaType::Png, now));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(folder.path().join(FILE), "short").unwrap();
        assert!(matches!(LinkKey::of(folder.path()), Err(BlobError::LinkKey { .. })));
    }
}
