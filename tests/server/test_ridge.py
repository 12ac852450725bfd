"""The regression behind the classifier, against the same arithmetic done the long way."""

from __future__ import annotations

import unittest
from typing import Any

import numpy as np
from components.ridge import _FAR, _STRETCHED_BY, NEIGHBOURS, Ridge
from scipy.sparse import csr_matrix

WEIGHTS = {"e5": 1.0, "minilm": 0.8}
SPELLING = 0.2
GAMMA = 0.8
SETTINGS = {"ridge": 0.05, "directions": 256}
EXAMPLES, CLASSES = 30, 3

Messages = tuple[dict[str, np.ndarray], csr_matrix]


def messages(number: int, seed: int) -> Messages:
    """About three centres in turn, off the origin as embeddings are; the second encoder knows two messages of three,
    the n-grams five of six."""
    centres, noise = np.random.default_rng(0), np.random.default_rng(seed)
    place = np.arange(number)
    dense = {}
    for alias, size in {"e5": 24, "minilm": 12}.items():
        vectors = 2 * centres.normal(size=size) + centres.normal(size=(CLASSES, size))[place % CLASSES]
        vectors += noise.normal(size=(number, size))
        dense[alias] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    dense["minilm"][place % 3 == 1] = 0
    ngrams = np.maximum(centres.normal(size=(CLASSES, 40))[place % CLASSES] + noise.normal(size=(number, 40)), 0)
    ngrams /= np.linalg.norm(ngrams, axis=1, keepdims=True)
    ngrams[place % 6 == 0] = 0
    return dense, csr_matrix(ngrams.astype(np.float32))


def part(given: Messages, rows: Any) -> Messages:
    dense, sparse = given
    return {alias: vectors[rows] for alias, vectors in dense.items()}, sparse[rows]


def likeness(ones: Messages, others: Messages, means: dict[str, np.ndarray]) -> np.ndarray:
    """As the class's docstring has it."""
    summed, shares = np.zeros((ones[1].shape[0], others[1].shape[0])), []
    for dense, sparse in (ones, others):
        spelling = SPELLING * (sparse.getnnz(axis=1) > 0)
        shares.append(spelling + sum(WEIGHTS[alias] * rows.any(axis=1) for alias, rows in dense.items()))
    for alias, weight in WEIGHTS.items():
        left, right = (_directions(given[0][alias].astype(np.float64), means[alias]) for given in (ones, others))
        summed += weight * left @ right.T
    summed += SPELLING * (ones[1] @ others[1].T).toarray()
    return summed / np.sqrt(np.outer(*shares))


def nearest(values: np.ndarray) -> np.ndarray:
    return -np.sort(-values, axis=1)[:, :_STRETCHED_BY]


def _directions(vectors: np.ndarray, mean: np.ndarray) -> np.ndarray:
    known = vectors.any(axis=1, keepdims=True)
    centred = (vectors - mean) * known
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)


