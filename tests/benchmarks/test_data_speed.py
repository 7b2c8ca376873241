"""Speed of drawing and of the pipeline, against a bare peer in the same run.

pytest tests/benchmarks/test_data_speed.py --benchmark-only -n 0
"""

import resource
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from medattn.data import Augmentation, load_dataset
from medattn.data.dataset import Dataset, find_card
from medattn.data.sources import ArraySource, FileSource
from medattn.data.synthetic import DOMAINS

OVER_BARE = 0.9
WAITING = 0.05


@pytest.mark.parametrize(("size", "least"), [(64, 200), (224, 25)])
@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_drawing_on_two_cores(benchmark, name, size, least):
    """As the cache draws: two threads."""
    count = 128 if size == 64 else 16
    places = iter(range(0, 10**6, 2 * count))

    def both():
        start = next(places)
        with ThreadPoolExecutor(2) as pool:
            halves = [
                range(start, start + count),
                range(start + count, start + 2 * count),
            ]
            list(pool.map(lambda h: DOMAINS[name].render(h, seed=1, size=size), halves))

    benchmark.pedantic(both, rounds=4, warmup_rounds=1)
    speed = 2 * count / benchmark.stats.stats.median
    print(f"\n{name} at {size}: {speed:.0f} images/s")
    assert speed >= least


@pytest.fixture
def photographs(tmp_path):
    """Two hundred JPEGs of 512 x 384."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(200):
        small = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8))
        path = tmp_path / f"{i}.jpg"
        small.resize((512, 384), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(path)
    return paths


def test_the_pipeline_over_bare_decoding(benchmark, photographs, monkeypatch, tmp_path):
    """Decode, fit, batch, augment against decode and resize with Pillow alone."""
    monkeypatch.setenv("MEDATTN_CACHE", str(tmp_path / "cache"))
    source = FileSource(photographs, 224)
    labels = np.arange(200) % 2
    ids = [path.name for path in photographs]
    data = Dataset(find_card("folder"), "train", ids, labels, source)
    stream = data.batches(25, training=True).take(8)  # each round from its start
    pairs = []

    def bare(path):
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB").resize((224, 224)))

    def one_of_each():
        start = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(bare, photographs))
        middle = time.perf_counter()
        assert sum(len(label) for _, label in stream) == 200
        pairs.append((middle - start, time.perf_counter() - middle))

    benchmark.pedantic(one_of_each, rounds=7, warmup_rounds=1)
    ratio = statistics.median(b / p for b, p in pairs)
    print(f"\npipeline over bare decoding: {ratio:.2f} of its images/s")
    assert ratio >= OVER_BARE


def test_a_training_step_hardly_waits_for_data(benchmark):
    """Step time from the cached pipeline against the same batch over and over."""
    import keras

    from medattn.models import create_model

    data = load_dataset("fundus", split="test")
    model = create_model("micro_resnet")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=False)
    stream = iter(data.batches(32, training=True))
    batch = next(stream)
    for _ in range(5):
        model.train_on_batch(*next(stream))
    shares, steps = [], []

    def twenty():
        waited = worked = 0.0
        for _ in range(20):
            start = time.perf_counter()
            parts = next(stream)
            middle = time.perf_counter()
            model.train_on_batch(*parts)
            steps.append(time.perf_counter() - middle)
            waited, worked = waited + middle - start, worked + steps[-1]
        shares.append(waited / (waited + worked))

    benchmark.pedantic(twenty, rounds=7)
    share = statistics.median(shares)  # so that one busy moment does not decide
    print(f"\nwaiting for data: {share:.1%} of a step of {np.median(steps):.3f} s")
    assert share <= WAITING
    assert np.asarray(batch[0]).shape == (32, 64, 64, 3)


def test_memory_stays_flat_over_ten_epochs_of_20000_images(benchmark):
    images = np.zeros((20_000, 32, 32, 3), np.uint8)
    ids = [str(i) for i in range(20_000)]
    labels = np.zeros(20_000, int)
    data = Dataset(find_card("fundus"), "train", ids, labels, ArraySource(images))
    augmentation = Augmentation(flip_horizontal=True, degrees=10)
    stream = iter(data.batches(200, training=True, augmentation=augmentation))
    used = []

    def epoch():
        for _ in range(100):
            next(stream)
        used.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    benchmark.pedantic(epoch, rounds=10)
    print(f"\npeak memory after each epoch, MB: {np.round(used).astype(int).tolist()}")
    assert used[-1] - used[1] < 0.02 * used[1]
