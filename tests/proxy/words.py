"""Vocabularies as models are published with: one of whole words, and one that was learnt from a text."""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

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


def put_vocabulary(folder: Path, *names: str) -> Path:
    """Of whole words, for each of these names of models."""
    for name in names:
        (folder / f"{name}.json").write_text(json.dumps(WORDS))
    return folder


def learn_vocabulary(folder: Path, name: str, text: str) -> Tokenizer:
    """Of pairs of bytes, as Llama 3, Qwen and Mistral have them; it may cut and pad, as published ones may."""
    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learnt.train_from_iterator([text], trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    plain = Tokenizer.from_str(learnt.to_str())
    learnt.enable_truncation(5)
    learnt.enable_padding(length=64)
    learnt.save(str(folder / f"{name}.json"))
    return plain
