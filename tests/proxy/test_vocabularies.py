"""Tokens that no answer tells, counted by a vocabulary that the operator has put there."""

import asyncio
import sys
import threading

import pytest

from apps.proxy import vocabularies
from apps.proxy.vocabularies import PIECE, Vocabularies, open_vocabularies
from tests.proxy.words import learn_vocabulary, put_vocabulary


@pytest.fixture
def known(tmp_path):
    found = open_vocabularies(str(put_vocabulary(tmp_path, "llama", "llama-3", "Qwen2.5")))
    assert found is not None
    yield found
    found.close()


NAMES = [
    ("llama-3.1-8b-instruct", "llama-3"),
    ("meta-llama/Llama-3.3-70B-Instruct", "llama-3"),
    ("llama2:7b", "llama"),
    ("qwen2.5-coder", "qwen2.5"),
    ("gpt-4o", None),
    ("my-llama-3", None),
    ("", None),
]


@pytest.mark.parametrize(("model", "name"), NAMES)
def test_a_vocabulary_is_of_the_models_whose_names_begin_with_its_own(known: Vocabularies, model, name):
    assert known.name_for(model) == name
    assert known.name_for(model) == name


async def test_tokens_are_counted(known: Vocabularies):
    assert await known.count("llama-3", ["one two three", "", "four"]) == 4


TEXTS = [
    "The toll for crossing is paid at the gate.",
    "Straßenmaut für 3 Brücken: 12,50 €",
    "通行料金 🚧",
    "\x00\n\n\t ",
]


@pytest.mark.parametrize("text", TEXTS)
async def test_they_are_as_many_as_the_model_was_given(tmp_path, text):
    learnt = learn_vocabulary(tmp_path, "mistral", " ".join(TEXTS))
    known = open_vocabularies(str(tmp_path))
    assert await known.count("mistral", [text, text]) == 2 * len(learnt.encode(text)) > 0
    known.close()


async def test_long_texts_are_counted_in_pieces(known: Vocabularies):
    assert await known.count("llama-3", ["word " * (PIECE * 3)]) == pytest.approx(PIECE * 3, abs=16)


async def test_what_cannot_be_read_counts_nothing_and_is_told_once(known: Vocabularies, tmp_path, caplog):
    (tmp_path / "llama-3.json").write_text("{ no vocabulary")
    assert [await known.count("llama-3", ["one"]) for _ in range(2)] == [None, None]
    assert caplog.text.count("cannot be read") == 1


async def test_nobody_waits_for_long(known: Vocabularies, monkeypatch):
    monkeypatch.setattr(vocabularies, "PATIENCE_S", 0.05)
    held = threading.Event()
    try:
        known._executor.submit(held.wait, 30)
        assert await known.count("llama-3", ["one two"]) is None
    finally:
        held.set()
    monkeypatch.undo()
    assert await known.count("llama-3", ["one two"]) == 2


async def test_there_is_an_end_to_how_much_is_counted(known: Vocabularies, monkeypatch):
    monkeypatch.setattr(vocabularies, "MOST_TEXT", 10)
    assert await known.count("llama-3", ["12345", "678901"]) is None
    monkeypatch.setattr(vocabularies, "MOST_WAITING", 1)
    assert sorted(await asyncio.gather(*(known.count("llama-3", ["a b"]) for _ in range(2))), key=str) == [2, None]


def test_without_a_folder_there_are_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert open_vocabularies("") is None


def test_without_the_package_the_log_says_what_to_install(monkeypatch, tmp_path, caplog):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert open_vocabularies(str(put_vocabulary(tmp_path, "llama"))) is None
    assert "install the package" in caplog.text


def test_an_empty_folder_is_told(tmp_path, caplog):
    assert open_vocabularies(str(tmp_path)) is None
    assert "there is no tokenizer" in caplog.text
