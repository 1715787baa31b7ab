"""Damages files as disks, editors and strangers do: bytes, tokens, and the structure of their values.

Everything follows from a seed, so that a failure names the one mutation that shows it.
"""

import gzip
import json
import random
import re
from collections.abc import Callable
from typing import Any

from podium.core.json_text import parse_json
from podium.core.yaml_text import parse_yaml, to_yaml

TOKEN = re.compile(rb"[-+\w.]+|\"[^\"\n]*\"|[^\w\s]|\n *")
# Text in the place of a token, or between two. `{}`, `[` and quotes also break the structure.
HOSTILE = [
    *(b"1e999", b"-1e-300", b"NaN", b"-Infinity", b".inf", b"9" * 5000, b"0x_", b"0x" + b"f" * 5000, b"1:1:1"),
    *(b"2001-99-99", b"!!int abc", b"!!float []", b"!!timestamp x", b"!!python/object:os.system {}", b"!!binary ="),
    *(b"null", b"true", b"~", b"[]", b"{}", b'""', b"-0", b"0.1", b"1e5", b"18446744073709551616", b"'", b'"', b"\\"),
    *(b'"\\ud800"', b'"\\u0000"', b'"\\u001b]0;title\\u0007"', b'"\\UFFFFFFFF"', b"\x00", b"\x1b[2J", b"\xe2\x80\xae"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b"\t", b"\x85", b"\xe2\x80\xa8"),
    *(b"[" * 2000, b'{"a":' * 2000, b"- " * 2000, b"? " * 500, b"x" * 5000, b'"' + b"y" * 100_000 + b'"'),
    b"&a [*a]",
    b"[&a [1,1,1,1,1,1,1,1,1,1], "
    + b", ".join(b"&%c [%s]" % (98 + i, b",".join([b"*%c" % (97 + i)] * 10)) for i in range(9))
    + b"]",
    *(b"*a", b"<<: *a", b"---\n", b"...\n", b"%YAML 9.9\n", b"#", b": ", b"?", b"|", b">", b"../../etc/passwd", b"/"),
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**63, 10**299, 1e300, -1e-300, 0.5, "", " ", "x", "1", "auto", "null", "\u202e"),
    *("a/../../b", "/", "~", ".", "\x1b[31m", "x" * 5000, "\ufeff", "0" * 400, "é" * 300, "{{", "%s", "=1/0", "=x"),
    *([], {}, [[]], [None], [1, "a"], {"a": 1}, {"": {}}, {"1": 2}, ["x"] * 300, {"messages": 3}, [{"role": "user"}]),
]


class Mutator:
    """Mutates the content of files whose name says their kind."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def mutated(self, name: str, data: bytes) -> bytes:
        if name.endswith(".gz"):
            inner = self.mutated(name.removesuffix(".gz"), gzip.decompress(data))
            return self._bytes(gzip.compress(inner, 1)) if self._random.random() < 0.2 else gzip.compress(inner, 1)
        kinds: list[Callable[[bytes], bytes]] = [self._bytes]
        if not name.endswith((".parquet", ".arrow")):
            kinds += [self._tokens, self._tokens]
            kinds += [lambda data: self._structure(name, data)] * 3
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            data = self._random.choice(kinds)(data)
        return data

    def _bytes(self, data: bytes) -> bytes:
        start = self._random.randrange(len(data) + 1)
        end = min(len(data), start + self._random.choice((1, 1, 4, 64, 10_000)))
        middle = self._random.choice(
            (
                b"",
                data[start:end] * 2,
                self._random.randbytes(end - start),
                bytes(byte ^ 1 << self._random.randrange(8) for byte in data[start:end][:1]) + data[start + 1 : end],
                self._random.choice(HOSTILE),
            )
        )
        return data[:start] + middle + data[end:]

    def _tokens(self, data: bytes) -> bytes:
        tokens = list(TOKEN.finditer(data))
        if not tokens:
            return self._bytes(data)
        token = self._random.choice(tokens)
        other = self._random.choice((self._random.choice(HOSTILE), self._random.choice(tokens)[0]))
        return data[: token.start()] + other + data[self._random.choice((token.start(), token.end(), token.end())) :]

    def _structure(self, name: str, data: bytes) -> bytes:
        """Change one value of a document, or of one line of JSONL. A document that is broken already is left."""
        try:
            if name.endswith((".yaml", ".yml")):
                return to_yaml(self._changed(parse_yaml(data.decode()))).encode(errors="replace")
            if name.endswith(".json"):
                return json.dumps(self._changed(parse_json(data.decode()))).encode()
            lines = data.split(b"\n")
            place = self._random.randrange(len(lines))
            lines[place] = json.dumps(self._changed(parse_json(lines[place].decode()))).encode()
            return b"\n".join(lines)
        except ValueError:
            return self._tokens(data)

    def _changed(self, value: Any) -> Any:
        """`value` with one part of it changed."""
        if isinstance(value, dict | list) and value and self._random.random() < 0.85:
            key = self._random.choice(list(value) if isinstance(value, dict) else range(len(value)))
            return self._with(value, key)
        new = self._random.choice(VALUES)
        return self._random.choice((new, new, [value], {"a": value}, str(value), [value] * 50))

    def _with(self, value: Any, key: Any) -> Any:
        made = value.copy()
        act = self._random.random()
        if act < 0.15:
            del made[key]
        elif act < 0.25 and isinstance(made, dict):
            made[self._random.choice(("", "x", "a.b", "\x1b[1m", "k" * 5000, str(key).upper(), f"{key}x"))] = made.pop(
                key
            )
        elif act < 0.3 and isinstance(made, list):
            made.append(made[key])
        else:
            made[key] = self._changed(made[key])
        return made
