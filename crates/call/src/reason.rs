//! Why a call failed, in words that programs match on (AIP-193).

use crate::Code;

/// A reason from a contract. Generated enums implement it.
pub trait Reason: Copy + Send + Sync + 'static {
    /// `google.rpc.ErrorInfo.domain`: the protobuf package whose contract lists the reason.
    const DOMAIN: &'static str;
    /// The reason as it travels: `ORDER_NOT_FOUND`.
    fn name(self) -> &'static str;
    /// The code that the contract ties to it.
    fn code(self) -> Code;
    /// The reason with this name.
    fn from_name(name: &str) -> Option<Self>;
}

macro_rules! mesh_reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $code:ident;)+) => {
        /// Reasons that the mesh itself gives, whatever the domain. They are listed for callers in
        /// `proto/weft/mesh/v1/reason.proto`; a test holds the two lists together.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum MeshReason { $($(#[$doc])* $variant,)+ }

        impl MeshReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }

        impl Reason for MeshReason {
            const DOMAIN: &'static str = "weft.mesh.v1";
            fn name(self) -> &'static str { match self { $(Self::$variant => $name,)+ } }
            fn code(self) -> Code { match self { $(Self::$variant => Code::$code,)+ } }
            fn from_name(name: &str) -> Option<Self> { match name { $($name => Some(Self::$variant),)+ _ => None } }
        }
    };
}

mesh_reasons! {
    /// The bytes are not a message of the declared type.
    MalformedMessage = "MALFORMED_MESSAGE", InvalidArgument;
    /// Fields break rules of the contract; each is named in `BadRequest`.
    ValidationFailed = "VALIDATION_FAILED", InvalidArgument;
    /// A page token is damaged, or of another tenant, filter or order.
    PageTokenInvalid = "PAGE_TOKEN_INVALID", InvalidArgument;
    /// A field mask names a field that does not exist or cannot be set.
    FieldMaskInvalid = "FIELD_MASK_INVALID", InvalidArgument;
    /// A header of the request cannot be read.
    HeaderInvalid = "HEADER_INVALID", InvalidArgument;
    /// An idempotency key was used before with another request.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", AlreadyExists;
    /// The resource changed since its etag was read.
    EtagMismatch = "ETAG_MISMATCH", Aborted;
    /// No credentials came with a call that needs them.
    CredentialsMissing = "CREDENTIALS_MISSING", Unauthenticated;
    /// The credentials are forged, damaged, revoked or not meant for this mesh.
    CredentialsInvalid = "CREDENTIALS_INVALID", Unauthenticated;
    /// The credentials were good and no longer are.
    CredentialsExpired = "CREDENTIALS_EXPIRED", Unauthenticated;
    /// The calling workload is not one that the contract allows.
    CallerNotAllowed = "CALLER_NOT_ALLOWED", PermissionDenied;
    /// The principal lacks the permission that the contract demands.
    PermissionMissing = "PERMISSION_MISSING", PermissionDenied;
    /// The call belongs to no tenant and the method needs one.
    TenantMissing = "TENANT_MISSING", PermissionDenied;
    /// A limit of the contract, or the tenant's quota, is used up; `RetryInfo` says when to come again.
    RateLimited = "RATE_LIMITED", ResourceExhausted;
    /// A message is larger than the limit.
    MessageTooLarge = "MESSAGE_TOO_LARGE", ResourceExhausted;
    /// The time for the call was used up.
    DeadlineSpent = "DEADLINE_SPENT", DeadlineExceeded;
    /// The caller went away.
    CallCancelled = "CALL_CANCELLED", Cancelled;
    /// No such method is served here.
    MethodUnknown = "METHOD_UNKNOWN", Unimplemented;
    /// No such path is served here.
    RouteUnknown = "ROUTE_UNKNOWN", NotFound;
    /// The domain that should answer cannot be reached.
    UpstreamUnavailable = "UPSTREAM_UNAVAILABLE", Unavailable;
    /// The database cannot be reached or is too busy.
    StoreUnavailable = "STORE_UNAVAILABLE", Unavailable;
    /// Concurrent changes kept winning; nothing was written.
    StoreConflict = "STORE_CONFLICT", Aborted;
    /// The process is stopping.
    Draining = "DRAINING", Unavailable;
    /// An invariant is broken; the log has the cause under the request id.
    Internal = "INTERNAL", Internal;
    /// The domain has more calls than it can work on, and this one has not begun; `RetryInfo` says
    /// when to come again.
    Overloaded = "OVERLOADED", ResourceExhausted;
    /// No message passed on the stream for longer than it may be idle.
    StreamIdle = "STREAM_IDLE", DeadlineExceeded;
    /// The stream was open for as long as it may be; another may be opened at once.
    StreamExpired = "STREAM_EXPIRED", Unavailable;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_name() {
        for reason in MeshReason::ALL {
            assert_eq!(MeshReason::from_name(reason.name()), Some(*reason));
        }
        assert_eq!(MeshReason::from_name("NO_SUCH_REASON"), None);
    }
}
