"""The page of the paths: HTML made from the OpenAPI schema, without scripts, that loads nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The browser loads nothing and runs nothing."""


def page(schema: Mapping[str, Any]) -> str:
    """Return the page as HTML.

    Args:
        schema: OpenAPI schema of the application.
    """
    from jinja2 import Environment, StrictUndefined

    template = Path(__file__).with_name("page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    operations = [
        {
            "method": method.upper(),
            "path": path,
            "description": operation.get("description", operation.get("summary", "")),
            "request": _fields(schema, operation.get("requestBody", {})),
            "response": _fields(schema, operation["responses"].get("200", {})),
            "refusals": {status: r["description"] for status, r in operation["responses"].items() if status != "200"},
        }
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    return environment.from_string(template).render(
        title=schema["info"]["title"], operations=operations, needs_token="security" in schema
    )


def _fields(schema: Mapping[str, Any], part: Mapping[str, Any]) -> list[dict[str, str]]:
    """The keys of a request or response: name, type, description."""
    reference = part.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    shape = schema.get("components", {}).get("schemas", {}).get(reference.rpartition("/")[2], {})
    required = shape.get("required", ())
    return [
        {
            "name": name,
            "type": _type(field),
            "description": field.get("description", ""),
            "default": "required" if name in required else f"default {json.dumps(field.get('default'))}",
        }
        for name, field in shape.get("properties", {}).items()
    ]


def _type(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(map(_type, field["anyOf"])))
    if "enum" in field or "const" in field:
        return " or ".join(json.dumps(value) for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    name = field.get("$ref", "").rpartition("/")[2]
    return name or {"string": "text", "null": "null"}.get(field.get("type", ""), field.get("type", "any"))
