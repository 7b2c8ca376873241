"""One trial in one folder: interrupted and started again, it ends the same."""

import json
import os
import platform
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medattn.study.execute.lease import Lease, lease_holder, take_lease
from medattn.study.files import (
    delete_checkpoints,
    file_sha256,
    read_json,
    read_json_lines,
    write_arrays,
    write_atomic,
    write_json,
)
from medattn.study.plan.code import DECIDING, code_fingerprint
from medattn.study.plan.trial import (
    Trial,
    pretraining,
    read_trial,
    trial_config,
    trial_id,
)

if TYPE_CHECKING:
    import keras

    from medattn.study.execute.rounds import History
    from medattn.study.execute.splits import Splits

POLL = 1.0  # seconds between two looks at a trial that another runner works on


def run_trial(
    trial: Trial,
    folder: str | Path,
    *,
    analyzers: Sequence[str] = (),
    root: str | None = None,
    weights: str | None = None,
    threads: int = 1,
    verbose: int = 0,
) -> dict[str, Any]:
    """Trains and measures one trial, unless that was done; safe to kill at any moment.

    The trial's own folder in `folder` holds `config.json`; while training runs,
    `checkpoint-*.bin`, a lease and `history.jsonl`; then `weights.safetensors`,
    `predictions.npz`, `ids.json`, `environment.json`, `maps-<analyzer>.npz`; and,
    last, `done.json` with the scores and the SHA-256 of the other files. A trial that
    can never succeed leaves `failed.json` with the reason instead.

    Args:
        trial: A `Trial`.
        folder: The study's.
        analyzers: Whose maps to score; one that is new to a finished trial is scored
            without training again.
        root: Folder of a data set that is not synthetic.
        weights: Folder of `<model>.safetensors` for `initialisation="imagenet"`.
        threads: Of a process; the bits depend on them.
        verbose: As in `keras.Model.fit`.

    Returns:
        The content of `done.json` or `failed.json`: a dict with `state` `"done"` or
        `"failed"`.

    Raises:
        OSError: If the disk is full, for instance. The same call continues later.
        LeaseLost: If another runner took over meanwhile.
    """
    trial_folder = Path(folder) / trial_id(trial)
    trial_folder.mkdir(parents=True, exist_ok=True)
    while True:
        outcome = trial_outcome(trial_folder, analyzers=analyzers)
        if outcome is not None:
            return outcome
        lease = take_lease(trial_folder)
        if lease is not None:
            break
        time.sleep(POLL)
    with lease:
        outcome = trial_outcome(
            trial_folder, analyzers=analyzers
        )  # it may just have ended
        if outcome is not None:
            return outcome
        _delete_unfinished(trial_folder)
        config = trial_config(trial)
        config |= {"code": code_fingerprint(), "threads": threads}
        write_json(trial_folder / "config.json", config)
        try:
            if not (trial_folder / "done.json").exists():
                trunk = _trunk(trial, folder, root, weights, threads)
                _train(trial, trial_folder, lease, trunk, root, verbose)
            _explain(trial, trial_folder, analyzers, root)
        except ValueError as error:  # the trial's own fault: a retry would not mend it
            from medattn.study.execute.rounds import Diverged

            kind = "diverged" if isinstance(error, Diverged) else "refused"
            failed = {"state": "failed", "kind": kind, "reason": str(error)}
            write_json(trial_folder / "failed.json", failed)
            return failed
    outcome = trial_outcome(trial_folder, analyzers=analyzers)
    assert outcome is not None
    return outcome


def trial_outcome(
    trial_folder: Path, *, analyzers: Sequence[str] = ()
) -> dict[str, Any] | None:
    """Reads how a trial ended; None if there is something left to do.

    Args:
        trial_folder: The trial's folder.
        analyzers: Whose maps it should have.

    Returns:
        The content of `done.json` or `failed.json`, or None.
    """
    failed = read_json(trial_folder / "failed.json")
    if failed is not None:
        return failed
    done = read_json(trial_folder / "done.json")
    if done is None or any(
        not _maps_path(trial_folder, name).exists() for name in analyzers
    ):
        return None
    return done


