"""What the cases of the pipeline's components share."""

from __future__ import annotations

import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource


class ComponentCase(unittest.TestCase):
    """With a folder for what components persist."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.storage = LocalModelStorage.create(Path(folder.name))

    def make(self, component: type[GraphComponent], method: str = "create", **config: Any) -> Any:
        """As Rasa does when it trains, or with ``load`` when it starts."""
        context = ExecutionContext(GraphSchema({}), node_name="run_component0")
        create = getattr(component, method)
        return create({**component.get_default_config(), **config}, self.storage, Resource("component"), context)
