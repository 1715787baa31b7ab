import csv
import gzip
import json
from datetime import date
from decimal import Decimal

import pyarrow
import pytest
from pyarrow import parquet

from podium.core.errors import UsageError
from podium.core.tables import read_tables

ROWS = [{"prompt": "a,\n“b”", "response": "  x = 1\n\n  y\u2028"}, {"prompt": "c", "response": "d"}]


def write_csv(path, delimiter):
    with path.open("w", newline="", encoding="utf-8-sig") as file:  # as a spreadsheet saves it
        writer = csv.DictWriter(file, ROWS[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)


def write_arrow(path, new):
    table = pyarrow.Table.from_pylist(ROWS)
    with pyarrow.OSFile(str(path), "wb") as file, new(file, table.schema) as writer:
        writer.write_table(table, 1)


WRITERS = {
    "a.jsonl": lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in ROWS)),
    "bom.jsonl": lambda path: path.write_text("".join(json.dumps(row) + "\r\n" for row in ROWS), encoding="utf-8-sig"),
    "unescaped.jsonl": lambda path: path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8"
    ),
    "array.json": lambda path: path.write_text("\n" + json.dumps(ROWS, indent=1), encoding="utf-8-sig"),
    "lines.json": lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in ROWS)),
    "a.jsonl.gz": lambda path: path.write_bytes(gzip.compress("\n".join(map(json.dumps, ROWS)).encode())),
    "array.json.gz": lambda path: path.write_bytes(gzip.compress(json.dumps(ROWS).encode())),
    "a.csv": lambda path: write_csv(path, ","),
    "semicolon.csv": lambda path: write_csv(path, ";"),
    "a.tsv": lambda path: write_csv(path, "\t"),
    "a.parquet": lambda path: parquet.write_table(pyarrow.Table.from_pylist(ROWS), path, row_group_size=1),
    "stream.arrow": lambda path: write_arrow(path, pyarrow.ipc.new_stream),
    "file.arrow": lambda path: write_arrow(path, pyarrow.ipc.new_file),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_container_gives_the_same_rows_to_the_byte(tmp_path, name):
    WRITERS[name](tmp_path / name)
    rows = list(read_tables([tmp_path / name]))
    assert [row.values for row in rows] == ROWS
    assert [row.number for row in rows] == [1, 2]
    assert rows[1].where.startswith(f"{tmp_path / name}:")


def test_lines_are_counted_over_blank_lines_and_files(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text('{"x": 1}\n\n{"x": 2}\n')
    rows = list(read_tables([tmp_path / "a.jsonl", tmp_path / "b.jsonl"]))
    assert [row.number for row in rows] == [1, 3, 4, 6]
    assert rows[3].where == f"{tmp_path / 'b.jsonl'}:3"


def test_a_row_of_csv_is_named_by_the_line_where_it_ends(tmp_path):
    (tmp_path / "a.csv").write_text('p,r\n"a\nb",c\n\nd\n')
    rows = read_tables([tmp_path / "a.csv"])
    assert next(rows).where == f"{tmp_path / 'a.csv'}:3"
    with pytest.raises(UsageError, match=r"a\.csv:5: has 1 cells, and the heading has 2"):
        next(rows)


def test_columns_become_what_json_has(tmp_path):
    day = {"day": date(2024, 5, 1), "price": Decimal("1.50"), "empty": None, "nan": float("nan"), "turn": [{"w": None}]}
    parquet.write_table(pyarrow.Table.from_pylist([day]), tmp_path / "a.parquet")
    (row,) = read_tables([tmp_path / "a.parquet"])
    assert row.values == {"day": "2024-05-01", "price": "1.50", "nan": None, "turn": [{}]}


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n{bad\n', r":2: not JSON .*; each line must be one JSON object; mend it, or remove it$"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', r":2: is not UTF-8 text; save the file as UTF-8"),
        ("a.jsonl", b'{"a": "\\ud83d"}\n', r":1: not readable as JSON \(a text holds half of a surrogate pair"),
        ("a.jsonl", b'{"a": ' + b"1" * 5000 + b"}", r":1: not readable as JSON"),
        ("a.jsonl", b"3\n", r":1: holds int, must be an object"),
        ("a.json", b'[{"a": 1}, 3]', r": row 2: holds int, must be an object"),
        ("a.json", b'[{"a": 1},\n{"a" 2}]', r":2: not JSON"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99, mtime=0)[:-20], r"cannot read .*a.jsonl.gz"),
        (
            "a.json",
            b'{\n "version": 1,\n "data": [{"a": 1}]\n}',
            r"a\.json: is one JSON object, must be an array of objects or one object a line; "
            r"save the list in its key 'data' as a file$",
        ),
        ("a.json", b'{\n "a": 1\n}', r"a\.json: is one JSON object, must be an array .* one object a line$"),
        ("a.csv", b"a, b,b\n1,2,3\n", r"a\.csv:1: has 2 columns 'b'; give each its own name"),
        (
            "a.xlsx",
            b"PK\x03\x04\x14\0",
            r"a\.xlsx: is not a text file; Podium reads \.jsonl, .* save it as one of them",
        ),
        ("a.csv", b"PK\x03\x04\x14\0", r"a\.csv: is not a text file; Podium reads"),
        ("a.csv", "a,b".encode("utf-16"), r"a\.csv:1: is not UTF-8 text; save the file as UTF-8"),
        ("a.csv", b"", r":1: is blank; the first line of a CSV file must name the columns"),
        ("a.csv", b'a,b\n"c,d\n', r":2: not CSV"),
        ("a.parquet", b"PAR1", r": cannot be read as Parquet"),
        ("a.arrow", b"ARROW1", r": cannot be read as Arrow"),
        ("none.jsonl", None, r"none.jsonl does not exist; check the path"),
        ("none.parquet", None, r"none.parquet.*No such file"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(tmp_path, name, data, message):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=message) as raised:
        list(read_tables([tmp_path / name]))
    assert "\n" not in str(raised.value)


def test_bytes_are_refused(tmp_path):
    parquet.write_table(pyarrow.Table.from_pylist([{"image": b"\x89PNG"}]), tmp_path / "a.parquet")
    with pytest.raises(UsageError, match=r"row 1: a column holds bytes, such as an image"):
        list(read_tables([tmp_path / "a.parquet"]))
