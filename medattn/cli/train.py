"""The verb train: trains one network on one data set and saves it."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from medattn.cli.backend import import_backend


def train(
    model: Positional[str],
    /,
    *,
    dataset: str = "fundus",
    data: Path | None = None,
    regime: float = 1.0,
    seed: int = 0,
    steps: int = 500,
    batch_size: int = 32,
    learning_rate: float = 6e-3,
    size: int = 64,
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32",
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("runs"),
) -> None:
    """Train one network on one data set and save it with its record.

    Args:
        model: Which network, such as micro_resnet, se_micro_resnet, cbam_micro_resnet.
        dataset: Which data set.
        data: Your own images instead: a folder with one folder a class, or with a
            labels.csv.
        regime: Fraction of the training data to use, in (0, 1]: 0.01, 0.1, 0.5 or 1.
        seed: Seed of subset, initial weights, order and augmentation.
        steps: Optimiser steps, the same in every regime.
        batch_size: Images a step.
        learning_rate: Peak learning rate.
        size: Height and width to which images are resized, in pixels.
        precision: Of the arithmetic; mixed_bfloat16 is quicker on new accelerators.
        output: Folder for the weights and the record.
    """
    import_backend()
    import keras

    keras.config.set_dtype_policy(precision)
    from medattn.study import Trial, save_trial, train_trial
    from medattn.study.execute.splits import load_splits

    if data is not None:
        dataset = "folder"
    trial = Trial(model, dataset, regime, seed, steps, batch_size, learning_rate, size)
    root = None if data is None else str(data)
    trained, measured = train_trial(trial, root=root)
    measured["classes"] = list(load_splits(trial, root=root)["train"].card.classes)
    path = save_trial(output, trial, trained, measured)
    model_file = path.with_suffix(".keras")
    trained.save(model_file)
    test = measured["test"]
    print(
        f"{model} on {measured['train_images']} images of {data or dataset} "
        f"({', '.join(measured['classes'])}): test "
        f"AUROC {test['auroc']:.3f} over {measured['test_images']} images; accuracy "
        f"{test['accuracy']:.1%}, of always the commoner class "
        f"{test['majority_accuracy']:.1%}."
    )
    if "relevance_mass" in test:
        print(
            f"Relevance inside the evidence {test['relevance_mass']:.0%}, of a random "
            f"map {test['relevance_mass_random']:.0%}, of an edge detector "
            f"{test['relevance_mass_edges']:.0%}."
        )
    print(f"Saved {path}, its weights, and the whole model as {model_file}")
