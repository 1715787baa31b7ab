import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from podium.core.errors import UsageError
from tuning.tracking import check_tracking_uri, tracking_uri
from tuning.tracking import uri as uris


def test_where_the_store_is(home, monkeypatch):
    assert tracking_uri() == f"sqlite:///{home}/workspace/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    assert tracking_uri() == "https://mlflow.example"
    assert tracking_uri("sqlite:///other.db") == "sqlite:///other.db"
    with pytest.raises(UsageError, match=r"tracking URI '\./mlruns': must begin with one of sqlite, postgresql"):
        tracking_uri("./mlruns")


@pytest.fixture
def answers():
    """`answers(code)`: the address of a server that answers everything with that code."""
    servers = []

    def start(code: int) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(code)
                self.end_headers()

            def log_message(self, *_):
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("code", "line"), [(403, "refused: HTTP 403; set MLFLOW_TRACKING_USERNAME"), (404, "not an MLflow server")]
)
def test_a_server_that_refuses_us_is_one_line(answers, code, line):
    with pytest.raises(UsageError, match=line):
        check_tracking_uri(answers(code))


def test_a_server_that_may_come_back_is_waited_for(answers, free_port):
    check_tracking_uri(answers(503))
    check_tracking_uri(answers(200))
    check_tracking_uri(f"http://127.0.0.1:{free_port}")


def test_a_file_that_is_no_store_is_one_line(tmp_path):
    (tmp_path / "notes.txt").write_text("these are notes, and no database")
    with pytest.raises(UsageError, match=r"notes\.txt' refused: the file is not an SQLite database"):
        check_tracking_uri(f"sqlite:///{tmp_path}/notes.txt")
    check_tracking_uri(f"sqlite:///{tmp_path}/new/mlflow.db")
    with pytest.raises(UsageError, match="cannot be written"):
        check_tracking_uri(f"sqlite:///{tmp_path}/notes.txt/mlflow.db")


def test_a_workspace_that_cannot_be_written_is_named_and_no_uri(home, monkeypatch):
    monkeypatch.setattr(uris.os, "access", lambda *_: False)
    with pytest.raises(UsageError, match=f"^cannot write to the workspace: {home}.*; set PODIUM_WORKSPACE to another"):
        check_tracking_uri(tracking_uri())
    with pytest.raises(UsageError, match=f"^tracking URI .* refused: {home} cannot be written; name another"):
        check_tracking_uri(f"sqlite:///{home}/mlflow.db")


def test_a_refused_uri_leaves_nothing_behind(run_sweep, home, answers):
    with pytest.raises(UsageError, match="tracking URI"):
        run_sweep(tracking_uri=answers(403))
    assert not (home / "workspace" / "studies").exists()


def test_passwords_are_not_shown():
    with pytest.raises(UsageError, match=r"^tracking URI 'mongodb://ann:\*\*\*@db/x': must begin with one of"):
        tracking_uri("mongodb://ann:secret@db/x")
