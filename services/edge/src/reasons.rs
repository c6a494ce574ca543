//! The pages about reasons: `/docs/errors/PACKAGE/REASON`, which an error names in its `google.rpc.Help`.
//!
//! What a reason means is the comment of its contract; what a caller does about it follows from its code. A list of all of
//! them is at `/docs/errors`.

use std::{collections::BTreeMap, fmt::Write as _};

use weft_call::{Code, Contract, Declares as _, ReasonContract, help_path};
use weft_contracts_mesh::MeshContract;

/// Where they stand.
const FOLDER: &str = "/docs/errors";
/// They load nothing.
pub(crate) const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Page {
    /// All reasons.
    List,
    /// One reason, and the package whose it is.
    Reason(&'static str, &'static ReasonContract),
}

/// The page at a path, of these contracts and the mesh's own.
pub(crate) fn at(contracts: &[&'static Contract], path: &str) -> Option<Page> {
    let rest = path.strip_prefix(FOLDER)?;
    if rest.is_empty() || rest == "/" {
        return Some(Page::List);
    }
    let (package, name) = rest.strip_prefix('/')?.split_once('/')?;
    let contract = all(contracts).find(|contract| contract.package == package)?;
    let reason = contract.reasons.iter().find(|reason| reason.name == name)?;
    Some(Page::Reason(contract.package, reason))
}

fn all(contracts: &[&'static Contract]) -> impl Iterator<Item = &'static Contract> {
    [MeshContract::CONTRACT].into_iter().chain(contracts.iter().copied())
}

impl Page {
    /// The page as HTML.
    pub(crate) fn html(self, contracts: &[&'static Contract]) -> String {
        match self {
            Self::List => list(contracts),
            Self::Reason(package, reason) => of_reason(package, reason),
        }
    }
}

fn of_reason(package: &str, reason: &ReasonContract) -> String {
    let ReasonContract { name, code, description } = reason;
    let body = format!(
        "<h1>{name}</h1>\n<p><code>{package}</code>, code <code>{code}</code>, HTTP status {status}</p>\n\
         <h2>What it means</h2>\n<p>{about}</p>\n<h2>What to do</h2>\n<p>{advice}</p>\n\
         <p>The answer's header <code>X-Request-Id</code> leads to the lines about it in the log.</p>\n\
         <p><a href=\"{FOLDER}\">All reasons</a></p>\n",
        status = code.http_status(),
        about = escaped(description),
        advice = advice(*code),
    );
    document(name, &body)
}

fn list(contracts: &[&'static Contract]) -> String {
    let mut body = String::from("<h1>Why calls fail</h1>\n");
    let by_package: BTreeMap<_, _> = all(contracts).map(|contract| (contract.package, contract.reasons)).collect();
    for (package, reasons) in by_package.into_iter().filter(|(_, reasons)| !reasons.is_empty()) {
        // Writing to a String does not fail.
        let _ = writeln!(body, "<h2>{package}</h2>\n<dl>");
        for ReasonContract { name, description, .. } in reasons {
            let (path, about) = (help_path(package, name), escaped(description));
            let _ = writeln!(body, "<dt><a href=\"{path}\">{name}</a></dt><dd>{about}</dd>");
        }
        body.push_str("</dl>\n");
    }
    document("Why calls fail", &body)
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         </head>\n<body>\n{body}</body>\n</html>\n"
    )
}

/// What a caller does about a failure of this code (AIP-193, AIP-194).
fn advice(code: Code) -> &'static str {
    match code {
        Code::Ok => "Nothing.",
        Code::Cancelled => "Whoever called went away before the answer. Call again if the answer is still wanted.",
        Code::InvalidArgument | Code::OutOfRange => {
            "Correct the request; sent again as it is, it fails again. Fields that break a rule are named in \
             <code>BadRequest</code>."
        }
        Code::DeadlineExceeded => {
            "The work may or may not have been done. Send it again with the same idempotency key, and give it more time."
        }
        Code::NotFound => "Look at the id, and at the tenant of whoever calls: what is another tenant's is not found.",
        Code::AlreadyExists => "Read what is there; do not send the same again under this name or key.",
        Code::PermissionDenied => "Call as somebody who may. Sent again by the same caller, it fails again.",
        Code::Unauthenticated => "Log in, or refresh the access token, and send it again.",
        Code::ResourceExhausted => {
            "Wait for as long as <code>RetryInfo</code> and the header <code>Retry-After</code> say, then send it again."
        }
        Code::FailedPrecondition => "Change the state that it speaks of first; sent again before, it fails again.",
        Code::Aborted => {
            "Somebody else changed it meanwhile, and nothing was written. Read it again, and try with what is there now."
        }
        Code::Unimplemented => "Look at what is served: <a href=\"/docs\">the reference</a>, or server reflection.",
        Code::Unavailable => {
            "Send it again after a moment, with the same idempotency key where it changes something; wait longer each time."
        }
        Code::Unknown | Code::Internal | Code::DataLoss => {
            "It is nothing that the caller did. Tell whoever runs the service, with the request's id."
        }
    }
}

/// Text of a comment, whose `code` is marked as such.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    let mut is_code = false;
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '`' => {
                html.push_str(if is_code { "</code>" } else { "<code>" });
                is_code = !is_code;
            }
            character => html.push(character),
        }
    }
    if is_code {
        html.push_str("</code>");
    }
    html
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use weft_call::{MeshReason, Reason as _};

    use super::*;

    #[test]
    fn every_reason_of_the_mesh_has_a_page_where_its_errors_point() {
        for reason in MeshReason::ALL {
            let page = at(&[], &help_path(MeshReason::DOMAIN, reason.name())).unwrap_or_else(|| panic!("{reason:?}"));
            let html = page.html(&[]);
            assert!(html.contains(&format!("<h1>{}</h1>", reason.name())) && html.contains("What to do"), "{html}");
            assert!(Page::List.html(&[]).contains(reason.name()));
        }
    }

    #[test]
    fn what_is_no_reason_has_no_page() {
        for path in
            ["/docs/error", "/docs/errors/weft.mesh.v1", "/docs/errors/weft.mesh.v1/NO", "/docs/errorsx", "/docs/errors/a/b/c"]
        {
            assert!(at(&[], path).is_none(), "{path}");
        }
    }

    #[test]
    fn comments_are_text() {
        assert_eq!(escaped("a <b> & `c`, `d"), "a &lt;b&gt; &amp; <code>c</code>, <code>d</code>");
    }
}
