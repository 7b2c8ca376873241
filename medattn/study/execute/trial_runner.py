"""One trial, one folder: started again at any moment, it ends the same."""

import contextlib
import os
import platform
import socket
import time
from dataclasses import asdict
from pathlib import Path

from medattn.study.execute.lease import lease_holder, take_lease
from medattn.study.files import (
    drop_checkpoints,
    file_sha256,
    read_json,
    write_arrays,
    write_atomic,
    write_json,
)
from medattn.study.plan.trial import (
    DECIDING,
    code_fingerprint,
    pretraining,
    read_trial,
    trial_config,
    trial_id,
)

POLL = 1.0  # seconds between two looks at a trial that somebody else works on


def run_trial(
    trial, folder, *, analyzers=(), root=None, weights=None, threads=1, verbose=0
):
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
        root: Folder of a data set that is not drawn.
        weights: Folder of `<model>.safetensors` for `initialisation="imagenet"`.
        threads: Of a process; part of what decides the bits.
        verbose: As in `keras.Model.fit`.

    Returns:
        What `done.json` or `failed.json` says: a dict with `state` `"done"` or
        `"failed"`.

    Raises:
        OSError: If the disk is full, for instance. The same call goes on later.
        LeaseLost: If another runner took over meanwhile.
    """
    place = Path(folder) / trial_id(trial)
    place.mkdir(parents=True, exist_ok=True)
    while True:
        found = trial_outcome(place, analyzers=analyzers)
        if found is not None:
            return found
        lease = take_lease(place)
        if lease is not None:
            break
        time.sleep(POLL)
    with lease:
        found = trial_outcome(place, analyzers=analyzers)  # it may just have ended
        if found is not None:
            return found
        sweep(place)
        config = trial_config(trial)
        config |= {"code": code_fingerprint(), "threads": threads}
        write_json(place / "config.json", config)
        try:
            if not (place / "done.json").exists():
                trunk = _trunk(trial, folder, root, weights, threads)
                _train(trial, place, lease, trunk, root, verbose)
            _explain(trial, place, analyzers, root)
        except ValueError as error:  # the trial's own fault: a retry would not mend it
            from medattn.study.execute.train import Diverged

            kind = "diverged" if isinstance(error, Diverged) else "refused"
            failed = {"state": "failed", "kind": kind, "reason": str(error)}
            write_json(place / "failed.json", failed)
            return failed
    return trial_outcome(place, analyzers=analyzers)


def trial_outcome(place, *, analyzers=()):
    """Reads how a trial ended; None if there is something left to do."""
    failed = read_json(place / "failed.json")
    if failed is not None:
        return failed
    done = read_json(place / "done.json")
    if done is None or any(not _maps_path(place, name).exists() for name in analyzers):
        return None
    return done


def trial_progress(place):
    """Reads how far a trial is: a dict with `step` and the last validation, or {}."""
    try:
        lines = (place / "history.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return {}
    import json

    return json.loads(lines[-1]) if lines else {}


def trial_state(place, *, analyzers=()):
    """Names where a trial stands: done, failed, running, stopped or waiting."""
    outcome = trial_outcome(place, analyzers=analyzers)
    if outcome is not None:
        return outcome["state"]
    if not (place / "config.json").exists():
        return "waiting"
    return "running" if lease_holder(place) else "stopped"


def load_trained(place):
    """Loads the model of a finished trial.

    Args:
        place: The trial's folder.

    Returns:
        A `keras.Model`.
    """
    from medattn.models import create_model, load_weights

    trial = read_trial(read_json(Path(place) / "config.json"))
    done = read_json(Path(place) / "done.json")
    model = create_model(
        trial.model,
        num_classes=len(done["classes"]),
        input_shape=(trial.size, trial.size, 3),
    )
    load_weights(model, Path(place) / "weights.safetensors")
    return model


def limit_threads(threads):
    """Gives this process a number of threads; call it before the first operation."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def _trunk(trial, folder, root, weights, threads):
    """Finds what a trial starts from; a pretraining trial is run if it was not."""
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


