"""Regions of an image, replaced in the order of their relevance.

Reference:
    [Samek et al., 2017](https://doi.org/10.1109/TNNLS.2016.2599820), section III.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from medattn.compat.innvestigate.utils import BatchSequence

Function = Callable[..., Any]
FUNCTIONS: dict[str, Function] = {
    "zeros": np.zeros_like,
    "gaussian": lambda region: np.random.normal(0.0, 0.3, region.shape),
    "mean": np.mean,
    "invert": lambda region: -region,
}


class Perturbation:
    """Replaces the most relevant regions of images.

    Args:
        perturbation_function: `"zeros"`, `"gaussian"`, `"mean"`, `"invert"`, or a
            function of a region of one channel, `(rows, columns)`.
        num_perturbed_regions: How many regions are replaced.
        region_shape: Their size, in pixels.
        reduce_function: Makes one channel of all, as `numpy.mean`.
        aggregation_function: Makes one number of a region.
        pad_mode: Of `numpy.pad`, where regions do not fill the image.
        in_place: Whether the images that are given may be written to.
        value_range: Bounds that new values are clipped to, or None.
    """

    def __init__(
        self,
        perturbation_function: str | Function,
        num_perturbed_regions: int = 0,
        region_shape: tuple[int, int] = (9, 9),
        reduce_function: Function = np.mean,
        aggregation_function: Function = np.mean,
        pad_mode: Any = "reflect",
        in_place: bool = False,
        value_range: tuple[float, float] | None = None,
    ):
        if callable(perturbation_function):
            self.perturbation_function: Function = perturbation_function
        elif not isinstance(perturbation_function, str):
            raise TypeError(
                "Unusable perturbation. Expected a name or a function. Received: "
                f"{perturbation_function!r}"
            )
        elif perturbation_function not in FUNCTIONS:
            raise ValueError(
                f"Unknown perturbation. Expected one of {list(FUNCTIONS)}. "
                f"Received: {perturbation_function!r}"
            )
        else:
            self.perturbation_function = FUNCTIONS[perturbation_function]
        self.num_perturbed_regions = num_perturbed_regions
        self.region_shape = region_shape
        self.reduce_function = reduce_function
        self.aggregation_function = aggregation_function
        self.pad_mode, self.in_place = pad_mode, in_place
        self.value_range = value_range

    def perturbate_on_batch(self, x: np.ndarray, analysis: np.ndarray) -> np.ndarray:
        """Replaces the most relevant regions.

        Args:
            x: `(batch, height, width, channels)`.
            analysis: Its maps, same shape.
        """
        if x.shape != analysis.shape:
            raise ValueError(
                f"The maps do not fit the images. Expected {x.shape}. "
                f"Received: {analysis.shape}"
            )
        changed = x if self.in_place else np.copy(x)
        one = np.asarray(self.reduce_function(analysis, axis=-1, keepdims=True))
        before, images = self._padded(changed)
        rows = self._in_regions(self._padded(one)[1])
        score = np.asarray(self.aggregation_function(rows, axis=(2, 4)))[..., 0]
        order = np.argsort(-score.reshape(len(score), -1), axis=1)
        rank = np.argsort(order, axis=1).reshape(score.shape)
        regions = self._in_regions(images)
        chosen = np.argwhere(rank < self.num_perturbed_regions)
        for sample, row, column in chosen:
            for channel in range(x.shape[-1]):
                region = regions[sample, row, :, column, :, channel]
                regions[sample, row, :, column, :, channel] = (
                    self.perturbation_function(region)
                )
        if self.value_range is not None:
            np.clip(regions, *self.value_range, out=regions)
        whole = regions.reshape(images.shape)
        top, left = before
        return whole[:, top : top + x.shape[1], left : left + x.shape[2]]

    def _padded(self, x: np.ndarray) -> tuple[tuple[int, int], np.ndarray]:
        """Pads images so that regions fill them, half before and half after."""
        missing = [
            -size % side
            for size, side in zip(x.shape[1:3], self.region_shape, strict=True)
        ]
        if not any(missing):
            return (0, 0), x
        before = (missing[0] // 2, missing[1] // 2)
        pads = [(b, m - b) for b, m in zip(before, missing, strict=True)]
        return before, np.pad(x, ((0, 0), *pads, (0, 0)), self.pad_mode)

    def _in_regions(self, x: np.ndarray) -> np.ndarray:
        """Splits images: (batch, rows, height, columns, width, channels)."""
        tall, wide = self.region_shape
        batch, height, width, channels = x.shape
        shape = (batch, height // tall, tall, width // wide, wide, channels)
        return x.reshape(shape)


class PerturbationAnalysis:
    """Measures a model while more and more regions are replaced.

    Args:
        analyzer: Makes the maps, by `analyze`.
        model: A compiled `keras.Model`.
        generator: Batches `(images, labels)`, to go through several times.
        perturbation: A `Perturbation`.
        steps: How many times more regions are replaced.
        regions_per_step: How many more each time.
        recompute_analysis: Whether the maps are made again at each step.
        verbose: Whether each step is printed.
    """

    def __init__(
        self,
        analyzer: Any,
        model: keras.Model,
        generator: Iterable[tuple[np.ndarray, np.ndarray]],
        perturbation: Perturbation,
        steps: int = 1,
        regions_per_step: int = 1,
        recompute_analysis: bool = False,
        verbose: bool = False,
    ):
        self.analyzer, self.model, self.perturbation = analyzer, model, perturbation
        self.generator = generator
        self.steps, self.regions_per_step = steps, regions_per_step
        self.recompute_analysis, self.verbose = recompute_analysis, verbose
        self.analysis_generator: Iterable[Sequence[np.ndarray]] = generator
        if not recompute_analysis:
            batches = [(x, y, analyzer.analyze(x)) for x, y in _batches(generator)]
            joined = [np.concatenate(each) for each in zip(*batches, strict=True)]
            self.analysis_generator = BatchSequence(joined, batch_size=256)

    def compute_on_batch(
        self,
        x: np.ndarray,
        analysis: np.ndarray | None = None,
        return_analysis: bool = False,
    ) -> Any:
        """Replaces regions of one batch; returns the maps, too, if asked for."""
        analysis = self.analyzer.analyze(x) if analysis is None else analysis
        changed = self.perturbation.perturbate_on_batch(x, analysis)
        return (changed, analysis) if return_analysis else changed

    def evaluate_on_batch(
        self,
        x: np.ndarray,
        y: np.ndarray,
        analysis: np.ndarray | None = None,
        sample_weight: None = None,
    ) -> Any:
        """Measures the model on one batch with its regions replaced."""
        if sample_weight is not None:
            raise NotImplementedError("There are no sample weights. Expected None.")
        return self.model.test_on_batch(self.compute_on_batch(x, analysis), y)

    def evaluate_generator(self, generator: Iterable[Sequence[np.ndarray]]) -> Any:
        """Measures the model on batches `(images, labels)` or with maps, too."""
        scores, sizes = [], []
        for batch in _batches(generator):
            self.model.reset_metrics()  # Keras 3 would go on with the last batch's
            scores.append(self.evaluate_on_batch(*batch))
            sizes.append(len(batch[0]))
        return _mean(scores, sizes)

    def compute_perturbation_analysis(self) -> list[Any]:
        """Returns the model's scores, first with nothing replaced, `steps + 1`."""
        scores, sizes = [], []
        for x, y in _batches(self.generator):
            self.model.reset_metrics()
            scores.append(self.model.test_on_batch(x, y))
            sizes.append(len(x))
        found = [_mean(scores, sizes)]
        self.perturbation.num_perturbed_regions = 1
        for step in range(self.steps):
            start = time.time()
            found.append(self.evaluate_generator(self.analysis_generator))
            if self.verbose:
                count = self.perturbation.num_perturbed_regions
                print(
                    f"Step {step + 1} of {self.steps}: {count} regions, "
                    f"{time.time() - start:.3f} s"
                )
            self.perturbation.num_perturbed_regions += self.regions_per_step
        self.perturbation.num_perturbed_regions = 1
        return found


def _batches(generator: Any) -> Iterable[Any]:
    """Goes once through a sequence that may repeat itself."""
    if hasattr(generator, "__len__") and hasattr(generator, "__getitem__"):
        return (generator[index] for index in range(len(generator)))
    return iter(generator)


def _mean(scores: Sequence[Any], sizes: Sequence[int]) -> Any:
    """Averages scores of batches by their sizes."""
    found = np.average(np.asarray(scores, np.float64), axis=0, weights=sizes)
    return found.tolist() if found.ndim else float(found)