def trial_progress(trial_folder: Path) -> dict[str, Any]:
    """Reads the progress of a trial: `step` and the last validation; {} before it."""
    history = read_json_lines(trial_folder / "history.jsonl")
    return history[-1] if history else {}


def trial_state(trial_folder: Path, *, analyzers: Sequence[str] = ()) -> str:
    """Names the state of a trial: done, failed, running, stopped or waiting."""
    outcome = trial_outcome(trial_folder, analyzers=analyzers)
    if outcome is not None:
        return outcome["state"]
    if not (trial_folder / "config.json").exists():
        return "waiting"
    return "running" if lease_holder(trial_folder) else "stopped"


def load_trained(trial_folder: str | Path) -> "keras.Model":
    """Loads the model of a finished trial.

    Args:
        trial_folder: The trial's folder.

    Returns:
        A `keras.Model`.
    """
    from medattn.models import create_model, load_weights

    trial = read_trial(read_json(Path(trial_folder) / "config.json"))
    done = read_json(Path(trial_folder) / "done.json")
    model = create_model(
        trial.model,
        num_classes=len(done["classes"]),
        input_shape=(trial.size, trial.size, 3),
    )
    load_weights(model, Path(trial_folder) / "weights.safetensors")
    return model


def limit_threads(threads: int) -> None:
    """Limits the threads of this process; call it before the first operation."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def _trunk(
    trial: Trial,
    folder: str | Path,
    root: str | None,
    weights: str | None,
    threads: int,
) -> "keras.Model | Path | None":
    """Finds what a trial starts from; runs the pretraining trial if it is not done."""
    if trial.initialisation == "imagenet":
        return Path(weights) / f"{trial.model}.safetensors" if weights else None
    before = pretraining(trial)
    if before is None:
        return None
    outcome = run_trial(before, folder, root=root, threads=threads)
    if outcome["state"] != "done":
        raise ValueError(
            f"The pretraining failed. Expected trial {trial_id(before)} to be done. "
            f"Received: {outcome['reason']}"
        )
    return load_trained(Path(folder) / trial_id(before))


def _train(
    trial: Trial,
    trial_folder: Path,
    lease: Lease,
    trunk: "keras.Model | Path | None",
    root: str | None,
    verbose: int,
) -> None:
    """Trains a trial and writes its files, `done.json` last."""
    from medattn.models import save_weights
    from medattn.study.execute import train
    from medattn.study.execute.trackers import TensorBoard, mlflow_callbacks

    started = time.time()

    def on_round(history: "History") -> None:
        lease.check()
        lines = "".join(json.dumps(line) + "\n" for line in history)
        write_atomic(trial_folder / "history.jsonl", lines)

    board = TensorBoard(trial_folder / "tensorboard", write_graph=False)
    with mlflow_callbacks(trial) as trackers:
        model, splits, history = train.fit_trial(
            trial,
            folder=trial_folder,
            trunk=trunk,
            root=root,
            on_round=on_round,
            verbose=verbose,
            callbacks=[board, *trackers],
        )
    trained = time.time()
    lease.check()
    on_round(history)
    save_weights(model, trial_folder / "weights.safetensors")
    scores = _predict(model, splits, trial_folder)
    ids = _write_ids(splits, trial_folder)
    _write_environment(
        trial_folder, training=trained - started, total=time.time() - started
    )
    _write_done(trial, trial_folder, history, splits, ids, scores)
    delete_checkpoints(trial_folder)


def _predict(
    model: "keras.Model", splits: "Splits", trial_folder: Path
) -> dict[str, dict[str, float]]:
    """Writes the predictions of all splits but training; returns their scores."""
    import numpy as np

    from medattn.study.analyse.metrics import probabilities
    from medattn.study.analyse.scores import score_predictions

    arrays: dict[str, np.ndarray] = {}
    scores = {}
    for split in [name for name in splits if name != "train"]:
        images, labels = splits[split].arrays()[:2]
        predicted = probabilities(model, images)
        patients = getattr(splits[split], "patients", None)
        arrays |= {
            f"{split}_probabilities": predicted,
            f"{split}_labels": np.asarray(labels),
            f"{split}_ids": np.array(splits[split].ids),
        }
        if patients is not None:
            arrays[f"{split}_patients"] = np.array(patients)
        scores[split] = score_predictions(
            labels, predicted, patients=patients, draws=1000 if split == "test" else 0
        )
    write_arrays(trial_folder / "predictions.npz", **arrays)
    return scores


def _write_ids(splits: "Splits", trial_folder: Path) -> dict[str, dict[str, Any]]:
    """Writes how many images each split has, and which the model was trained on."""
    from medattn.study.execute.splits import ids_sha256

    ids = {
        name: {"images": len(split), "sha256": ids_sha256(split.ids)}
        | {"positives": int((split.labels == 1).sum())}
        | ({"ids": list(split.ids)} if name == "train" else {})
        for name, split in splits.items()
    }
    write_json(trial_folder / "ids.json", ids)
    return ids


def _write_environment(trial_folder: Path, *, training: float, total: float) -> None:
    """Writes where and with which versions a trial ran, and how many seconds."""
    import keras

    from medattn.study.execute.record import versions

    environment = {
        "versions": versions(),
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "host": socket.gethostname(),
        "cores": os.cpu_count(),
        "deciding_code": list(DECIDING),
        "seconds_training": round(training, 2),
        "seconds": round(total, 2),
    }
    write_json(trial_folder / "environment.json", environment)


def _write_done(
    trial: Trial,
    trial_folder: Path,
    history: "History",
    splits: "Splits",
    ids: dict[str, dict[str, Any]],
    scores: dict[str, dict[str, float]],
) -> None:
    """Writes the outcome of a trial, with the hashes of its files."""
    from medattn.study.execute.splits import TEST_WITH_SHORTCUT

    files = ("weights.safetensors", "predictions.npz", "history.jsonl", "ids.json")
    steps = history[-1]["step"]
    done = {
        "state": "done",
        "classes": list(splits["train"].card.classes),
        "steps": steps,
        "epochs": steps * trial.batch_size / len(splits["train"]),
        "images": {split: entry["images"] for split, entry in ids.items()},
        "positives": ids["train"]["positives"],
        "test": scores["test"],
        "validation": scores["validation"],
        "with_shortcut": scores.get(TEST_WITH_SHORTCUT),
        "sha256": {name: file_sha256(trial_folder / name) for name in files},
    }
    write_json(trial_folder / "done.json", done)


def _explain(
    trial: Trial, trial_folder: Path, analyzers: Sequence[str], root: str | None
) -> None:
    """Scores the maps that are not scored yet."""
    import numpy as np

    missing = [
        name for name in analyzers if not _maps_path(trial_folder, name).exists()
    ]
    if not missing:
        return
    from medattn.study.analyse.maps import artefact_masks, score_maps
    from medattn.study.execute.splits import load_splits

    test = load_splits(trial, root=root)["test"].arrays()
    has_masks = test.masks is not None and np.asarray(test.masks).any()
    model = load_trained(trial_folder) if has_masks else None
    for name in missing:
        scores: dict[str, np.ndarray] = {}
        reason = "no evidence masks"
        if has_masks:
            try:
                scores = score_maps(model, name, test, artefacts=artefact_masks(trial))
                reason = ""
            except ValueError as error:  # this analyzer cannot explain this model
                reason = str(error)
        write_arrays(_maps_path(trial_folder, name), reason=np.array(reason), **scores)


def _maps_path(trial_folder: Path, analyzer: str) -> Path:
    return trial_folder / f"maps-{analyzer}.npz"


def _delete_unfinished(trial_folder: Path) -> None:
    """Deletes the unfinished files of dead runners; the caller holds the lease."""
    for part in trial_folder.glob(".*.part"):
        part.unlink(missing_ok=True)