def _train(trial, place, lease, trunk, root, verbose):
    import json

    import keras
    import numpy as np

    from medattn.models import save_weights
    from medattn.study.analyse.metrics import probabilities
    from medattn.study.analyse.scores import score_predictions
    from medattn.study.execute import train

    begun = time.time()

    def on_round(history):
        lease.check()
        lines = "".join(json.dumps(line) + "\n" for line in history)
        write_atomic(place / "history.jsonl", lines)

    board = train.Board(place / "tensorboard", write_graph=False)
    with _mlflow(trial) as trackers:
        model, parts, history = train.fit_trial(
            trial,
            folder=place,
            trunk=trunk,
            root=root,
            on_round=on_round,
            verbose=verbose,
            callbacks=[board, *trackers],
        )
    trained = time.time()
    lease.check()
    on_round(history)
    save_weights(model, place / "weights.safetensors")
    arrays, scores = {}, {}
    for split in [name for name in parts if name != "train"]:
        images, labels = parts[split].arrays()[:2]
        chance = probabilities(model, images)
        patients = getattr(parts[split], "patients", None)
        arrays |= {
            f"{split}_probabilities": chance,
            f"{split}_labels": np.asarray(labels),
            f"{split}_ids": np.array(parts[split].ids),
        }
        if patients is not None:
            arrays[f"{split}_patients"] = np.array(patients)
        scores[split] = score_predictions(
            labels, chance, patients=patients, draws=1000 if split == "test" else 0
        )
    write_arrays(place / "predictions.npz", **arrays)
    ids = {
        split: {"images": len(part), "sha256": train.ids_sha256(part.ids)}
        | {"positives": int((part.labels == 1).sum())}
        | ({"ids": list(part.ids)} if split == "train" else {})
        for split, part in parts.items()
    }
    write_json(place / "ids.json", ids)
    environment = {
        "versions": train.versions(),
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "host": socket.gethostname(),
        "cores": os.cpu_count(),
        "deciding_code": list(DECIDING),
        "seconds_training": round(trained - begun, 2),
        "seconds": round(time.time() - begun, 2),
    }
    write_json(place / "environment.json", environment)
    files = ("weights.safetensors", "predictions.npz", "history.jsonl", "ids.json")
    done = {
        "state": "done",
        "classes": list(parts["train"].card.classes),
        "steps": history[-1]["step"],
        "epochs": history[-1]["step"] * trial.batch_size / len(parts["train"]),
        "images": {split: entry["images"] for split, entry in ids.items()},
        "positives": ids["train"]["positives"],
        "test": scores["test"],
        "validation": scores["validation"],
        "with_shortcut": scores.get(train.SAME),
        "sha256": {name: file_sha256(place / name) for name in files},
    }
    write_json(place / "done.json", done)
    drop_checkpoints(place)


def _explain(trial, place, analyzers, root):
    """Scores the maps that are not scored yet."""
    import numpy as np

    missing = [name for name in analyzers if not _maps_path(place, name).exists()]
    if not missing:
        return
    from medattn.study.analyse.maps import artefacts, score_maps
    from medattn.study.execute.train import load_parts

    test = load_parts(trial, root=root)["test"].arrays()
    has_masks = test.masks is not None and np.asarray(test.masks).any()
    model = load_trained(place) if has_masks else None
    for name in missing:
        scores, reason = {}, "no evidence masks"
        if has_masks:
            try:
                scores = score_maps(model, name, test, artefacts=artefacts(trial))
                reason = ""
            except ValueError as error:  # this analyzer cannot explain this model
                reason = str(error)
        write_arrays(_maps_path(place, name), reason=np.array(reason), **scores)


def _maps_path(place, analyzer):
    return place / f"maps-{analyzer}.npz"


def sweep(place):
    """Deletes the unfinished files of those who died; the caller holds the lease."""
    for part in place.glob(".*.part"):
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _mlflow(trial):
    """Logs to MLflow if the environment names a server: one run a trial.

    A package that is missing is no fault of the trial: it is told, and not marked.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        yield []
        return
    try:
        import mlflow
    except ImportError:
        raise ImportError(
            "MLflow is not installed. Expected `pip install mlflow`, or no variable "
            "MLFLOW_TRACKING_URI. Received: MLFLOW_TRACKING_URI="
            f"{os.environ['MLFLOW_TRACKING_URI']}"
        ) from None
    import keras

    def log(epoch, logs):
        mlflow.log_metrics({key: float(value) for key, value in logs.items()}, epoch)

    with mlflow.start_run(run_name=trial_id(trial)):
        mlflow.log_params(asdict(trial))
        yield [keras.callbacks.LambdaCallback(on_epoch_end=log)]
