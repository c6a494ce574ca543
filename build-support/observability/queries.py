"""Asks Prometheus for every expression of every dashboard: `queries.py PROMETHEUS FOLDER`. Fails if one is wrong or empty.

An expression is empty if it names no series. One about a method that nobody calls has series and no value (NaN): it is counted.
"""

import json
import pathlib
import sys
import urllib.parse
import urllib.request

prometheus, folder = sys.argv[1], pathlib.Path(sys.argv[2])
# What Grafana puts in, for scrapes a second apart.
VARIABLES = {"$__rate_interval": "15s", "$__range": "1m"}


def series(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    url = f"{prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        sys.exit(f"queries: {expression}: {error.read().decode()}")


asked, silent, empty = 0, 0, []
for path in sorted(folder.glob("*.json")):
    for panel in json.loads(path.read_text())["panels"]:
        for target in panel["targets"]:
            asked += 1
            found = series(target["expr"])
            if not found:
                empty.append(f'{path.stem}, "{panel["title"]}": {target["expr"]}')
            elif all(one["value"][1] == "NaN" for one in found):
                silent += 1
for one in empty:
    print(f"queries: empty: {one}", file=sys.stderr)
print(f"queries: {asked} expressions, {len(empty)} empty, {silent} about methods that nobody called")
sys.exit(1 if empty or silent > asked / 2 else 0)
