#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/ from the schemas that a running gateway tells; `--check` only says what differs.

One page for each plugin and each resource, so that the reference cannot say anything the code does not do.
The examples on the pages are tried by reference_test.py.
"""

import json
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests/scenarios"))
from gateway import Gateway

OUT = TOP / "docs/reference"
RESOURCES = ["route", "service", "upstream", "consumer", "credential", "consumer_group", "global_rule"]
RESOURCES += ["plugin_config", "ssl", "proto", "stream_route", "secret"]
BOUNDS = [("minimum", "at least {}"), ("exclusiveMinimum", "more than {}"), ("maximum", "at most {}")]
BOUNDS += [("minLength", "at least {} characters"), ("maxLength", "at most {} characters")]
BOUNDS += [("minItems", "at least {} items"), ("maxItems", "at most {} items"), ("pattern", "matches `{}`")]


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def kind(schema):
    told = schema.get("type", "")
    told = " or ".join(told) if isinstance(told, list) else told
    if "anyOf" in schema or "oneOf" in schema:
        told = " or ".join(dict.fromkeys(kind(one) for one in schema.get("anyOf", schema.get("oneOf"))))
    if told == "array" and isinstance(schema.get("items"), dict):
        told = f"array of {kind(schema['items'])}"
    return told or "any"


def limits(schema):
    told = [form.format(schema[key]) for key, form in BOUNDS if key in schema]
    if "enum" in schema:
        told.append("one of " + ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"]))
    return "; ".join(told)


def rows(schema, prefix=""):
    for name, field in schema.get("properties", {}).items():
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        need = "required" if name in schema.get("required", []) else default
        words = [prefix + name, kind(field), need, limits(field), field.get("description", "")]
        yield "| " + " | ".join(
            f"`{words[0]}`" if at == 0 else cell(word) for at, word in enumerate(words)
        ) + " |"
        yield from rows(field, f"{prefix}{name}.")
        if isinstance(field.get("items"), dict):
            yield from rows(field["items"], f"{prefix}{name}[].")


def table(schema):
    lines = ["| field | type | default | limits | what it is |", "| --- | --- | --- | --- | --- |"]
    return "\n".join(lines + list(rows(schema))) + "\n"


def page(title, schema, more=(), told=None):
    text = f"# {title}\n\n"
    if told:
        text += told["summary"] + "\n\n```json\n"
        text += json.dumps({title: told["example"]}, indent=2, ensure_ascii=False) + "\n```\n\n"
    text += schema["description"] + "\n\n" if schema.get("description") else ""
    text += table(schema) if "properties" in schema else ""
    for heading, other in more:
        text += f"\n## {heading}\n\n" + table(other)
    return text + "\nThis page is written by `make docs` from the schema that the gateway itself tells.\n"


def ask(gateway, path):
    answer = gateway.admin("GET", "/apisix/admin/" + path)
    if answer.status != 200:
        raise SystemExit(f"reference: GET {path}: {answer.brief()}")
    return answer.json()


def pages(gateway):
    plugins = ask(gateway, "plugins?all=true&subsystem=stream") | ask(gateway, "plugins?all=true")
    names = ask(gateway, "plugins/list")
    of_streams = ask(gateway, "plugins/list?subsystem=stream")
    for name in dict.fromkeys(names + of_streams):
        told = plugins[name]
        more = [("On a consumer", told.get("consumer_schema")), ("Metadata", told.get("metadata_schema"))]
        yield f"plugins/{name}.md", page(name, told["schema"], [one for one in more if one[1]], told)
    for name in RESOURCES:
        schema = ask(gateway, f"schema/{name}")
        kinds = [(one["title"], one) for one in schema.get("anyOf", ()) if "title" in one]
        yield f"resources/{name}.md", page(name, schema, kinds)
    listed = [f"- [{name}](plugins/{name}.md)" for name in names]
    listed += ["", "## Plugins of stream routes", ""]
    listed += [f"- [{name}](plugins/{name}.md)" for name in of_streams]
    listed += ["", "## Resources", ""] + [f"- [{name}](resources/{name}.md)" for name in RESOURCES]
    yield "README.md", "# Reference\n\n## Plugins, in the order they run\n\n" + "\n".join(listed) + "\n"


def main():
    gateway, differs = Gateway(TOP / "build/release/sluice"), []
    gateway.start()
    try:
        for name, text in pages(gateway):
            path = OUT / name
            if path.exists() and path.read_text() == text:
                continue
            differs.append(name)
            if "--check" not in sys.argv:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    finally:
        gateway.stop()
        gateway.close()
    verb = "differ" if "--check" in sys.argv else "written"
    print(f"reference: {len(differs)} pages {verb}" + (": " + ", ".join(differs) if differs else ""))
    return 1 if differs and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
