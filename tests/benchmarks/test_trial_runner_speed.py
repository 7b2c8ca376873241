"""What running a trial costs over bare training.

pytest tests/benchmarks/test_trial_runner_speed.py --benchmark-only -n 0
"""

import resource

import keras
import numpy as np

from medattn.data import load_dataset
from medattn.models import create_model
from medattn.study import Trial, run_trial
from medattn.study.execute.splits import load_splits

OVER_BARE_FIT = 0.05
TRIAL = Trial("micro_resnet", regime=0.1, steps=300)


def processor_seconds():
    """Time of all cores for this process: the load of others does not count."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def bare():
    """The same training with nothing around it: `compile`, `fit`, `predict`."""
    keras.utils.set_random_seed(TRIAL.seed)
    model = create_model(TRIAL.model, input_shape=(TRIAL.size, TRIAL.size, 3))
    splits = load_splits(TRIAL)
    model.compile(
        keras.optimizers.AdamW(TRIAL.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.fit(
        splits["train"].batches(TRIAL.batch_size, training=True),
        epochs=TRIAL.rounds,
        steps_per_epoch=TRIAL.steps // TRIAL.rounds,
        shuffle=False,  # the pipeline shuffles
        validation_data=splits["validation"].batches(250),
        verbose=0,
    )
    model.predict(splits["validation"].arrays().images, verbose=0, batch_size=250)
    model.predict(splits["test"].arrays().images, verbose=0, batch_size=250)


def test_a_trial_costs_little_more_than_bare_fit(benchmark, tmp_path):
    """Lease, checkpoints, history, TensorBoard, scores and hashes included."""
    load_dataset("fundus", split="test"), load_dataset("fundus")
    bare(), run_trial(TRIAL, tmp_path / "warm")  # libraries load once
    pairs, numbers = [], iter(range(100))

    def one_of_each():
        start = processor_seconds()
        bare()
        middle = processor_seconds()
        run_trial(TRIAL, tmp_path / str(next(numbers)))
        pairs.append((middle - start, processor_seconds() - middle))

    benchmark.pedantic(one_of_each, rounds=5)
    ratio = float(np.median([trial / fit for fit, trial in pairs]))
    benchmark.extra_info["trial_over_fit"] = round(ratio, 3)
    print(f"\na trial over bare fit: {ratio:.3f} (processor time, {pairs})")
    assert ratio <= 1 + OVER_BARE_FIT
