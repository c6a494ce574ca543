//! Routes for people.

use std::time::Duration;

use comfy_table::{Table, presets};
use weft_call::{Access, Limit, MethodContract};
use weft_mesh::{Domain, Schedule};

use super::{Form, json};

/// Stands where nothing applies, so that columns can be cut at blanks.
const NOTHING: &str = "-";

pub(super) fn render(domains: &[Domain], form: Form) -> String {
    let methods = domains.iter().flat_map(|domain| domain.contract().services).flat_map(|service| service.methods);
    let mut table = table(form, &["METHOD", "REST", "ACCESS", "SCOPE", "DEADLINE", "IDEMPOTENCY", "LIMIT", "AUDIT"]);
    for method in methods {
        table.add_row(row(method, form));
    }
    let mut text = table.trim_fmt();
    if domains.iter().any(|domain| !domain.jobs().is_empty()) {
        text = format!("{text}\n\n{}", jobs(domains, form).trim_fmt());
    }
    text
}

/// A table without rows, drawn as the form asks.
pub(crate) fn table(form: Form, head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(if form == Form::Drawn { presets::UTF8_FULL_CONDENSED } else { presets::NOTHING });
    table.set_header(head);
    if form != Form::Drawn {
        table.column_iter_mut().for_each(|column| _ = column.set_padding((0, 2)));
    }
    table
}

fn row(method: &MethodContract, form: Form) -> [String; 8] {
    let between = if form == Form::Drawn { "\n" } else { ", " };
    let service = method.service.rsplit('.').next().unwrap_or(method.service);
    [
        format!("{}/{service}.{}", method.domain, method.name),
        joined(method.http.iter().map(|route| format!("{} {}", route.method.as_str(), route.template)), between),
        access(&method.access),
        if method.system.is_some() { "system" } else { "tenant" }.to_owned(),
        method.deadline.map_or_else(|| NOTHING.to_owned(), duration),
        json::idempotency(method.idempotency).to_owned(),
        joined(method.limits.iter().map(limit), between),
        json::audit(method.audit).to_owned(),
    ]
}

fn jobs(domains: &[Domain], form: Form) -> Table {
    let mut table = table(form, &["JOB", "WHEN (UTC)", "SCOPE"]);
    for (domain, (job, schedule)) in domains.iter().flat_map(|domain| domain.jobs().iter().map(|job| (domain.name(), job))) {
        table.add_row([format!("{domain}/{job}"), when(schedule), "system".to_owned()]);
    }
    table
}

fn when(schedule: &Schedule) -> String {
    let pattern = schedule.pattern().map(str::to_owned);
    let every = schedule.period().map(|period| format!("every {}", duration(period)));
    pattern.or(every).unwrap_or_else(|| NOTHING.to_owned())
}

/// What must hold: `catalog.products.read`, `public`, `authenticated and callers edge`.
fn access(access: &Access) -> String {
    let conditions = [
        access.public.then(|| "public".to_owned()),
        access.authenticated.then(|| "authenticated".to_owned()),
        access.permission.map(str::to_owned),
        (!access.callers.is_empty()).then(|| format!("callers {}", access.callers.join("+"))),
    ];
    joined(conditions.into_iter().flatten(), if access.any_of { " or " } else { " and " })
}

fn limit(limit: &Limit) -> String {
    let per = json::limit_scope(limit.per).to_lowercase();
    format!("{}/s per {per}, burst {}", limit.rate, limit.burst)
}

fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds, duration.subsec_millis()) {
        (_, 1..) => format!("{}ms", duration.as_millis()),
        (1.., 0) if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        (1.., 0) if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    let text = parts.collect::<Vec<_>>().join(between);
    if text.is_empty() { NOTHING.to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_its_largest_whole_unit() {
        for (milliseconds, told) in [(1500, "1500ms"), (2000, "2s"), (90_000, "90s"), (120_000, "2m"), (7_200_000, "2h")] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), told);
        }
    }

    #[test]
    fn access_says_whether_all_or_one_must_hold() {
        let both = Access {
            public: false,
            authenticated: false,
            permission: Some("orders.read"),
            roles: &[],
            callers: &["edge", "carts"],
            any_of: false,
        };
        assert_eq!(access(&both), "orders.read and callers edge+carts");
        assert_eq!(access(&Access { any_of: true, ..both }), "orders.read or callers edge+carts");
        assert_eq!(access(&Access { permission: None, callers: &[], ..both }), "-");
    }
}
