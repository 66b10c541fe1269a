"""The OpenAPI description flattened for a page: what each operation takes and answers."""

import json
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]

PLACES = {"path": "in the address", "query": "after ?", "form": "in the form", "body": "in the JSON sent"}


@dataclass(frozen=True)
class Field:
    """Something that an operation takes, or that stands in its answer."""

    name: str
    where: str
    kind: str
    note: str
    required: bool


@dataclass(frozen=True)
class Operation:
    """One method at one address."""

    method: str
    path: str
    summary: str
    description: str
    takes: list[Field]
    answers: list[tuple[str, str, str]]  # status, what it means, media types
    fields: list[Field]  # of the answer, where it is JSON
    example: str  # of the answer; empty where it is not JSON
    curl: str

    @property
    def anchor(self) -> str:
        return f"{self.method.lower()}{self.path}".replace("/", "-").replace("{", "").replace("}", "")


def operations(described: Node, replaced: dict[str, str]) -> dict[str, list[Operation]]:
    """Return the operations of an OpenAPI description by their tag; texts of `replaced` are replaced in examples."""
    groups: dict[str, list[Operation]] = {}
    for path, of_path in described["paths"].items():
        for method, node in of_path.items():
            operation = _operation(described, method, path, node, replaced)
            groups.setdefault(node["tags"][0], []).append(operation)
    return groups


def _operation(described: Node, method: str, path: str, node: Node, replaced: dict[str, str]) -> Operation:
    takes = [
        _field(described, item["name"], PLACES[item["in"]], item["schema"], item) for item in node.get("parameters", [])
    ]
    for media_type, content in node.get("requestBody", {}).get("content", {}).items():
        place = PLACES["body" if media_type == "application/json" else "form"]
        sent = _resolved(described, content["schema"])
        takes += [_field(described, name, place, item, item) for name, item in sent["properties"].items()]
    answer = node["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
    curl = node["x-codeSamples"][0]["source"]
    for old, new in replaced.items():
        curl = curl.replace(old, new)
    return Operation(
        method.upper(),
        path,
        node["summary"],
        node.get("description", ""),
        takes,
        [(code, item["description"], ", ".join(item.get("content", {}))) for code, item in node["responses"].items()],
        _fields(described, answer, ""),
        json.dumps(_example(described, answer), indent=2, ensure_ascii=False) if answer else "",
        curl,
    )


def _fields(described: Node, schema: Node, prefix: str) -> list[Field]:
    """Return the fields of an answer, those of objects inside it with dotted names."""
    schema = _resolved(described, schema)
    if "items" in schema:
        return _fields(described, schema["items"], f"{prefix.removesuffix('.')}[]." if prefix else "[].")
    found = []
    for name, item in schema.get("properties", {}).items():
        inner = _resolved(described, item)
        found.append(_field(described, f"{prefix}{name}", "", item, item))
        found += _fields(described, inner, f"{prefix}{name}.") if "properties" in inner or "items" in inner else []
    return found


def _field(described: Node, name: str, where: str, schema: Node, beside: Node) -> Field:
    bounds = {"minimum": "at least", "maximum": "at most", "maxItems": "at most so many:"}
    choices = [_resolved(described, choice) for choice in schema.get("anyOf", [schema])]
    if where:  # what may be null is left away
        choices = [choice for choice in choices if choice.get("type") != "null"]
    notes = [beside.get("description", "")]
    notes += [f"{words} {choice[key]:g}" for choice in choices for key, words in bounds.items() if key in choice]
    if schema.get("default") not in (None, "", []):
        notes.append(f"default {json.dumps(schema['default'])}")
    kind = " or ".join(_kind(described, choice, "{}, repeated" if where else "list of {}") for choice in choices)
    return Field(name, where, kind, "; ".join(note for note in notes if note), bool(beside.get("required")))


def _kind(described: Node, schema: Node, several: str) -> str:
    schema = _resolved(described, schema)
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if "items" in schema:
        return several.format(_kind(described, schema["items"], several))
    if "contentMediaType" in schema or schema.get("format") == "binary":
        return "file"
    kind = str(schema.get("type", "object"))
    return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, kind)


def _example(described: Node, schema: Node) -> Any:
    """Return an example of what `schema` describes, made of the examples of its parts."""
    schema = _resolved(described, schema)
    if "example" in schema:
        return schema["example"]
    if schema.get("examples"):
        return schema["examples"][0]
    if "items" in schema:
        return [_example(described, schema["items"])]
    if "anyOf" in schema:
        return _example(described, schema["anyOf"][0])
    return {name: _example(described, item) for name, item in schema.get("properties", {}).items()} or None


def _resolved(described: Node, schema: Node) -> Node:
    """Return the schema that a reference stands for."""
    while "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema
