# SPDX-License-Identifier: Apache-2.0
"""The clauses after `expect`: compares a response, or a request an upstream saw, with what is written."""

import json

from language import Failure, Text


def compare(what, got, verb, wanted):
    """`got` is a text or None."""
    if verb == "absent":
        good = got is None
    elif verb == "present":
        good = got is not None
    elif verb == "is":
        good = got == wanted
    elif verb == "has":
        good = got is not None and wanted in got
    elif verb == "lacks":
        good = got is None or wanted not in got
    elif verb == "starts":
        good = got is not None and got.startswith(wanted)
    else:
        raise Failure(f"unknown comparison {verb}; there are is, has, lacks, starts, present, absent")
    if not good:
        tail = "" if verb in ("absent", "present") else f" {wanted!r}"
        raise Failure(f"expected {what} {verb}{tail}, got {got!r}")


def walk(value, path):
    """The value at a.b.0.c, or None."""
    for part in path.split("."):
        if isinstance(value, list):
            value = value[int(part)] if part.isdigit() and int(part) < len(value) else None
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value


def check_json(clause, got):
    try:
        document = json.loads(got.body)
    except ValueError:
        raise Failure(f"expected JSON, got body {got.body[:500]!r}") from None
    path, verb = clause[1], clause[2]
    value = walk(document, path)
    wanted = clause[3] if len(clause) > 3 else None
    if isinstance(wanted, str) and not isinstance(wanted, Text):
        wanted = json.loads(wanted)
    if verb == "is" and not isinstance(wanted, Text):
        if value != wanted or isinstance(value, bool) != isinstance(wanted, bool):
            raise Failure(f"expected json {path} is {wanted!r}, got {value!r}; body {got.body[:500]!r}")
        return
    if value is not None and not isinstance(value, str):
        value = json.dumps(value)
    compare("json " + path, value, verb, wanted)


def check_clause(clause, got):
    head = clause[0]
    if head == "word":
        compare(clause[2], clause[1], clause[3], clause[4])
    elif head == "closed" or head == "open":
        if got.closed != (head == "closed"):
            raise Failure(f"expected the connection {head}, it is {'closed' if got.closed else 'open'}")
    elif head == "incomplete":
        if got.complete:
            raise Failure("expected the body to be cut off, it is complete")
    elif head == "responses":
        if got.count != int(clause[1]):
            raise Failure(f"expected {clause[1]} responses, got {got.count}")
    elif head == "interim":
        if int(clause[1]) not in got.interim:
            raise Failure(f"expected the interim response {clause[1]}, got {got.interim}")
    elif head == "length":
        if len(got.body) != int(clause[1]):
            raise Failure(f"expected a body of {clause[1]} bytes, got {len(got.body)}")
    elif head in ("header", "trailer"):
        values = got.all(clause[1]) if head == "header" else [v for k, v in got.trailers if k == clause[1]]
        value = ", ".join(values) if values else None
        compare(f"{head} {clause[1]}", value, clause[2], clause[3] if len(clause) > 3 else None)
    elif head == "body":
        compare("body", got.body.decode("latin-1"), clause[1], clause[2] if len(clause) > 2 else None)
    elif head == "json":
        check_json(clause, got)
    elif str(head).isdigit():
        if got.status != int(head):
            raise Failure(f"expected status {head}, got {got.brief()}")
    else:
        raise Failure(f"unknown expectation {head}")


def check(clauses, got, what):
    for clause in clauses:
        try:
            check_clause(clause, got)
        except Failure as failure:
            raise Failure(f"{what}: {failure}") from None
    statuses = [
        clause for clause in clauses if str(clause[0]).isdigit() or clause[0] in ("incomplete", "closed")
    ]
    if statuses and hasattr(got, "complete") and not got.complete:
        if not any(clause[0] == "incomplete" for clause in clauses):
            raise Failure(f"{what}: the response was cut off after {len(got.body)} bytes of body")
