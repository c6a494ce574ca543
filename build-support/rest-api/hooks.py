"""What schemathesis cannot know of weft's document.

Three of its checks are made here anew, each with one exception that no schema can say:

- What the document allows is taken, unless the state of the system is against it, or a token, a mask or a business rule is not
  good. A refusal for a rule that the document could have said is a violation.
- What the document does not allow is refused, unless it is one of the other spellings that protobuf's JSON has for what it does
  allow: `null` for what is not set, numbers as text and text as numbers, values of enums as numbers, names as in the contract.
- What was deleted is not found, unless it was undeleted meanwhile.
"""

import re

import jsonschema_rs
import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi import checks

# Reasons for which what is well formed may be refused: what is named is not there, or is not this caller's.
BY_CONTENT = {"PAGE_TOKEN_INVALID", "FIELD_MASK_INVALID"}
# The names of rules that a document can say: `string.min_len`, `required`. Of sizes in bytes it can say half: JSON Schema counts
# characters.
DOCUMENTED = re.compile(r"^(?!string\..*bytes$)(required|(string|bytes|enum|bool|repeated|map|float|double|[us]?(int|fixed)(32|64))\..+)$")


def details(response, kind):
    body = response.json()
    return [d for d in body.get("details", []) if d.get("@type", "").endswith("google.rpc." + kind)]


def is_refused_by_state(response):
    """Whether a refusal is of what the request means, and not of how it looks."""
    # Limits of rate and of size: of path and query together, say, which may be long where each parameter is not.
    if response.status_code in (413, 414, 429, 431):
        return True
    if response.status_code != 400:
        return False
    if response.json().get("status") in ("FAILED_PRECONDITION", "OUT_OF_RANGE"):
        return True
    reasons = {d.get("reason") for d in details(response, "ErrorInfo")}
    if reasons & BY_CONTENT:
        return True
    violations = [v for d in details(response, "BadRequest") for v in d.get("fieldViolations", [])]
    return "VALIDATION_FAILED" in reasons and bool(violations) and not any(
        DOCUMENTED.match(v.get("reason", "")) for v in violations
    )


@schemathesis.check
def what_the_document_allows_is_taken(ctx, response, case):
    try:
        return checks.positive_data_acceptance(ctx, response, case)
    except Failure:
        if is_refused_by_state(response):
            return None
        raise


class Spellings:
    """A request's JSON in the canonical form of protobuf's JSON, as far as a schema says what it means."""

    def __init__(self, document):
        self.document = document

    def resolved(self, schema):
        while "$ref" in schema:
            target = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            schema = target
        return schema

    def canonical(self, schema, value):
        schema = self.resolved(schema)
        if "anyOf" in schema:
            return self.canonical(schema["anyOf"][0], value) if value != "" else value
        kind = schema.get("type")
        if kind == "object" and isinstance(value, dict):
            return self.object(schema, value)
        if kind == "array" and isinstance(value, list):
            return [self.canonical(schema.get("items", {}), item) for item in value]
        if kind == "integer" and isinstance(value, str) and re.fullmatch(r"-?\d+(\.0+)?([eE][+-]?\d+)?", value):
            return int(float(value))
        if kind == "number" and isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                return value
        if kind == "string" and "pattern" in schema and isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(int(value)) if float(value).is_integer() else value
        if kind == "string" and "enum" in schema and (isinstance(value, int) or isinstance(value, float) and value.is_integer()):
            # Values that are not declared are kept for whoever declares them one day.
            return schema["enum"][0] if not isinstance(value, bool) else value
        return value

    def object(self, schema, value):
        properties = schema.get("properties", {})
        by_name = {re.sub(r"(?<!^)([A-Z])", lambda m: "_" + m.group(1).lower(), name): name for name in properties}
        found = {}
        for name, inner in value.items():
            name = name if name in properties else by_name.get(name, name)
            if inner is None and name in properties:
                continue
            more = schema.get("additionalProperties")
            below = properties.get(name) or (more if isinstance(more, dict) else {})
            found[name] = self.canonical(below, inner)
        return found


def is_another_spelling(case):
    """Whether the body, spelt as the document does, is one that it allows."""
    document = case.operation.schema.raw_schema
    operation = document["paths"][case.operation.path][case.operation.method.lower()]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None or not isinstance(case.body, (dict, list, str, int, float, bool, type(None))):
        return False
    spellings = Spellings(document)
    schema = {**content["schema"], "components": document["components"]}
    return jsonschema_rs.validator_for(schema).is_valid(spellings.canonical(content["schema"], case.body))


@schemathesis.check
def what_the_document_does_not_allow_is_refused(ctx, response, case):
    try:
        return checks.negative_data_rejection(ctx, response, case)
    except Failure:
        if is_another_spelling(case):
            return None
        raise


def was_undeleted(ctx, case):
    """Whether what a request is about was brought back by `..:undelete` at some time."""
    about = set((case.path_parameters or {}).values())
    for other in ctx.internals.find_all_cases():
        answer = ctx.internals.find_response(case_id=other.id)
        succeeded = answer is not None and answer.status_code == 200
        if succeeded and other.path.endswith(":undelete") and about & set((other.path_parameters or {}).values()):
            return True
    return False


@schemathesis.check
def what_was_deleted_is_not_found(ctx, response, case):
    try:
        return checks.use_after_free(ctx, response, case)
    except Failure:
        if was_undeleted(ctx, case):
            return None
        raise
