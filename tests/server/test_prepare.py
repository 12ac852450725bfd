"""Making the encoders' files, from the packages that hold the weights."""

from __future__ import annotations

import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from encoders import prepare as module
from encoders.encoder import ENCODERS, FOLDER, load
from encoders.prepare import prepare

FILES = {
    *("e5/graph.onnx", "e5/languages.npy", "e5/substitutions.json", "e5/tables.npz", "e5/tokenizer", "e5/words.npy"),
    *("minilm/graph.onnx", "minilm/tables.npz", "minilm/tokenizer", "minilm/words.npy"),
    *("use/graph.onnx", "use/tables.npz", "use/tokenizer", "use/words.npy"),
}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


class Prepare(unittest.TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "deeper" / "encoders"

    def make_old(self, folder: Path) -> None:
        (folder / "e5").mkdir(parents=True)
        (folder / "e5" / "graph.onnx").write_bytes(b"old")
        (folder / "left over").write_bytes(b"old")

    def test_it_replaces_what_was_there_by_complete_folders(self) -> None:
        self.make_old(self.folder)
        # From a run that was cut off.
        self.make_old(self.folder.with_name("encoders.unfinished"))
        # Embedding all of them takes most of the time of the real one.
        few = self.folder.parent / "languages.tsv"
        few.write_text("".join(module.LANGUAGES.read_text("utf-8").splitlines(keepends=True)[:3]), "utf-8")
        with patch.object(module, "LANGUAGES", few):
            prepare(self.folder)
        few.unlink()
        self.assertEqual(files(self.folder), FILES)
        self.assertEqual([path.name for path in self.folder.parent.iterdir()], ["encoders"])
        for name in sorted(FILES - {"e5/languages.npy"}):
            with self.subTest(name):
                # Nothing in them depends on when or where they are made.
                self.assertTrue((self.folder / name).read_bytes() == (FOLDER / name).read_bytes())
        for name in ENCODERS:
            with self.subTest(name):
                vector = load(name, self.folder).encode(["How do I reset my password?"])
                self.assertAlmostEqual(float(np.linalg.norm(vector)), 1, places=5)

    def test_one_that_fails_half_way_leaves_what_was_there(self) -> None:
        self.make_old(self.folder)
        written: list[set[str]] = []

        def fail(encoder: object) -> np.ndarray:
            written.append(files(self.folder.with_name("encoders.unfinished")))
            raise OSError("The disk is full.")

        with patch.object(module, "language_directions", fail), self.assertRaisesRegex(OSError, "disk is full"):
            prepare(self.folder)
        self.assertIn("minilm/words.npy", written[0])
        self.assertEqual(files(self.folder), {"e5/graph.onnx", "left over"})
        self.assertEqual((self.folder / "e5" / "graph.onnx").read_bytes(), b"old")


class LanguageDirections(unittest.TestCase):
    UNSEEN = (
        (
            "I lost my keys in the park",
            "我在公园里丢了钥匙",
            "공원에서 열쇠를 잃어버렸어요",
            "perdí mis llaves en el parque",
        ),
        (
            "the concert starts at eight",
            "音乐会八点开始",
            "콘서트는 여덟 시에 시작해요",
            "el concierto empieza a las ocho",
        ),
        ("my sister is a doctor", "我姐姐是医生", "우리 언니는 의사예요", "mi hermana es médica"),
    )

    def test_they_are_orthonormal(self) -> None:
        directions = np.load(FOLDER / "e5" / "languages.npy")
        # All there are between so many languages.
        languages = module.LANGUAGES.read_text("utf-8").split("\n", 1)[0].split("\t")
        self.assertEqual(directions.shape, (len(languages) - 1, 384))
        np.testing.assert_allclose(directions @ directions.T, np.eye(len(directions)), atol=1e-5)

    def test_without_them_translations_stand_out_more(self) -> None:
        stripped, whole = load("e5"), load("e5")
        whole._languages = np.zeros((0, 384), np.float32)
        texts = [text for row in self.UNSEEN for text in row]
        meaning = np.repeat(np.arange(3), 4)
        same = (meaning[:, np.newaxis] == meaning) & ~np.eye(12, dtype=bool)
        other = meaning[:, np.newaxis] != meaning

        def gap(vectors: np.ndarray) -> float:
            """How much nearer translations are than other sentences, in spreads."""
            likeness = vectors @ vectors.T
            return float((likeness[same].mean() - likeness[other].mean()) / likeness[other].std())

        self.assertGreater(gap(stripped.encode(texts)), 1.2 * gap(whole.encode(texts)))


if __name__ == "__main__":
    unittest.main()
