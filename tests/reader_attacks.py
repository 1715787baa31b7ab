"""The attacks that once broke a reader, by name. tests/test_readers.py makes each of them."""

BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{this}: &{this} [{','.join([f'*{before}'] * 10)}]\n" for before, this in zip("abcdefgh", "bcdefghi", strict=True)
)
NAMED = {  # the attacks that once broke a reader: file, its text with {whole} for the whole file, what is said
    "aliases that grow": ("space.yaml", BOMB + "{whole}", ":5: .*holds more than 50000 values, aliases included"),
    "an alias to itself": ("space.yaml", "x: &x [*x]\n{whole}", r":1: .*\*x stands inside what it repeats"),
    "deep lists in YAML": ("space.yaml", "{whole}x: " + "[" * 5000, ":21: .*nested more than 100 levels deep"),
    "deep mappings in YAML": ("base.yaml", "{whole}x: " + "{{a: " * 5000, ":5: .*nested more than 100 levels deep"),
    "a huge integer in YAML": ("base.yaml", "{whole}x: " + "9" * 5000, ":5: .*a number of 5000 digits, must have 300"),
    "sixties": ("base.yaml", "{whole}x: " + "1:" * 5000 + "1", ":5: .*a number of 10001 digits"),
    "0x_": ("base.yaml", "{whole}x: 0x_", ":5: .*'0x_' is not of the type int"),
    "!!int abc": ("base.yaml", "{whole}x: !!int abc", ":5: .*'abc' is not of the type int"),
    "!!set": ("base.yaml", "{whole}x: !!set {{a, b}}", ":5: not YAML .*could not determine a constructor"),
    "a date that is none": (
        "base.yaml",
        "data: {{date: 2001-99-99}}",
        "data.date='2001-99-99': must be a valid",
    ),
    "half a character in YAML": ("base.yaml", 'data: {{system: "\\ud800"}}', "half of a surrogate pair"),
    "an escape that is none": ("base.yaml", 'data: {{system: "\\UFFFFFFFF"}}', "not YAML"),
    "infinity": ("base.yaml", "train: {{learning_rate: 1e999}}", ":1: .*1e999 is no finite number|inf is no finite"),
    "a key twice in YAML": ("space.yaml", "{whole}trials: 5", ":21: .*the key 'trials' is given twice; keep one"),
    "a range twice": (
        "space.yaml",
        "{whole}  train.learning_rate: {{type: float, low: 1, high: 2}}",
        ":21: .*the key 'train.learning_rate' is given twice; keep one",
    ),
    "a number as a key": ("space.yaml", "overrides: {{1: 2}}", ":1: .*the key '1' is no text; quote it"),
    "yes as a key": ("space.yaml", "yes: 2", ":1: .*the key 'yes' is no text; quote it"),
    "a control character": ("space.yaml", "name: a\x1b", r":1: not YAML \(the character '\\x1b' is not allowed\)"),
    "a number of objectives": (
        "space.yaml",
        "name: a\nbase: base.yaml\ntrials: 1\nparameters: {{train.weight_decay: [0, 1]}}\nobjectives: 5",
        "objectives=5",
    ),
    "a tiny step": (
        "space.yaml",
        "name: a\nbase: base.yaml\ntrials: 1\nparameters:\n"
        "  train.weight_decay: {{type: float, low: 0, high: 1, step: 1e-300}}",
        "step=1e-300",
    ),
    "a long base": ("space.yaml", "base: " + "x" * 5000, "not found"),
    "deep lists in JSON": ("challenges.json", "[" * 100_000, "nested more than 100 levels deep"),
    "lists 150 deep": ("challenges.json", "[" * 150 + "]" * 150, "nested more than 100 levels deep"),
    "a huge integer in JSON": ("challenges.json", '{{"a": ' + "9" * 5000 + "}}", "a number of 5000 digits"),
    "a huge float": ("challenges.json", '{{"a": 1e999}}', "1e999 is no finite number"),
    "NaN": ("run/scorecard.json", '{{"a": NaN}}', "NaN is no finite number"),
    "half a character in JSON": ("evalsets/small_v1.jsonl", '{{"id": "\\ud800"}}', ":1: .*half of a surrogate pair"),
    "a key twice in JSON": ("evalsets/small_v1.jsonl", '{{"id": "a", "id": "b"}}', ":1: .*the key 'id' is given twice"),
    "a lock with a key twice": (
        "submission_runs/before/lock.json",
        '{{"name": "a", "name": "b"}}',
        "'name' is given twice",
    ),
    "NUL in a name": ("base.yaml", 'eval: {{evalset: "a\\0b"}}', None),
    "an index that names no file": (
        "model/model.safetensors.index.json",
        '{{"weight_map": {{"a": [1]}}}}',
        r"holds \[1\]",
    ),
    "an index that leaves its folder": (
        "model/model.safetensors.index.json",
        '{{"weight_map": {{"a": "../../b"}}}}',
        "weight_map holds '../../b', must hold names of files beside it",
    ),
    "an index with a long name": (
        "model/model.safetensors.index.json",
        '{{"weight_map": {{"a": "' + "x" * 5000 + '"}}}}',
        "x is missing in",
    ),
    "turns that are no lists": ("chat.jsonl", '{{"messages": {{"role": 1}}}}', "must be a list of objects"),
    "a tab in a cell": ("a.tsv", 'question\tanswer\n"a"b\tc\n', r"not CSV \('\\t' expected"),
    "--set with a date": ("set.txt", "data.date=2001-99-99", None),
    "--set with a bomb": ("set.txt", "data.system={{a: &a [*a]}}", r"--set .*\*a stands inside what it repeats"),
}
