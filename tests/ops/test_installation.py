"""What `manage.py up` keeps for itself and for the other commands."""

import base64
import stat
from pathlib import Path

import pytest

from apps.ops.installation import AlreadyRuns, data_folder, open_installation, read_values, write_private

GIVEN = ("SECRET_KEY", "TOLLGATE_VAULT_KEYS")


@pytest.fixture
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GIVEN:
        monkeypatch.delenv(name)


def test_secrets_are_made_once_and_kept(tmp_path: Path, nothing_given: None):
    with open_installation(tmp_path, "") as installation:
        first = installation.secrets()
        installation.keep(first)
        assert installation.secrets() == first
    assert set(first) == set(GIVEN)
    name, _, key = first["TOLLGATE_VAULT_KEYS"].partition(":")
    assert name == "first"
    assert len(base64.b64decode(key)) == 32
    with open_installation(tmp_path / "another", "") as another:
        assert not set(another.secrets().values()) & set(first.values())


def test_secrets_of_the_environment_are_not_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TOLLGATE_VAULT_KEYS")
    monkeypatch.setenv("SECRET_KEY", "given")
    with open_installation(tmp_path, "") as installation:
        assert set(installation.secrets()) == {"TOLLGATE_VAULT_KEYS"}


def test_what_is_kept_is_for_its_owner_only(tmp_path: Path):
    with open_installation(tmp_path, "") as installation:
        installation.keep({"ONE": "1", "URL": "postgres://u@/d?host=/run"})
    assert read_values(tmp_path / "env") == {"ONE": "1", "URL": "postgres://u@/d?host=/run"}
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["env", "lock"]  # and no half-written file


def test_a_write_replaces_the_whole_file(tmp_path: Path):
    write_private(tmp_path / "card", "a long text")
    write_private(tmp_path / "card", "short")
    assert (tmp_path / "card").read_text() == "short"


def test_the_second_is_told_who_runs(tmp_path: Path):
    with (
        open_installation(tmp_path, "process 7, port 8000"),
        pytest.raises(AlreadyRuns, match=r"already runs in .* \(process 7, port 8000\)"),
        open_installation(tmp_path, "process 8, port 8001"),
    ):
        pass
    with open_installation(tmp_path, "process 9, port 8001"):  # free again after the first
        pass


def test_the_folder_is_the_environments_or_beside_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TOLLGATE_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.setenv("TOLLGATE_DATA", "")
    assert data_folder() == Path(__file__).resolve().parents[2] / ".tollgate"
