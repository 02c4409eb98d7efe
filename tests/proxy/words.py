"""A vocabulary in which every word is a token, and something that reads it: the package, or what stands in for it."""

import importlib.util
import json
import sys
from pathlib import Path

STAND_INS = Path(__file__).parent / "stand_ins"
WORDS = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "WhitespaceSplit"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"},
}
is_installed = importlib.util.find_spec("tokenizers") is not None


def put_vocabulary(folder: Path, *names: str) -> Path:
    """One for each of these names of models."""
    for name in names:
        (folder / f"{name}.json").write_text(json.dumps(WORDS))
    return folder


def python_path() -> str:
    """Where a process finds the package."""
    return "" if is_installed else str(STAND_INS)


def let_import(monkeypatch) -> None:
    """Have this process find it."""
    if not is_installed:
        monkeypatch.syspath_prepend(str(STAND_INS))
        monkeypatch.delitem(sys.modules, "tokenizers", raising=False)
