"""Promotes a study: its numbers into the package, one seed's weights into the zoo."""

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from medattn.data import CARDS
from medattn.study.analyse.calibration_table import (
    add_bins,
    bins_path,
    count_bins,
    read_bins,
    write_bins,
)
from medattn.study.analyse.probabilities import promote_chances
from medattn.study.analyse.results import (
    SHIPPED,
    Row,
    gather_results,
    read_results,
    write_results,
)
from medattn.study.files import read_json, write_atomic, write_json
from medattn.study.plan.shipped_names import rows_to_ship, shipped_folder, shipped_name
from medattn.study.plan.trial import SHAPES, read_trial, trial_config
from medattn.study.report.model_cards import model_card

MAXIMUM_BYTES = 4_000_000  # of one network's weights; larger ones are not shipped
# Columns of the table that the record of a shipped network repeats, and their keys.
MAP_MEANS = {
    "lrp.epsilon:relevance_mass": "relevance_mass",
    "lrp.epsilon:random_relevance_mass": "relevance_mass_random",
    "lrp.epsilon:edges_relevance_mass": "relevance_mass_edges",
    "lrp.epsilon:shortcut_share": "shortcut_share",
    "lrp.epsilon:random_shortcut_share": "shortcut_share_random",
}


def promote_trials(
    folder: str | Path,
    *,
    zoo: str | Path,
    results: str | Path = SHIPPED,
    seed: int = 0,
    add: bool = False,
) -> tuple[int, int, int]:
    """Ships a study: all its numbers, and one seed's weights.

    A study of plain trials (random starts, no planted artefact) ships the networks of
    one seed. One that varies the start or the shortcut ships those of its networks
    that are not plain, beside the plain ones: see `medattn.study.plan.shipped_names`.
    What a study ships of a data set replaces all that it had shipped of it before, and
    nothing of another study.

    Args:
        folder: The study's.
        zoo: Folder of the shipped weights; one file and one record a trial go to
            `<zoo>/<dataset>/` or, unless plain, to `<zoo>/<dataset>/<study>/`, and a
            model card, `README.md`.
        results: Folder of the shipped results; `<study>.csv` goes there, and its
            calibration to `calibration/<study>.csv`, and the probabilities that every
            seed's network gives to the first test images to `chances-<study>.json`.
        seed: Whose weights to ship.
        add: Whether to keep shipped trials that the folder lacks: further seeds can
            then be run elsewhere, without those that are shipped already.

    Returns:
        `(trials in the table, networks shipped, their bytes)`.

    Raises:
        ValueError: If nothing has ended, the trials are of several versions of the
            code, the folder holds trials of a data set of which nothing may be
            shipped, or trials are added of which some are shipped already.
    """
    folder = Path(folder)
    table = Path(results) / f"{folder.name}.csv"
    new = gather_results(folder)
    kept = _shipped_rows(table, new) if add and new else []
    rows = sorted(new + kept, key=lambda row: row["id"])
    _check_shippable(rows, folder, and_shipped=bool(kept))
    Path(results).mkdir(parents=True, exist_ok=True)
    bins = count_bins([r for r in new if r["dataset"] != SHAPES], folder)
    if kept:
        bins = add_bins(read_bins(bins_path(results, folder.name)), bins)
    # Failed trials stay in the table: leaving them out would flatter.
    write_results(rows, table)
    write_bins(bins, bins_path(results, folder.name))
    promote_chances(folder, results, add=bool(kept))
    networks, size = 0, 0
    ended = [row for row in rows_to_ship(new) if row["state"] == "done"]
    for dataset in dict.fromkeys(row["dataset"] for row in ended):
        of_dataset = [row for row in rows if row["dataset"] == dataset]
        candidates = rows_to_ship(of_dataset)
        target = Path(zoo) / shipped_folder(candidates[0], folder.name)
        chosen = [
            row
            for row in candidates
            if row["seed"] == seed and _is_shipped(folder, row, target)
        ]
        if chosen:
            size += _ship(folder, target, chosen, of_dataset)
            networks += len(chosen)
    return len(rows), networks, size


