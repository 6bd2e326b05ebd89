"""The likeliest labels of sequences by a search that keeps the best paths (Graves, 2012)."""

from __future__ import annotations

from typing import Any

import numpy as np

Path = tuple[int, ...]
Scores = dict[Path, list[float]]
BLANK, LABEL = 0, 1


def beam_search(
    inputs: Any, sequence_lengths: Any, beam_width: int, top_paths: int, mask_index: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """inputs: f32[N, T, C] -> labels i32[top_paths, N, T], -1 behind them, scores f32[N, top_paths]

    A path's score is the logarithm of the sum over all ways that end in it.
    """
    x = np.asarray(inputs, np.float64)
    logs = x - x.max(-1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(-1, keepdims=True))
    count, steps, classes = x.shape
    blank = classes - 1 if mask_index is None else mask_index
    labels = np.full((top_paths, count, steps), -1, np.int32)
    scores = np.full((count, top_paths), -np.inf, np.float32)
    for row, length in enumerate(np.asarray(sequence_lengths)):
        found = _search(logs[row, : max(int(length), 1)], beam_width, blank)
        for rank, (path, score) in enumerate(found[:top_paths]):
            labels[rank, row, : len(path)] = path
            scores[row, rank] = score
    return labels, scores


def _search(logs: np.ndarray, width: int, blank: int) -> list[tuple[Path, float]]:
    """Paths from the likeliest one on."""
    beams: Scores = {(): [0.0, -np.inf]}
    for step in logs:
        following: Scores = {}
        for path, (ends_blank, ends_label) in beams.items():
            whole = np.logaddexp(ends_blank, ends_label)
            _add(following, path, BLANK, whole + step[blank])
            for label, score in enumerate(step):
                if label == blank:
                    continue
                if path and path[-1] == label:
                    # the same label goes on, or comes anew after a blank
                    _add(following, path, LABEL, ends_label + score)
                    _add(following, (*path, label), LABEL, ends_blank + score)
                else:
                    _add(following, (*path, label), LABEL, whole + score)
        beams = dict(_ranked(following)[:width])
    return [(path, float(np.logaddexp(ends[0], ends[1]))) for path, ends in _ranked(beams)]


def _add(scores: Scores, path: Path, place: int, score: float) -> None:
    ends = scores.setdefault(path, [-np.inf, -np.inf])
    ends[place] = float(np.logaddexp(ends[place], score))


def _ranked(scores: Scores) -> list[tuple[Path, list[float]]]:
    return sorted(scores.items(), key=lambda item: -np.logaddexp(item[1][0], item[1][1]))
