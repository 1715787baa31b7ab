import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from podium.core.config import RunConfig, load_config
from podium.core.yaml_text import parse_yaml, to_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1e-5", 1e-5), ("-1E5", -1e5), ("+1e+3", 1000.0), ("3.e-4", 3e-4), (".5e2", 50.0), ("5.", 5.0)),
        *(("12", 12), ("0x1f", 31), ("1_000.5", 1000.5)),
        *(("'1e-5'", "1e-5"), ('"1e5"', "1e5"), ("1e", "1e"), ("e5", "e5"), ("1e5a", "1e5a"), ("1e5 a", "1e5 a")),
        *((".", "."), ("-", [None]), ("08", "08")),
    ],
)
def test_floats_are_those_of_yaml_1_2(text, value):
    found = parse_yaml(text)
    assert (type(found), found) == (type(value), value)


@given(st.lists(st.text("+-.eE0159x_: '", max_size=8), max_size=5))
def test_a_text_that_looks_like_a_number_is_read_back_as_a_text(value):
    assert parse_yaml(to_yaml(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_read_back_as_it_was(value):
    assert parse_yaml(to_yaml(value)) == value
    assert parse_yaml(yaml.safe_dump(value)) == value  # files that earlier versions wrote


def test_a_stop_string_that_looks_like_a_number_survives_the_file(tmp_path):
    config = RunConfig().with_overrides({"generate.stop": ["1e5", "1.5", "yes"]})
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    assert load_config(tmp_path / "config.yaml") == config
