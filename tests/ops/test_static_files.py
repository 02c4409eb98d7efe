import os
from pathlib import Path

import pytest

from apps.ops.static_files import collect_static_files


@pytest.fixture
def sources(settings, tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "a.css").write_text("a {}")
    settings.STATICFILES_DIRS = [folder]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "collected"
    return folder


def test_files_are_collected_once(sources: Path, settings):
    assert collect_static_files() is True
    assert (settings.STATIC_ROOT / "a.css").read_text() == "a {}"
    assert collect_static_files() is False


def test_a_changed_or_new_or_removed_file_is_collected(sources: Path, settings):
    collect_static_files()
    (sources / "a.css").write_text("b {}")  # of the same size
    os.utime(sources / "a.css", (1, 1))
    assert collect_static_files() is True
    assert (settings.STATIC_ROOT / "a.css").read_text() == "b {}"
    (sources / "a.css").rename(sources / "c.css")
    assert collect_static_files() is True
    assert sorted(path.name for path in settings.STATIC_ROOT.iterdir()) == [".sources", "c.css"]


def test_what_was_cut_short_is_done_again(sources: Path, settings):
    collect_static_files()
    (settings.STATIC_ROOT / ".sources").unlink()
    assert collect_static_files() is True
