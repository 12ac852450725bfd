"""What the featurizers that learn from the examples share: how Rasa makes them, and how the model keeps what they
learnt."""

from __future__ import annotations

import json
from typing import Any

from rasa.engine.graph import ExecutionContext
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData


class TrainedFeaturizer:
    """To be named before Rasa's own classes. A subclass has ``FILE``, its file in the model; ``_use``, which takes what
    that file holds; ``train``, which ends with ``_keep``; and ``process``."""

    FILE: str

    @classmethod
    def required_components(cls) -> list[type]:
        return []

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
    ) -> TrainedFeaturizer:
        return cls(execution_context.node_name, config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> TrainedFeaturizer:
        component = cls.create(config, model_storage, resource, execution_context)
        with model_storage.read_from(resource) as folder:
            component._use(json.loads((folder / cls.FILE).read_text(encoding="utf-8")))
        return component

    def __init__(self, name: str, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        super().__init__(name, config)
        self._storage = model_storage
        self._resource = resource

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        self.process(training_data.training_examples)
        return training_data

    def _use(self, stored: Any) -> None:
        raise NotImplementedError

    def process(self, messages: list[Message]) -> list[Message]:
        raise NotImplementedError

    def _keep(self, stored: Any) -> Resource:
        """Writes it into the model, and uses it."""
        # JSON: a model file is data and must not be able to run code when it is loaded.
        with self._storage.write_to(self._resource) as folder:
            (folder / self.FILE).write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")
        self._use(stored)
        return self._resource
