"""Counting tokens that no answer tells, by the vocabulary of the model, where the operator has put one.

A vocabulary is a `tokenizer.json`, the one file that models are published with: it says all that there is to know. In
the folder it has the name of the models that it is of: `llama-3.json` is for all whose names begin so. It is read by
the package `tokenizers`, which is optional; nothing is ever downloaded. Knows no Django.
"""

import asyncio
import importlib
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

SUFFIX = ".json"
PIECE = 4096  # characters that are counted at once: a token or so is lost where a text is cut
BATCH = 64  # pieces between which others have their turn
MOST_TEXT = 4 * 1024 * 1024  # characters; what is longer is estimated by its bytes
MOST_WAITING = 100  # calls
PATIENCE_S = 2.0  # nobody's answer ends later than that for it


class Vocabularies:
    """Those of a folder. Each is read when it is needed first, and counts in a thread."""

    def __init__(self, folder: Path, library: Any) -> None:
        self._library = library
        self._paths = {path.name.removesuffix(SUFFIX).lower(): path for path in sorted(folder.glob("*" + SUFFIX))}
        self._names = sorted(self._paths, key=len, reverse=True)
        self._known: dict[str, str | None] = {}  # by model
        self._read: dict[str, Any] = {}  # by name; None: it cannot be read
        self._waiting = 0
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="vocabularies")

    def __repr__(self) -> str:
        return f"<Vocabularies {', '.join(self._paths)}>"

    def __len__(self) -> int:
        return len(self._paths)

    def name_for(self, model: str) -> str | None:
        """The vocabulary of a model: the longest that its name begins with, after the last "/"; None: there is none."""
        if model not in self._known:
            if len(self._known) > 1000:  # clients name models
                self._known.clear()
            plain = model.rpartition("/")[2].lower()
            self._known[model] = next((name for name in self._names if plain.startswith(name)), None)
        return self._known[model]

    async def count(self, name: str, texts: Sequence[str]) -> int | None:
        """How many tokens these are; None where that can't be told in good time."""
        if self._waiting >= MOST_WAITING or sum(map(len, texts)) > MOST_TEXT:
            return None
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.get_running_loop().run_in_executor(self._executor, self._count, name, texts)
        except TimeoutError:
            return None
        finally:
            self._waiting -= 1

    def _count(self, name: str, texts: Sequence[str]) -> int | None:
        if name not in self._read:
            self._read[name] = self._load(name)
        vocabulary = self._read[name]
        if vocabulary is None:
            return None
        pieces = [text[at : at + PIECE] for text in texts for at in range(0, len(text), PIECE)]
        return sum(
            len(found)
            for at in range(0, len(pieces), BATCH)
            for found in vocabulary.encode_batch(pieces[at : at + BATCH], add_special_tokens=False)
        )

    def _load(self, name: str) -> Any:
        try:
            vocabulary = self._library.Tokenizer.from_file(str(self._paths[name]))
            vocabulary.no_truncation()
            vocabulary.no_padding()
        except Exception as error:
            logger.error("the vocabulary %s cannot be read: %s", self._paths[name], error)
            return None
        return vocabulary

    def close(self) -> None:
        """Wait for nobody."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def open_vocabularies(folder: str) -> Vocabularies | None:
    """Those of the folder; None where there are none, or where they cannot be read."""
    if not folder:
        return None
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread is enough
    try:
        library = importlib.import_module("tokenizers")
    except ImportError as error:
        logger.error("tokens are not counted by vocabularies: install the package “tokenizers” (%s)", error)
        return None
    found = Vocabularies(Path(folder), library)
    if not found:
        logger.error("tokens are not counted by vocabularies: there is no tokenizer's .json in %s", folder)
        return None
    return found
