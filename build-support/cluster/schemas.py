"""Writes a JSON schema of every kind that an API server knows, for kubeconform.

    kubectl get --raw /openapi/v2 | schemas.py FOLDER

kubeconform looks for schemas on the network, which a test must not need; the API server tells what it takes itself, also of what
was defined to it. A field that it does not name is no field: that is what strict means.
"""

import json
import sys
from pathlib import Path

REFERENCE = "#/definitions/"
# A quantity may be written as a number (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def strict(schema):
    """A schema of which every object has the fields that it names, and no others."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    known = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    for key in ("properties", "definitions"):
        if key in known:
            known[key] = {name: strict(inner) for name, inner in known[key].items()}
    for key in ("items", "additionalProperties", "not"):
        if key in known:
            known[key] = strict(known[key])
    for key in ("allOf", "anyOf", "oneOf"):
        if key in known:
            known[key] = [strict(inner) for inner in known[key]]
    if "properties" in known and not schema.get("x-kubernetes-preserve-unknown-fields"):
        known.setdefault("additionalProperties", False)
    return known


def references(schema):
    if isinstance(schema, dict):
        # A schema of schemas has a property of that name.
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(REFERENCE)
        for inner in schema.values():
            yield from references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from references(inner)


def with_what_it_needs(name, definitions):
    needed, open_names = {}, [name]
    while open_names:
        current = open_names.pop()
        if current not in needed:
            needed[current] = definitions[current]
            open_names.extend(references(definitions[current]))
    return {"$ref": REFERENCE + name, "definitions": needed}


def file_name(kind):
    """As kubeconform makes it of {{.ResourceKind}}{{.KindSuffix}}."""
    group = kind["group"].split(".")[0]
    return "-".join(part for part in (kind["kind"].lower(), group, kind["version"]) if part) + ".json"


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    told = json.load(sys.stdin)["definitions"]
    definitions = {name: strict(schema) for name, schema in told.items()}
    definitions[QUANTITY] = {"type": ["string", "number"]}
    for name, schema in told.items():
        # What stands for several kinds at once, such as the options of a deletion, is no manifest's.
        kinds = schema.get("x-kubernetes-group-version-kind", [])
        if len(kinds) == 1:
            (folder / file_name(kinds[0])).write_text(json.dumps(with_what_it_needs(name, definitions)), encoding="utf-8")


main()
