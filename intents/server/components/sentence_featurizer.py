"""Sentence embeddings as Rasa features."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from encoders.encoder import ENCODERS, load
from encoders.text import normalise
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

logger = logging.getLogger(__name__)

_BATCH = 256


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceFeaturizer(DenseFeaturizer, GraphComponent):
    """Gives each message one dense sentence feature from each encoder, its origin the encoder's name: a vector of
    unit length, or zeros where that encoder knows nothing of the language.

    Needs no tokenizer and adds no sequence features. The encoders are read when the component is created; the
    first runs beside the others.
    """

    @classmethod
    def required_components(cls) -> list[type]:
        return []

    @staticmethod
    def required_packages() -> list[str]:
        return ["onnxruntime", "sentencepiece", "tokenizers"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {**DenseFeaturizer.get_default_config(), "encoders": list(ENCODERS)}

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Raises ``InvalidConfigException`` for an encoder that does not exist."""
        unknown = set(config["encoders"]) - set(ENCODERS)
        if unknown or not config["encoders"]:
            raise InvalidConfigException(
                f"SentenceFeaturizer: 'encoders' must be some of {', '.join(ENCODERS)}, not {config['encoders']!r}."
            )

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SentenceFeaturizer:
        cls.validate_config(config)
        return cls(execution_context.node_name, config)

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__(name, config)
        names = config["encoders"]
        # One thread beside the caller's: the longest-running encoder, listed first, must not share its processor.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="encoders")
        self._encoders = {name: load(name) for name in names}

    def process(self, messages: list[Message]) -> list[Message]:
        # With Rasa's dialogue policies there are messages of a bare intent or action too.
        spoken = [message for message in messages if message.get(TEXT) is not None]
        if not spoken:
            return messages
        texts = [normalise(message.get(TEXT)) for message in spoken]
        first, *others = self._encoders.values()
        beside = self._beside.submit(lambda: [encoder.encode(texts) for encoder in others])
        vectors = [first.encode(texts), *beside.result()]
        for name, rows in zip(self._encoders, vectors, strict=True):
            for message, row in zip(spoken, rows, strict=True):
                message.add_features(Features(row[np.newaxis], FEATURE_TYPE_SENTENCE, TEXT, name))
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Like ``process``; logs the share done, which ``train.py`` turns into progress."""
        messages = training_data.training_examples
        for start in range(0, len(messages), _BATCH):
            self.process(messages[start : start + _BATCH])
            done = min(start + _BATCH, len(messages)) / len(messages)
            logger.info("Embedding the examples", extra={"done": done})
        return training_data