def _shipped_rows(table: Path, new: Sequence[Row]) -> list[Row]:
    """Reads the shipped trials that new ones are added to, none of them twice."""
    if not table.exists():
        return []
    kept = [{k: v for k, v in r.items() if k != "study"} for r in read_results(table)]
    twice = sorted({row["id"] for row in kept} & {row["id"] for row in new})
    if twice:
        raise ValueError(
            "Trials are shipped already. Expected to add only those that are not, or "
            f"to promote all again, without adding. Received: {len(twice)} trials that "
            f"{table.name} holds, the first {twice[0]!r}"
        )
    return kept


def _check_shippable(rows: Sequence[Row], folder: Path, *, and_shipped: bool) -> None:
    """Refuses credentialed data sets, and results of several versions of the code."""
    for name in sorted({row["dataset"] for row in rows} & set(CARDS)):
        if CARDS[name].access.get("credentialed"):
            raise ValueError(
                f"No result of {name!r} may be shipped: access to it is "
                "credentialed. Expected a study without it; `medattn study gather` "
                f"writes a table of your own. Received: trials of {name!r} in "
                f"{str(folder)!r}"
            )
    codes = sorted({str(row["code"]) for row in rows})
    if len(codes) != 1:
        raise ValueError(
            "Only results of one version of the code are shipped. Expected one "
            f"fingerprint in {str(folder)!r}{' and what is shipped' * and_shipped}. "
            f"Received: {codes}"
        )


def _is_shipped(folder: Path, row: Row, target: Path) -> bool:
    """Whether a network belongs in the zoo: small, and new or there already."""
    if row["state"] != "done":
        return False
    if (folder / row["id"]).exists():
        return _weights(folder, row).stat().st_size <= MAXIMUM_BYTES
    return (target / f"{shipped_name(row)}.safetensors").exists()


def _ship(
    folder: Path, target: Path, chosen: Sequence[Row], rows: Sequence[Row]
) -> int:
    """Fills the zoo's folder of one data set; returns the bytes of its weights."""
    target.mkdir(parents=True, exist_ok=True)
    size, kept = 0, {"README.md"}
    for row in chosen:
        path = target / f"{shipped_name(row)}.safetensors"
        if (folder / row["id"]).exists():
            _ship_network(folder / row["id"], row, path)
        size += path.stat().st_size
        kept |= {path.name, path.with_suffix(".json").name}
    for path in target.iterdir():
        if path.name not in kept and path.suffix in (".json", ".safetensors"):
            path.unlink()
    names = [row["id"] for row in rows if row["state"] == "done"]
    example = next(name for name in names if (folder / name).exists())
    done = read_json(folder / example / "done.json")
    card = model_card(
        rows,
        chosen,
        study=folder.name,
        classes=done["classes"],
        test_images=done["images"]["test"],
    )
    write_atomic(target / "README.md", card)
    return size


def _ship_network(trial_folder: Path, row: Row, weights: Path) -> None:
    """Copies a trial's weights and writes the record that the zoo reads."""
    config = read_json(trial_folder / "config.json")
    done = read_json(trial_folder / "done.json")
    study = trial_folder.parent.name
    shutil.copyfile(_weights(trial_folder.parent, row), weights)
    inside = PurePosixPath(shipped_folder(row, study)).relative_to(row["dataset"])
    test = done["test"] | {
        new: row[key] for key, new in MAP_MEANS.items() if row.get(key) is not None
    }
    record = {
        "trial": trial_config(read_trial(config)),
        "measured": {
            "train_images": row["train_images"],
            "train_positives": row["train_positives"],
            "train_ids_sha256": row["train_ids_sha256"],
            "epochs": row["epochs_made"],
            "seconds": row["seconds"],
            "test_images": done["images"]["test"],
            "test": test,
            # On test images whose artefact is correlated with the label as in training.
            **({"with_shortcut": done["with_shortcut"]} if row["shortcut"] else {}),
        },
        "study": study,
        "code": row["code"],
        "weights": (inside / weights.name).as_posix(),
        "weights_sha256": done["sha256"]["weights.safetensors"],
        "versions": read_json(trial_folder / "environment.json")["versions"],
    }
    write_json(weights.with_suffix(".json"), record)


def _weights(folder: Path, row: Row) -> Path:
    return folder / row["id"] / "weights.safetensors"
