//! Where a blob is.

use object_store::path::Path;
use uuid::Uuid;
use weft_call::TenantId;

use crate::BlobKind;

/// To whom a blob belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The tenant as such.
    Tenant,
    /// A person, by the id of the account: it goes when the person is erased.
    Person(Uuid),
}

/// The key of a blob. It holds ids and names of the code alone, so that no part of it needs escaping or leads elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobKey {
    pub(crate) tenant: TenantId,
    pub(crate) domain: &'static str,
    pub(crate) owner: Owner,
    pub(crate) kind: &'static str,
    pub(crate) id: Uuid,
}

impl BlobKey {
    /// Whose it is.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// To whom of the tenant it belongs.
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    /// Its id (UUIDv7).
    pub const fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn path(&self, place: &Path) -> Path {
        folder_of_kind(place, self.tenant, self.domain, self.owner, self.kind).join(self.id.to_string())
    }
}

impl std::fmt::Display for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path(&Path::default()).fmt(f)
    }
}

/// Everything that a domain keeps for a tenant.
pub(crate) fn folder_of_tenant(place: &Path, tenant: TenantId, domain: &'static str) -> Path {
    place.clone().join("tenant").join(tenant.to_string()).join(domain)
}

/// Everything that a domain keeps of an owner.
pub(crate) fn folder_of_owner(place: &Path, tenant: TenantId, domain: &'static str, owner: Owner) -> Path {
    let folder = folder_of_tenant(place, tenant, domain);
    match owner {
        Owner::Tenant => folder.join("shared"),
        Owner::Person(person) => folder.join("person").join(person.to_string()),
    }
}

/// An owner's blobs of a kind.
pub(crate) fn folder_of_kind(place: &Path, tenant: TenantId, domain: &'static str, owner: Owner, kind: &'static str) -> Path {
    folder_of_owner(place, tenant, domain, owner).join(kind)
}

/// A new blob's key.
pub(crate) fn fresh(tenant: TenantId, domain: &'static str, owner: Owner, kind: &BlobKind) -> BlobKey {
    BlobKey { tenant, domain, owner, kind: kind.name(), id: Uuid::now_v7() }
}
