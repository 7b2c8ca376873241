"""Speed of the networks: against keras.applications, and of attention on a trunk.

Least times of interleaved pairs at 224 x 224 and batch 8: what the work takes when
nobody disturbs. Beside each ratio stand that of processor time and the one that
multiply-adds predict. The limits are on time by the clock.

pytest tests/benchmarks/test_model_speed.py --benchmark-only -n 0 -s
"""

import time

import keras
import numpy as np
import pytest

from medattn.models import complexity, create_model

OVER_KERAS = 1.05
OVER_TRUNK = {"se": 1.10, "cbam": 1.30}
ROUNDS = 9
BATCH = 8
KERAS = {
    "resnet50": keras.applications.ResNet50,
    "densenet121": keras.applications.DenseNet121,
}


def ours(name):
    return create_model(name, pooling="avg")


def compiled(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), loss)
    return model


def ratios(benchmark, one, other):
    """Returns how much longer the first takes: training step, forward, predicted."""
    images = np.random.default_rng(0).random((BATCH, 224, 224, 3)).astype(np.float32)
    labels = np.arange(BATCH) % 2
    pair = [compiled(one), compiled(other)]
    for model in pair:  # traces and compiles
        model.train_on_batch(images, labels)
        model.predict_on_batch(images)
    kinds = ("training", "forward", "training_cpu", "forward_cpu")
    times = {kind: ([], []) for kind in kinds}
    turn = iter(range(ROUNDS))

    def one_of_each():
        order = (0, 1) if next(turn) % 2 else (1, 0)  # nobody always comes first
        for which in order:
            timed("training", which, pair[which].train_on_batch, images, labels)
        for which in order * 3:  # short, so that one moment's noise is a larger part
            timed("forward", which, pair[which].predict_on_batch, images)

    def timed(kind, which, step, *data):
        clock, cpu = time.perf_counter(), time.process_time()
        step(*data)
        times[f"{kind}_cpu"][which].append(time.process_time() - cpu)
        times[kind][which].append(time.perf_counter() - clock)

    benchmark.pedantic(one_of_each, rounds=ROUNDS)
    cost = [complexity(model)["multiply_adds"]["total"] for model in pair]
    found = {what: min(a) / min(b) for what, (a, b) in times.items()}
    found["multiply_adds"] = cost[0] / cost[1]
    benchmark.extra_info |= {what: round(ratio, 3) for what, ratio in found.items()}
    print(f"\n{one.name} over {other.name}: " + ", ".join(
        f"{what} {ratio:.3f}" for what, ratio in found.items()
    ))  # fmt: skip
    return found


@pytest.mark.parametrize("name", KERAS)
def test_ours_is_as_fast_as_that_of_keras_applications(benchmark, name):
    """The ResNet-50 of keras.applications strides in the 1 x 1: fewer multiply-adds.

    The bound is on the bare ratio; the ratio a multiply-add is told beside it.
    """
    theirs = KERAS[name](
        weights=None, classes=2, classifier_activation=None, name=f"keras_{name}"
    )
    found = ratios(benchmark, ours(name), theirs)
    for what in ("training", "forward"):
        share = found[what] / found["multiply_adds"]
        benchmark.extra_info[f"{what}_a_multiply_add"] = round(share, 3)
        print(f"{what} a multiply-add: {share:.3f}")
    assert found["forward"] <= OVER_KERAS
    assert found["training"] <= OVER_KERAS


@pytest.mark.parametrize("trunk", KERAS)
@pytest.mark.parametrize("block", OVER_TRUNK)
def test_attention_costs_little_in_a_training_step(benchmark, trunk, block):
    found = ratios(benchmark, ours(f"{block}_{trunk}"), ours(trunk))
    assert found["training"] <= OVER_TRUNK[block]
