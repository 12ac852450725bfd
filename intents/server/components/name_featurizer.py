"""Whom else a message names: other companies, products and things, from lists that come with the examples."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import numpy as np
from encoders.text import spelling
from rasa.engine.graph import GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from components.trained_featurizer import TrainedFeaturizer

_BEGINNING = 2
"""Characters by which names are looked up; a shorter one is not looked for."""
_LONG = 5
_ENDING = 4
"""A name of ``_LONG`` letters is still that name with an ending of so many ("binanceden", "бинансом")."""
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Thai, Japanese, Chinese and Korean: words stand side by side, or with their endings on them."""


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class NameFeaturizer(TrainedFeaturizer, DenseFeaturizer, GraphComponent):
    """Gives each message one sentence feature: a one for each list of names of which one occurs in it, else zeros.

    The lists are Rasa's lookup tables, which stand beside the examples. Without any, messages get no feature. Needs no
    tokenizer and adds no sequence features.
    """

    FILE = "names.json"

    def __init__(self, name: str, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        super().__init__(name, config, model_storage, resource)
        self._lists = 0
        self._names: dict[str, list[tuple[str, bool, int]]] = {}
        """By their beginning, the longest first: the name, whether it may stand anywhere, the number of its list."""

    def train(self, training_data: TrainingData) -> Resource:
        lists: defaultdict[str, list[str]] = defaultdict(list)
        for table in training_data.lookup_tables:
            # Rasa also takes a file of words, by its path: only what stands with the examples belongs to the model.
            if isinstance(table["elements"], list):
                lists[table["name"]] += [spelling(word) for word in table["elements"]]
        return self._keep(lists)

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages if self._lists else ():
            if message.get(TEXT) is None:
                continue  # of a bare intent or action, as Rasa's dialogue policies bring them
            row = np.zeros((1, self._lists), np.float32)
            row[0, sorted(self._named(spelling(message.get(TEXT))))] = 1
            message.add_features(Features(row, FEATURE_TYPE_SENTENCE, TEXT, self._identifier))
        return messages

    def _use(self, lists: dict[str, list[str]]) -> None:
        self._lists = len(lists)
        found: defaultdict[str, list[tuple[str, bool, int]]] = defaultdict(list)
        for number, words in enumerate(lists.values()):
            for word in words:
                if len(word) >= _BEGINNING:
                    found[word[:_BEGINNING]].append((word, bool(_UNSPACED.search(word)), number))
        self._names = {begin: sorted(names, key=lambda name: -len(name[0])) for begin, names in found.items()}

    def _named(self, text: str) -> set[int]:
        """The numbers of the lists of which ``text`` has a name; of names within one another, the longest counts."""
        found, at = set(), 0
        while at < len(text) - 1:
            length = 1
            for name, anywhere, number in self._names.get(text[at : at + _BEGINNING], ()):
                if text.startswith(name, at) and (anywhere or _is_word(text, at, at + len(name))):
                    found.add(number)
                    length = len(name)
                    break
            at += length
        return found


def _is_word(text: str, start: int, end: int) -> bool:
    """Whether what stands between is a word of its own there, but for an ending."""
    if start and _in_word(text[start - 1]):
        return False
    last = end
    while last < len(text) and _in_word(text[last]):
        last += 1
    return last == end or (end - start >= _LONG and last - end <= _ENDING and text[end:last].isalpha())


def _in_word(character: str) -> bool:
    return character.isalnum() and not _UNSPACED.match(character)
