"""Speed, as a ratio to a peer in the same run, or a limit the learner would notice.

pytest tests/benchmarks --benchmark-only -n 0
"""

import itertools
import statistics
import time

import numpy as np
import pytest

from medattn.data import draw_images
from medattn.data.synthetic import fundus
from medattn.explain import create_analyzer
from medattn.zoo import load_zoo_model
from medattn_app.bench import REGIMES, Bench, baselines, gallery
from medattn_app.view import page

MODELS = ("micro_resnet", "se_micro_resnet", "cbam_micro_resnet")
LRP_OVER_GRADIENT = 1.2
TOGGLE_SECONDS = 0.150
IMAGES_A_SECOND = 200


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("name", MODELS)
def test_lrp_epsilon_over_one_input_gradient(benchmark, name, batch):
    model = load_zoo_model(name)
    lrp = create_analyzer("lrp.epsilon", model)
    gradient = create_analyzer("gradient", model)
    images = draw_images("fundus", range(batch))["image"].astype(np.float32) / 255
    for _ in range(5):
        lrp.analyze(images), gradient.analyze(images)
    pairs = []

    def one_of_each():
        """Interleaved, so that a busy machine slows both."""
        start = time.perf_counter()
        gradient.analyze(images)
        middle = time.perf_counter()
        lrp.analyze(images)
        pairs.append((middle - start, time.perf_counter() - middle))

    benchmark.pedantic(one_of_each, rounds=80)
    ratio = statistics.median(p[1] for p in pairs) / statistics.median(
        p[0] for p in pairs
    )
    benchmark.extra_info["lrp_over_gradient"] = round(ratio, 3)
    print(f"\n{name}, batch {batch}: LRP-epsilon over gradient {ratio:.2f}")
    assert ratio <= LRP_OVER_GRADIENT


def test_a_toggle_in_the_server(benchmark):
    """Three networks, three ledgers, the whole page: nothing remembered."""
    bench, cases = Bench(), gallery()
    bench.warm_up()
    questions = itertools.cycle(itertools.product(cases, REGIMES))

    def forget():
        bench._remembered.clear()
        return next(questions), {}

    def toggle(case, regime):
        return page(
            case,
            bench.compare(case, REGIMES[regime], "lrp.epsilon"),
            attention="CBAM",
            regime=regime,
            method=("LRP", "lrp.epsilon"),
            baselines=baselines(case),
        )

    benchmark.pedantic(toggle, setup=forget, rounds=64)
    print(f"\na toggle: median {1000 * benchmark.stats.stats.median:.0f} ms")
    assert benchmark.stats.stats.median <= TOGGLE_SECONDS


def test_drawing_retinas(benchmark):
    places = itertools.count(step=64)

    def sixty_four():
        start = next(places)
        return fundus.draw(range(start, start + 64), seed=1)

    benchmark.pedantic(sixty_four, rounds=12, warmup_rounds=1)
    speed = 64 / benchmark.stats.stats.median
    print(f"\nretinas at 64 x 64: {speed:.0f} images/s")
    assert speed >= IMAGES_A_SECOND
