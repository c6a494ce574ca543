"""Writes Grafana's dashboards from what the binary says of itself: `weft routes --json | python3 dashboards.py FOLDER`.

One dashboard for the mesh, the edge, databases, events and upkeep (certificates, configuration, registry) each, and one a domain with a
panel a method, whose threshold is the deadline that its contract states.
"""

import json
import pathlib
import sys

WIDTH, HEIGHT = 12, 8
FAILURES = 'code=~"UNKNOWN|INTERNAL|UNAVAILABLE|DATA_LOSS|DEADLINE_EXCEEDED"'


def panel(title, unit, *targets, description="", threshold=None):
    """A graph of expressions, each with its legend."""
    defaults = {"unit": unit, "min": 0}
    if threshold is not None:
        defaults["thresholds"] = {"mode": "absolute", "steps": [{"color": "green", "value": None}, {"color": "red", "value": threshold}]}
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    return {
        "type": "timeseries",
        "title": title,
        "description": description,
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": expression, "legendFormat": legend}
            for number, (expression, legend) in enumerate(targets)
        ],
    }


def dashboard(name, title, panels):
    for number, one in enumerate(panels):
        one["id"] = number + 1
        one["gridPos"] = {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT}
    return {
        "uid": f"weft-{name}",
        "title": f"weft: {title}",
        "tags": ["weft"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }


def rate(metric, selector, by):
    return f"sum by ({by}) (rate({metric}{{{selector}}}[$__rate_interval]))"


def quantile(share, selector, by, metric="weft_call_duration_seconds"):
    buckets = rate(f"{metric}_bucket", selector, f"le, {by}")
    return f"histogram_quantile({share}, {buckets})"


def failed_share(selector, by):
    """The share of calls that failed by our fault; 0 where none did."""
    calls = rate("weft_calls_total", selector, by)
    failures = rate("weft_calls_total", f"{selector}, {FAILURES}", by)
    return f"({failures} or 0 * {calls}) / {calls}"


def none_is_zero(expression):
    return f"({expression}) or vector(0)"


def mesh():
    served, called = 'side="server"', 'side="client"'
    return [
        panel("Calls served", "reqps", (rate("weft_calls_total", served, "domain"), "{{domain}}")),
        panel("Failed by our fault", "percentunit", (failed_share(served, "domain"), "{{domain}}")),
        panel("Time to serve, p99", "s", (quantile(0.99, served, "domain"), "{{domain}}")),
        panel("Time to serve, p50", "s", (quantile(0.5, served, "domain"), "{{domain}}")),
        panel(
            "Time as callers see it, p99",
            "s",
            (quantile(0.99, called, "domain"), "to {{domain}}"),
            description="With queues, the network and repeats.",
        ),
        panel("Endpoints, by what breakers say", "short", ("sum by (caller, domain, state) (weft_endpoints)", "{{caller}} to {{domain}}: {{state}}")),
        panel(
            "Sent again",
            "reqps",
            (none_is_zero(rate("weft_retries_total", "", "domain, why")), "{{domain}}: {{why}}"),
            (none_is_zero(rate("weft_retries_refused_total", "", "domain, why")), "not, {{domain}}: {{why}}"),
        ),
        panel("Repeats left in the budget", "short", ("min by (caller, domain) (weft_retry_budget)", "{{caller}} to {{domain}}")),
        panel(
            "Worked on at once",
            "short",
            ("sum by (domain) (weft_concurrency_in_flight)", "{{domain}}"),
            ("sum by (domain) (weft_concurrency_limit)", "{{domain}}, at most"),
            ("sum by (domain) (weft_concurrency_queued)", "{{domain}}, waiting"),
        ),
        panel("Turned away for overload", "reqps", (none_is_zero(rate("weft_calls_shed_total", "", "side, domain")), "{{domain}} as {{side}}")),
        panel("Callers that may not call", "reqps", (none_is_zero(rate("weft_callers_refused_total", "", "domain, method, rule")), "{{domain}}/{{method}}: {{rule}}")),
        panel("Ejections of endpoints", "short", (none_is_zero("sum by (domain, endpoint) (increase(weft_endpoint_ejections_total[$__range]))"), "{{domain}} at {{endpoint}}")),
    ]


def edge():
    here = 'side="edge"'
    return [
        panel("Requests", "reqps", (rate("weft_calls_total", here, "domain"), "{{domain}}")),
        panel("Failed by our fault", "percentunit", (failed_share(here, "domain"), "{{domain}}")),
        panel("Answers", "reqps", (rate("weft_calls_total", here, "code"), "{{code}}")),
        panel("Slowest methods, p99", "s", (f"topk(10, {quantile(0.99, here, 'domain, method')})", "{{domain}}/{{method}}")),
        panel("Connections of clients", "short", ("sum (weft_edge_connections)", "open")),
        panel("Connections that the edge ended", "short", (none_is_zero(rate("weft_edge_connections_ended_total", "", "reason")), "{{reason}}")),
    ]


def events():
    return [
        panel("Published and not carried yet", "short", ("sum by (domain) (weft_events_backlog)", "{{domain}}")),
        panel("Age of the oldest of them", "s", ("max by (domain) (weft_events_backlog_age_seconds)", "{{domain}}")),
        panel("Keys that are parked", "short", (none_is_zero("sum by (domain) (weft_events_parked)"), "{{domain}}"), description="`weft events parked` lists them."),
        panel("Events that wait to be handled", "short", (none_is_zero("sum by (domain) (weft_events_deferred)"), "{{domain}}")),
    ]


def databases():
    took = "weft_transaction_duration_seconds"
    return [
        panel("Transactions", "reqps", (rate(f"{took}_count", "", "domain, work"), "{{domain}}: {{work}}")),
        panel(
            "Time to write, p99",
            "s",
            (quantile(0.99, 'work="write"', "domain", took), "{{domain}}"),
            description="With the wait for a connection and all repeats.",
        ),
        panel("Time to read, p99", "s", (quantile(0.99, 'work="read"', "domain", took), "{{domain}}")),
        panel("Run again", "reqps", (none_is_zero(rate("weft_transactions_repeated_total", "", "domain, why")), "{{domain}}: {{why}}")),
        panel(
            "Connections",
            "short",
            ("sum by (instance, state) (weft_database_connections)", "{{instance}}: {{state}}"),
            ("sum by (instance) (weft_database_connections_limit)", "{{instance}}, at most"),
        ),
    ]


def upkeep():
    return [
        panel("Certificates end in", "s", ("min by (workload) (weft_certificate_expiry_seconds)", "{{workload}}")),
        panel("Certificates cannot be renewed", "short", ("max by (instance) (weft_certificates_stale)", "{{instance}}")),
        panel("The registry does not answer", "short", ("max by (instance) (weft_discovery_stale)", "{{instance}}")),
        panel("Intentions do not come", "short", ("max by (instance) (weft_intentions_stale)", "{{instance}}")),
        panel("Generation of the configuration", "short", ("max by (instance) (weft_config_generation)", "{{instance}}")),
        panel("Configurations that were refused", "short", ("sum by (instance) (increase(weft_config_reload_failures_total[$__range]))", "{{instance}}")),
    ]


def domain(name, methods):
    served = f'side="server", domain="{name}"'
    panels = [
        panel("Calls served", "reqps", (rate("weft_calls_total", served, "method"), "{{method}}")),
        panel("Answers", "reqps", (rate("weft_calls_total", served, "code"), "{{code}}")),
    ]
    for method in methods:
        one = f'{served}, method="{method["method"]}"'
        deadline = method["deadlineMs"] / 1000 if method["deadlineMs"] else None
        routes = ", ".join(f'{route["method"]} {route["template"]}' for route in method["http"])
        panels.append(
            panel(
                method["method"],
                "s",
                (quantile(0.5, one, "method"), "p50"),
                (quantile(0.99, one, "method"), "p99"),
                description=routes,
                threshold=deadline,
            )
        )
    return panels


def main():
    folder = pathlib.Path(sys.argv[1])
    told = json.load(sys.stdin)
    dashboards = {
        "mesh": dashboard("mesh", "mesh", mesh()),
        "edge": dashboard("edge", "edge", edge()),
        "databases": dashboard("databases", "databases", databases()),
        "events": dashboard("events", "events", events()),
        "upkeep": dashboard("upkeep", "certificates and configuration", upkeep()),
    }
    for one in told["domains"]:
        methods = [method for method in told["methods"] if method["domain"] == one["name"]]
        dashboards[f"domain-{one['name']}"] = dashboard(f"domain-{one['name']}", one["name"], domain(one["name"], methods))
    for old in folder.glob("*.json"):
        old.unlink()
    for name, content in dashboards.items():
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


main()