class Regression(unittest.TestCase):
    def setUp(self) -> None:
        self.given = messages(EXAMPLES, seed=1)
        self.wanted = np.tile(np.eye(CLASSES), (EXAMPLES // CLASSES, 1))
        self.means = {alias: rows[rows.any(axis=1)].mean(axis=0) for alias, rows in self.given[0].items()}
        self.ridge = Ridge(WEIGHTS, SPELLING, GAMMA)
        self.groups = [np.arange(0, EXAMPLES, 3), np.array([1, 2, 4, 5])]
        (self.left_out, self.nearest), self.alone = self.ridge.fit(
            *self.given, self.wanted, groups=self.groups, **SETTINGS
        )

    def brute(self, asked: Messages, examples: Messages, wanted: np.ndarray) -> np.ndarray:
        """Scores of a regression trained on these examples; means, shares of the classes and the distance of
        neighbours are those of all."""
        own, cross = (likeness(ones, examples, self.means) for ones in (examples, asked))
        among = likeness(self.given, self.given, self.means)
        np.fill_diagonal(among, -1)
        cross *= max(nearest(among).mean(), _FAR) / np.maximum(nearest(cross).mean(axis=1, keepdims=True), _FAR)
        kernel, to_examples = (np.exp(-2 * GAMMA * (1 - values)) for values in (own, cross))
        share = self.wanted.mean(axis=0)
        matrix = kernel + SETTINGS["ridge"] * np.eye(len(kernel))
        return share + to_examples @ np.linalg.solve(matrix, wanted - share)

    def test_scores(self) -> None:
        asked = messages(50, seed=2)
        scores, _ = self.ridge.scores(*asked)
        np.testing.assert_allclose(scores, self.brute(asked, self.given, self.wanted), atol=1e-3)

    def test_left_out_scores_are_those_of_training_on_all_others(self) -> None:
        expected = np.concatenate(
            [
                self.brute(part(self.given, [row]), part(self.given, others), self.wanted[others])
                for row in range(EXAMPLES)
                for others in [np.delete(np.arange(EXAMPLES), row)]
            ]
        )
        np.testing.assert_allclose(self.left_out, expected, atol=1e-3)
        # And not those of a regression that has seen the example.
        seen, _ = self.ridge.scores(*self.given)
        self.assertGreater(np.abs(self.left_out - seen).max(), 0.2)

    def test_a_group_is_judged_as_if_nothing_of_it_had_been_learnt(self) -> None:
        scores, neighbours = self.alone
        for group in self.groups:
            others = np.setdiff1d(np.arange(EXAMPLES), group)
            asked, examples = part(self.given, group), part(self.given, others)
            expected = self.brute(asked, examples, self.wanted[others])
            np.testing.assert_allclose(scores[group], expected, atol=1e-3)
            expected = nearest(likeness(asked, examples, self.means))[:, :NEIGHBOURS]
            np.testing.assert_allclose(neighbours[group], expected, atol=1e-3)
        # And not as a single one is, whose kind was learnt; of no group, nothing is said.
        self.assertGreater(np.abs(scores[self.groups[0]] - self.left_out[self.groups[0]]).max(), 0.1)
        self.assertFalse(scores[np.setdiff1d(np.arange(EXAMPLES), np.concatenate(self.groups))].any())

    def test_the_nearest_examples(self) -> None:
        asked = messages(50, seed=2)
        _, nearest = self.ridge.scores(*asked)
        expected = -np.sort(-likeness(asked, self.given, self.means), axis=1)[:, :NEIGHBOURS]
        np.testing.assert_allclose(nearest, expected, atol=1e-3)

    def test_an_example_is_not_its_own_neighbour(self) -> None:
        among = likeness(self.given, self.given, self.means)
        # As like itself as can be.
        np.testing.assert_allclose(np.diag(among), 1, atol=1e-6)
        np.fill_diagonal(among, -1)
        np.testing.assert_allclose(self.nearest, -np.sort(-among, axis=1)[:, :NEIGHBOURS], atol=1e-3)

    def test_one_message_scores_what_it_scores_in_a_batch(self) -> None:
        asked = messages(50, seed=2)
        scores, nearest = self.ridge.scores(*asked)
        for row in range(50):
            alone, neighbours = self.ridge.scores(*part(asked, [row]))
            np.testing.assert_allclose(alone[0], scores[row], atol=1e-5)
            np.testing.assert_allclose(neighbours[0], nearest[row], atol=1e-5)

    def test_restored_it_scores_the_same(self) -> None:
        restored = Ridge(WEIGHTS, SPELLING, GAMMA)
        restored.restore(self.ridge.arrays())
        asked = messages(50, seed=2)
        for ours, theirs in zip(self.ridge.scores(*asked), restored.scores(*asked), strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_without_ngrams(self) -> None:
        self.given, asked = (
            (dense, csr_matrix((sparse.shape[0], 0), dtype=np.float32))
            for dense, sparse in (self.given, messages(50, seed=2))
        )
        ridge = Ridge(WEIGHTS, SPELLING, GAMMA)
        ridge.fit(*self.given, self.wanted, **SETTINGS)
        scores, _ = ridge.scores(*asked)
        np.testing.assert_allclose(scores, self.brute(asked, self.given, self.wanted), atol=1e-3)

    def test_fewer_directions_say_nearly_the_same(self) -> None:
        few = Ridge(WEIGHTS, SPELLING, GAMMA)
        few.fit(*self.given, self.wanted, ridge=0.05, directions=24)
        asked = messages(50, seed=2)
        (scores, _), (expected, _) = few.scores(*asked), self.ridge.scores(*asked)
        self.assertLess(np.abs(scores - expected).mean(), 0.05)
        self.assertGreater(np.abs(scores - expected).max(), 1e-3)

    def test_fewer_examples_than_neighbours(self) -> None:
        for each in (1, 2, 3):
            with self.subTest(each=each):
                ridge = Ridge(WEIGHTS, SPELLING, GAMMA)
                ridge.fit(*part(self.given, slice(3 * each)), np.tile(np.eye(3), (each, 1)), **SETTINGS)
                scores, nearest = ridge.scores(*messages(60, seed=2))
                self.assertEqual(scores.shape, (60, 3))
                self.assertEqual(nearest.shape, (60, min(NEIGHBOURS, 3 * each)))
                # Centres in turn: see ``messages``.
                self.assertGreater((scores.argmax(axis=1) == np.arange(60) % 3).mean(), 0.7)

    def test_examples_that_cannot_be_told_apart_need_a_ridge(self) -> None:
        twice = part(self.given, [0, 1, 2] * 4)
        wanted = np.tile(np.eye(3), (4, 1))
        Ridge(WEIGHTS, SPELLING, GAMMA).fit(*twice, wanted, **SETTINGS)
        with self.assertRaisesRegex(ValueError, "a larger 'ridge' helps"):
            Ridge(WEIGHTS, SPELLING, GAMMA).fit(*twice, wanted, ridge=-0.001, directions=256)


if __name__ == "__main__":
    unittest.main()
