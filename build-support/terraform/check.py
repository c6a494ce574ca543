"""Holds Terraform's files against what their providers know.

    terraform-schemas check.py FOLDER...

Each resource must be one of its provider's, each argument and block one of the resource's, and what the provider demands must be
there; what other places read of a resource must be there to read. The schemas are those that npm has for Terraform's providers in
other languages' terms; values are not judged, as no provider is asked.
"""

import json
import os
import re
import sys
from pathlib import Path

import hcl2

# Every resource has them, whatever its provider.
META_ARGUMENTS = {"count", "for_each", "depends_on", "lifecycle", "provider", "dynamic"}


def in_camel_case(name):
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def unquoted(name):
    return name.strip('"')


class Provider:
    def __init__(self, name):
        schema = json.loads((Path(os.environ["TERRAFORM_SCHEMAS"]) / f"{name}.json").read_text(encoding="utf-8"))
        self.types = schema["types"]
        self.resources = {fqn.rsplit(".", 1)[1].lower(): fqn for fqn, entry in self.types.items() if is_resource(entry)}
        self.checked = 0

    def resource(self, kind):
        """The name of a resource's class."""
        return self.resources.get(kind.split("_", 1)[1].replace("_", "").lower())

    def properties(self, fqn):
        return {entry["name"]: entry for entry in self.types[fqn].get("properties", [])}

    def block(self, reference):
        """The type of a block that a property holds, alone or several times."""
        if "fqn" in reference:
            return reference["fqn"] if reference["fqn"] in self.types else None
        if "collection" in reference:
            return self.block(reference["collection"]["elementtype"])
        found = (self.block(entry) for entry in reference.get("union", {}).get("types", []))
        return next((fqn for fqn in found if fqn), None)

    def wrong(self, fqn, body, path):
        """What of a block's body the provider does not know, or misses."""
        properties = self.properties(fqn)
        entries = [(unquoted(name), value) for name, value in body.items() if name not in META_ARGUMENTS and not name.startswith("__")]
        for dynamic in body.get("dynamic", []):
            entries += [(unquoted(name), block["content"]) for name, block in dynamic.items()]
        for name, value in entries:
            self.checked += 1
            known = properties.get(in_camel_case(name))
            if known is None:
                yield f"{path} has no {name}"
                continue
            block = self.block(known["type"])
            if block and isinstance(value, list):
                for inner in value:
                    if isinstance(inner, dict):
                        yield from self.wrong(block, inner, f"{path}.{name}")
        given = {in_camel_case(name) for name, _ in entries}
        for name, entry in properties.items():
            if not entry.get("optional") and name not in given:
                yield f"{path} needs {name}"


def is_resource(entry):
    return entry["kind"] == "class" and entry.get("base") == "cdktf.TerraformResource"


def check(folder, providers):
    text = {file: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.tf"))}
    declared = set()
    for file, content in text.items():
        for resource in hcl2.loads(content).get("resource", []):
            for kind, named in ((unquoted(kind), named) for kind, named in resource.items()):
                name = kind.split("_", 1)[0]
                if name not in providers:
                    providers[name] = Provider(name)
                provider = providers[name]
                fqn = provider.resource(kind)
                if fqn is None:
                    yield f"{file}: there is no resource {kind}"
                    continue
                declared.add((kind, fqn))
                for own, body in named.items():
                    yield from provider.wrong(f"{fqn}Config", body, f"{file}: {kind}.{unquoted(own)}")
    for kind, fqn in declared:
        provider = providers[kind.split("_", 1)[0]]
        for file, content in text.items():
            for attribute in re.findall(rf"\b{kind}\.\w+\.(\w+)", content):
                provider.checked += 1
                if in_camel_case(attribute) not in provider.properties(fqn):
                    yield f"{file}: {kind} has no {attribute} to read"


def main():
    providers = {}
    wrong = [line for folder in sys.argv[1:] for line in check(Path(folder), providers)]
    for line in wrong:
        print(line, file=sys.stderr)
    assert providers, "no resource was found"
    for name, provider in providers.items():
        assert provider.checked > 0, f"nothing of {name} was checked"
        print(f"terraform: {provider.checked} names held against the provider {name}")
    sys.exit(1 if wrong else 0)


main()
