"""Kernel ridge regression over several kinds of features. Nothing here knows Rasa."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from scipy.linalg.lapack import spotrf, spotri
from scipy.sparse import csr_matrix

NEIGHBOURS = 5
_STRETCHED_BY = 10
"""The nearest examples by which a message's distance is judged."""
_FAR = 0.15
"""The likeness to the nearest examples below which a message is not brought nearer any more: it is about nothing
known."""
_SLICE = 512

Dense = Mapping[str, np.ndarray]
"""Vectors by the name of the encoder, one row a message each; zeros where it knows nothing of the message."""
Judged = tuple[np.ndarray, np.ndarray]
"""The scores, shape (messages, classes), and the likeness to the nearest examples, best first."""


class Ridge:
    """One score for each class, from how like a message is to each example.

    Two messages are alike as each encoder and their spelling (the n-grams) say: a weighted sum of cosines, scaled so
    that each message is as like itself as can be, 1. Who knows nothing of a message has no share in it. Embeddings
    of one domain lie in a narrow cone, so each encoder's mean is taken off first.

    On a Gaussian of this likeness the regression is trained in closed form, and so are its leave-one-out scores:
    what it says of each example when trained on all others.

    A message in other words, or in a language without examples, is less like all of them: seen from so far, they are
    all much the same. So its likenesses are stretched until the nearest are as near as an example's own neighbours
    are. What it resembles is then told apart as well as for the others; that it lies far off is told by the
    likeness before stretching. Time grows with the cube of the examples, memory with
    the square: 12,000 take one and a half gigabytes for half a minute.
    """

    def __init__(self, weights: Mapping[str, float], spelling: float, gamma: float) -> None:
        """``weights`` by encoder and ``spelling`` for the n-grams; only their proportions count. ``gamma``: how fast
        likeness falls with distance, exp(-gamma * distance squared)."""
        self._weights = dict(sorted(weights.items()))
        self._spelling = spelling
        self._gamma = gamma

    def fit(
        self,
        dense: Dense,
        sparse: csr_matrix,
        wanted: np.ndarray,
        *,
        ridge: float,
        directions: int,
        groups: Iterable[np.ndarray] = (),
    ) -> tuple[Judged, Judged]:
        """Learns ``wanted``, shape (examples, classes). ``ridge``: how little a single example is believed;
        ``directions``: how many are kept of all dense features together; ``groups``: numbers of examples that are
        of one kind, no example in two of them.

        Returns how each example is judged without itself, and how those of the groups are judged without the whole
        of their group (the rows of all others are zeros).
        """
        self._means = {name: _mean(dense[name]) for name in self._weights}
        joined = self._joined(dense)
        self._directions = _directions(joined, directions)
        self._examples, ngrams = self._scaled(joined @ self._directions, dense, sparse)
        self._ngrams = ngrams.T.tocsr()
        self._bias = wanted.mean(axis=0)
        likeness = self._likeness(self._examples, ngrams)
        inverse = _inverse(self._kernel(likeness), ridge)
        self._answers = inverse @ (wanted - self._bias).astype(np.float32)
        # An example is not its own neighbour.
        np.fill_diagonal(likeness, -1)
        nearest = _nearest(likeness)
        # Of very few examples, most of the nearest are of other classes, and less like than not.
        self._typical = max(float(nearest.mean()), _FAR)
        alone = self._without_groups(groups, likeness, inverse)
        # Of the regression without an example, each coefficient is that of all, less the example's own share in it.
        likeness *= self._stretch(nearest)
        kernel = self._kernel(likeness, out=likeness)
        np.fill_diagonal(kernel, 0)
        share = np.einsum("ij,ij->i", kernel, inverse) / np.diag(inverse)
        left_out = kernel @ self._answers - share[:, np.newaxis] * self._answers + self._bias
        return (left_out, nearest[:, :NEIGHBOURS]), alone

    def scores(self, dense: Dense, sparse: csr_matrix) -> Judged:
        examples, ngrams = self._scaled(self._joined(dense) @ self._directions, dense, sparse)
        likeness = self._likeness(examples, ngrams)
        nearest = _nearest(likeness)
        likeness *= self._stretch(nearest)
        kernel = self._kernel(likeness, out=likeness)
        return kernel @ self._answers + self._bias, nearest[:, :NEIGHBOURS]

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything learnt, for ``restore``."""
        return {
            "directions": self._directions,
            "examples": self._examples,
            "ngram_values": self._ngrams.data,
            "ngram_columns": self._ngrams.indices,
            "ngram_starts": self._ngrams.indptr,
            "ngram_shape": np.array(self._ngrams.shape),
            "answers": self._answers,
            "bias": self._bias,
            "typical": np.array(self._typical),
            **{f"mean_{name}": mean for name, mean in self._means.items()},
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._directions = arrays["directions"]
        self._examples = arrays["examples"]
        parts = (arrays["ngram_values"], arrays["ngram_columns"], arrays["ngram_starts"])
        self._ngrams = csr_matrix(parts, shape=tuple(arrays["ngram_shape"]))
        self._answers = arrays["answers"]
        self._bias = arrays["bias"]
        self._typical = float(arrays["typical"])
        self._means = {name: arrays[f"mean_{name}"] for name in self._weights}

    def _joined(self, dense: Dense) -> np.ndarray:
        """All encoders side by side, each centred, of the length of its weight's root where it knows the message."""
        parts = []
        for name, weight in self._weights.items():
            centred = np.where(known(dense[name]), dense[name] - self._means[name], 0)
            lengths = np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
            parts.append(centred * (np.sqrt(weight) / lengths))
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def _scaled(self, joined: np.ndarray, dense: Dense, sparse: csr_matrix) -> tuple[np.ndarray, csr_matrix]:
        there = np.diff(sparse.indptr)
        total = self._spelling * (there > 0)
        total = total + sum(weight * known(dense[name])[:, 0] for name, weight in self._weights.items())
        root = np.sqrt(np.maximum(total, 1e-9)).astype(np.float32)
        values = sparse.data * np.repeat(np.sqrt(self._spelling) / root, there)
        ngrams = csr_matrix((values.astype(np.float32), sparse.indices, sparse.indptr), sparse.shape)
        return joined / root[:, np.newaxis], ngrams

    def _likeness(self, examples: np.ndarray, ngrams: csr_matrix) -> np.ndarray:
        """Of each input to each example, -1 to 1, shape (inputs, examples)."""
        likeness: np.ndarray = examples @ self._examples.T
        if len(likeness) == 1:
            # One message, the usual case: scipy would spend most of its time on checks and copies.
            starts = self._ngrams.indptr
            for column, value in zip(ngrams.indices.tolist(), ngrams.data, strict=True):
                part = slice(starts[column], starts[column + 1])
                likeness[0, self._ngrams.indices[part]] += value * self._ngrams.data[part]
            return likeness
        # In slices: all of it at once would take several times the memory of the result.
        for start in range(0, len(likeness) if ngrams.shape[1] else 0, _SLICE):
            likeness[start : start + _SLICE] += (ngrams[start : start + _SLICE] @ self._ngrams).toarray()
        return likeness

    def _without_groups(self, groups: Iterable[np.ndarray], likeness: np.ndarray, inverse: np.ndarray) -> Judged:
        """How each group would be judged had nothing of its kind been learnt. ``likeness`` before stretching."""
        scores = np.zeros(self._answers.shape, np.float32)
        nearest = np.zeros((len(likeness), NEIGHBOURS), np.float32)
        for group in groups:
            # The coefficients of the regression without the group, as for a single example above.
            share = np.linalg.solve(inverse[np.ix_(group, group)].astype(np.float64), self._answers[group])
            answers = self._answers - inverse[:, group] @ share.astype(np.float32)
            answers[group] = 0
            seen = likeness[group]
            seen[:, group] = -1
            near = _nearest(seen)
            seen *= self._stretch(near)
            scores[group] = self._kernel(seen, out=seen) @ answers + self._bias
            nearest[group, : near.shape[1]] = near[:, :NEIGHBOURS]
        return scores, nearest

    def _stretch(self, nearest: np.ndarray) -> np.ndarray:
        stretch: np.ndarray = self._typical / np.maximum(nearest.mean(axis=1, keepdims=True), _FAR)
        return stretch.astype(np.float32)

    def _kernel(self, likeness: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        # Of unit vectors, the squared distance is 2 - 2 cosine.
        kernel = np.subtract(likeness, 1, out=out)
        kernel *= 2 * self._gamma
        return np.exp(kernel, out=kernel)


def known(vectors: np.ndarray) -> np.ndarray:
    """Whether the encoder knew the message, shape (messages, 1)."""
    return vectors.any(axis=1, keepdims=True)


def _mean(vectors: np.ndarray) -> np.ndarray:
    """Over the messages that the encoder knew; zero if there was none."""
    rows = vectors[known(vectors)[:, 0]]
    return rows.mean(axis=0) if len(rows) else np.zeros(vectors.shape[1], np.float32)


def _directions(vectors: np.ndarray, count: int) -> np.ndarray:
    """The directions in which ``vectors`` reach farthest, as orthonormal columns."""
    _, columns = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
    return columns[:, ::-1][:, :count].astype(np.float32)


def _nearest(likeness: np.ndarray) -> np.ndarray:
    count = min(_STRETCHED_BY, likeness.shape[1])
    return -np.sort(np.partition(-likeness, count - 1, axis=1)[:, :count], axis=1)


def _inverse(kernel: np.ndarray, ridge: float) -> np.ndarray:
    """Of ``kernel``, symmetric and of single precision, with ``ridge`` added to its diagonal, written over it. Raises
    ``ValueError`` if there is none."""
    # Single precision halves the time. The kernel's largest eigenvalue is below the number of examples, so with a
    # ridge of a twentieth three digits of the scores remain, and intents differ in the first or second.
    # As columns, which is what LAPACK reads, without a copy: it is symmetric.
    matrix = kernel.T
    matrix[np.diag_indices_from(matrix)] += ridge
    # LAPACK by name: in place, it inverts in half the work and a third of the memory of solving for the identity.
    factor, failed = spotrf(matrix, lower=True, overwrite_a=True)
    if failed:
        raise ValueError("the examples' kernel is not positive definite; a larger 'ridge' helps")
    inverse, _ = spotri(factor, lower=True, overwrite_c=True)
    # Only its lower triangle is filled. In slices: a copy of it would be as large as the examples are many, squared.
    for start in range(0, len(inverse), _SLICE):
        end = start + _SLICE
        inverse[:start, start:end] = inverse[start:end, :start].T
        corner = inverse[start:end, start:end]
        corner += np.tril(corner, -1).T - np.triu(corner, 1)
    return inverse
