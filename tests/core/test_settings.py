"""Where a setting comes from, and what is refused."""

import re

import pytest

from podium.core import settings
from podium.core.errors import UsageError
from podium.core.paths import shipped, workspace
from podium.core.settings import Found

# What runs without Podium's packages, and the variables by which one process of Podium tells another something.
READ_ELSEWHERE = {
    "podium/submission/kaggle/bootstrap.py",
    "podium/submission/kaggle/notebook.py",
    "podium/submission/rehearsal/child.py",
}


@pytest.fixture
def user_file(home, monkeypatch):
    for setting in settings.SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    file = home / "xdg/podium/config.toml"
    file.parent.mkdir(parents=True)
    return file


@pytest.mark.parametrize("setting", settings.SETTINGS, ids=lambda setting: setting.name)
def test_environment_then_project_then_user_then_default(setting, home, user_file, monkeypatch):
    values = {
        "backend": ("auto", "ray", "inline"),
        "workers": ("1", "2", "auto"),
        "compile_cache": ("on", "off", "on"),
        "plots": ("on", "off", "on"),
    }
    by_user, by_project, by_variable = values.get(setting.name, ("/user", "/project", "/variable"))
    assert settings.find(setting.name) == Found(None, "default")
    user_file.write_text(f'{setting.name} = "{by_user}"')
    assert settings.find(setting.name) == Found(by_user, str(user_file))
    (home / "podium.toml").write_text(f'{setting.name} = "{by_project}"')
    assert settings.find(setting.name) == Found(by_project, str(home / "podium.toml"))
    monkeypatch.setenv(setting.variable, by_variable)
    assert settings.find(setting.name) == Found(by_variable, setting.variable)
    monkeypatch.setenv(setting.variable, "")
    assert settings.find(setting.name).value == by_project


@pytest.mark.usefixtures("user_file")
def test_a_workspace_in_a_file_is_relative_to_that_file(home, tmp_path_factory, monkeypatch):
    (home / "podium.toml").write_text('workspace = "runs"\nworkers = 2')
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert workspace() == home / "runs"
    assert settings.get("workers") == "2"


@pytest.mark.usefixtures("user_file")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("workerz = 2", "unknown key 'workerz'; did you mean workers?"),
        ('hf_token = "hf_secretsecret"', "unknown key 'hf_token'; known: workspace, tracking_uri,"),
        ("workers = 0", "workers=0, must be auto or a whole number >= 1; change it or leave it out"),
        ("workers = true", "workers=True, must be auto or a whole number >= 1"),
        ('backend = "rays"', "backend='rays', must be auto, ray or inline"),
        ("tracking_uri = 5", "tracking_uri=5, must be a URI"),
        ('workspace = " "', "workspace=' ', must be a folder"),
        ("[sweep]\nworkers = 2", "unknown key 'sweep'"),
        ("workers = [", "not TOML \\(.*\\); correct it, or remove the file"),
        ("workers = 1\nworkers = 2", "not TOML"),
        (b"\xff\xfe", "not TOML"),
    ],
)
def test_a_bad_file_is_one_line_with_file_and_key(text, line, home):
    (home / "podium.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=f"^{re.escape(str(home / 'podium.toml'))}: {line}") as raised:
        workspace()
    assert "secretsecret" not in str(raised.value)


@pytest.mark.usefixtures("user_file")
def test_a_file_that_cannot_be_read_is_one_line(home):
    (home / "podium.toml").mkdir()
    with pytest.raises(UsageError, match=r"podium\.toml: cannot be read: Is a directory"):
        settings.get("workers")


@pytest.mark.usefixtures("user_file")
def test_a_bad_variable_is_one_line(monkeypatch):
    monkeypatch.setenv("PODIUM_WORKERS", "many")
    with pytest.raises(UsageError, match=r"^PODIUM_WORKERS='many', must be auto or a whole number >= 1; change it or"):
        settings.get("workers")


@pytest.mark.usefixtures("user_file")
def test_a_changed_file_is_read_again(home):
    (home / "podium.toml").write_text("workers = 2")
    assert settings.get("workers") == "2"
    (home / "podium.toml").write_text("workers = 12")
    assert settings.get("workers") == "12"


def test_no_other_module_reads_a_variable_of_podium():
    reads = re.compile(r"environ(?:\.get\(|\[)\"(?:PODIUM_|MLFLOW_TRACKING_URI)[^\"]*\"[\]),](?! =)")
    folders = ("podium", "tuning", "trainer", "eval")
    files = [path for folder in folders for path in (shipped() / folder).rglob("*.py")]
    found = {path.relative_to(shipped()).as_posix() for path in files if reads.search(path.read_text())}
    assert found == READ_ELSEWHERE
