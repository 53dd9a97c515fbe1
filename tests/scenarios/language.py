# SPDX-License-Identifier: Apache-2.0
"""Reads a scenario file into steps. README.md in this folder tells the language."""

import json
import re
from dataclasses import dataclass, field


class Failure(Exception):
    """What a scenario expected and did not get, or a line that makes no sense."""


class Text(str):
    """A word that stood in quotes: never a keyword, and bytes may hide in it (latin-1)."""


class Comma:
    def __repr__(self):
        return ","


COMMA = Comma()
BLOCKS = {"client", "repeat", "parallel", "eventually", "connection"}
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", '"': '"', "\\": "\\"}


@dataclass
class Step:
    line: int
    source: str
    block: list = field(default_factory=list)

    def words(self, names):
        return tokenize(substitute(self.source, names))


@dataclass
class Scenario:
    path: str
    title: str
    steps: list

    def walk(self, steps=None):
        for step in self.steps if steps is None else steps:
            yield step
            yield from self.walk(step.block)


def substitute(source, names):
    """${name} becomes its value, ${a*9000} so many; an unknown name is left to the gateway."""
    source = re.sub(r"\$\{(.)\*(\d+)\}", lambda found: found[1] * int(found[2]), source)
    return re.sub(r"\$\{([\w.-]+)\}", lambda found: str(names.get(found[1], found[0])), source)


def read_text(source, at):
    out = []
    at += 1
    while at < len(source):
        letter = source[at]
        if letter == '"':
            return Text("".join(out)), at + 1
        if letter == "\\":
            escape = source[at + 1 : at + 2]
            if escape == "x":
                out.append(chr(int(source[at + 2 : at + 4], 16)))
                at += 4
                continue
            if escape not in ESCAPES:
                raise Failure(f"unknown escape \\{escape}")
            out.append(ESCAPES[escape])
            at += 2
            continue
        out.append(letter)
        at += 1
    raise Failure('a quoted text has no closing "')


def tokenize(source):
    """Words, "texts" (Text), {json} or [json] values, and COMMA."""
    words, at = [], 0
    while at < len(source):
        letter = source[at]
        if letter.isspace():
            at += 1
        elif letter == '"':
            word, at = read_text(source, at)
            words.append(word)
        elif letter in "{[":
            try:
                word, at = json.JSONDecoder().raw_decode(source, at)
            except ValueError as error:
                raise Failure(f"not JSON: {error}") from None
            words.append(word)
        else:
            end = re.compile(r"\s|,(?=\s)|,$|$").search(source, at).start()
            if source[at:end]:
                words.append(source[at:end])
            if source[end : end + 1] == ",":
                words.append(COMMA)
                end += 1
            at = max(end, at + 1)
        if source[at : at + 1] == "," and words and not isinstance(words[-1], Comma):
            words.append(COMMA)
            at += 1
    return words


def open_brackets(source):
    bare = re.sub(r'"(\\.|[^"\\])*"', "", source)
    return sum(bare.count(c) for c in "{[") - sum(bare.count(c) for c in "}]")


def logical_lines(text):
    """(number, indentation, text); a line goes on while a bracket is open, after a comma or backslash."""
    pending, first, indent = "", 0, 0
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not pending:
            if not stripped or stripped.startswith("#"):
                continue
            first, indent = number, len(line) - len(line.lstrip())
        pending = (pending + " " + stripped) if pending else stripped
        if pending.endswith("\\"):
            pending = pending[:-1].rstrip()
            continue
        if open_brackets(pending) > 0 or pending.endswith(","):
            continue
        yield first, indent, pending
        pending = ""
    if pending:
        yield first, indent, pending


def parse(path, text):
    title = re.match(r"#\s*(.+)", text)
    if not title:
        raise Failure(f"{path}:1: a scenario opens with a comment that says the behaviour")
    top = []
    stack = [(-1, top)]
    for number, indent, source in logical_lines(text):
        while indent <= stack[-1][0]:
            stack.pop()
        step = Step(number, source)
        stack[-1][1].append(step)
        if source.split()[0] in BLOCKS:
            stack.append((indent, step.block))
        elif indent and len(stack) == 1:
            raise Failure(f"{path}:{number}: indented, but the line above opens no block")
    if not top:
        raise Failure(f"{path}:1: a scenario without steps")
    return Scenario(str(path), title[1].strip(), top)


def raw(text):
    return text.encode("latin-1")


def split_expect(words):
    """The words before `expect`, and the clauses after it."""
    for index, word in enumerate(words):
        if word == "expect" and not isinstance(word, Text):
            clauses, clause = [], []
            for part in words[index + 1 :]:
                if isinstance(part, Comma):
                    clauses.append(clause)
                    clause = []
                else:
                    clause.append(part)
            return words[:index], [clause for clause in clauses + [clause] if clause]
    return words, []
