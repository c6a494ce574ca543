//! One line for each finished call.

use std::time::Duration;

use weft_call::Code;

/// A finished call.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The id that the caller was told.
    pub request_id: &'a str,
    /// The trace, in hexadecimal.
    pub trace_id: &'a str,
    /// The domain that was called.
    pub domain: &'a str,
    /// The method that was called.
    pub method: &'a str,
    /// Whose authority the call had, if anyone's.
    pub principal: Option<&'a str>,
    /// The workload or address at the other end, if known.
    pub peer: Option<&'a str>,
    /// From the arrival of the request to the end of the reply.
    pub duration: Duration,
    /// How it ended.
    pub code: Code,
    /// The contract's reason for an error.
    pub reason: Option<&'a str>,
}

/// Whether [`log_call`] would write a line for a call that ended so.
pub fn is_call_logged(code: Code) -> bool {
    match code {
        Code::Internal | Code::Unknown | Code::DataLoss => tracing::enabled!(target: "weft::access", tracing::Level::WARN),
        _ => tracing::enabled!(target: "weft::access", tracing::Level::INFO),
    }
}

/// Logs a finished call under the target `weft::access`: at level info, or warn when the code says
/// that we are to blame (`INTERNAL`, `UNKNOWN`, `DATA_LOSS`).
pub fn log_call(record: &Record<'_>) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "weft::access",
                request_id = record.request_id,
                trace_id = record.trace_id,
                domain = record.domain,
                method = record.method,
                principal = record.principal,
                peer = record.peer,
                duration_ms = record.duration.as_secs_f64() * 1000.0,
                code = record.code.name(),
                reason = record.reason,
                "call finished"
            )
        };
    }
    match record.code {
        Code::Internal | Code::Unknown | Code::DataLoss => line!(warn),
        _ => line!(info),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_lines::tests::logged;

    const RECORD: Record<'static> = Record {
        request_id: "r-1",
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
        domain: "orders",
        method: "CreateOrder",
        principal: Some("user:7"),
        peer: None,
        duration: Duration::from_micros(1500),
        code: Code::Ok,
        reason: None,
    };

    #[test]
    fn a_finished_call_is_one_line() {
        let lines = logged(|| log_call(&RECORD));
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["target"], "weft::access");
        assert_eq!(line["request_id"], RECORD.request_id);
        assert_eq!(line["trace_id"], RECORD.trace_id);
        assert_eq!(line["principal"], "user:7");
        assert_eq!(line["duration_ms"], 1.5);
        assert_eq!(line["code"], "OK");
        assert!(line.get("peer").is_none() && line.get("reason").is_none());
    }

    #[test]
    fn an_error_that_is_ours_is_a_warning() {
        for (code, level) in [
            (Code::Internal, "WARN"),
            (Code::Unknown, "WARN"),
            (Code::DataLoss, "WARN"),
            (Code::NotFound, "INFO"),
            (Code::Unavailable, "INFO"),
        ] {
            let lines = logged(|| log_call(&Record { code, reason: Some("SOLD_OUT"), ..RECORD }));
            assert_eq!(lines[0]["level"], level, "{}", code.name());
            assert_eq!(lines[0]["code"], code.name());
            assert_eq!(lines[0]["reason"], "SOLD_OUT");
        }
    }
}
