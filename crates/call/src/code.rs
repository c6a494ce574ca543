//! The status codes of gRPC (`google.rpc.Code`).

/// How a call ended. The numbers are those of `google.rpc.Code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Code {
    /// It succeeded.
    Ok = 0,
    /// The caller gave up.
    Cancelled = 1,
    /// The cause is not known, mostly because a foreign system did not say.
    Unknown = 2,
    /// The request is wrong whatever the state of the system.
    InvalidArgument = 3,
    /// The time for the call ran out.
    DeadlineExceeded = 4,
    /// What is asked for does not exist.
    NotFound = 5,
    /// What is to be made exists already.
    AlreadyExists = 6,
    /// The caller is known and may not do this.
    PermissionDenied = 7,
    /// A limit or quota is used up.
    ResourceExhausted = 8,
    /// The state of the system must change before this can succeed.
    FailedPrecondition = 9,
    /// A concurrent change won; the caller may start over.
    Aborted = 10,
    /// Beyond the valid range.
    OutOfRange = 11,
    /// There is no such method here.
    Unimplemented = 12,
    /// An invariant is broken.
    Internal = 13,
    /// The service cannot be reached now; trying again may help.
    Unavailable = 14,
    /// Data is lost or damaged.
    DataLoss = 15,
    /// The credentials are missing or not valid.
    Unauthenticated = 16,
}

const ALL: [Code; 17] = [
    Code::Ok,
    Code::Cancelled,
    Code::Unknown,
    Code::InvalidArgument,
    Code::DeadlineExceeded,
    Code::NotFound,
    Code::AlreadyExists,
    Code::PermissionDenied,
    Code::ResourceExhausted,
    Code::FailedPrecondition,
    Code::Aborted,
    Code::OutOfRange,
    Code::Unimplemented,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
    Code::Unauthenticated,
];

impl Code {
    /// The number on the wire.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The code of a number; [`Code::Unknown`] for numbers that gRPC does not define, as its
    /// specification asks of clients.
    pub fn from_number(number: i32) -> Self {
        usize::try_from(number).ok().and_then(|index| ALL.get(index)).copied().unwrap_or(Self::Unknown)
    }

    /// The name in `google.rpc.Code`: `NOT_FOUND`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// The HTTP status that `google/rpc/code.proto` gives for the code.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::Cancelled => 499,
            Self::InvalidArgument | Self::FailedPrecondition | Self::OutOfRange => 400,
            Self::DeadlineExceeded => 504,
            Self::NotFound => 404,
            Self::AlreadyExists | Self::Aborted => 409,
            Self::PermissionDenied => 403,
            Self::ResourceExhausted => 429,
            Self::Unimplemented => 501,
            Self::Unavailable => 503,
            Self::Unauthenticated => 401,
            Self::Unknown | Self::Internal | Self::DataLoss => 500,
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_number() {
        for code in ALL {
            assert_eq!(Code::from_number(code.number()), code);
        }
        assert_eq!(Code::from_number(17), Code::Unknown);
        assert_eq!(Code::from_number(-1), Code::Unknown);
    }
}
