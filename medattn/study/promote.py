"""Promoting a study: its numbers into the package, one seed's weights into the zoo."""

import shutil
from dataclasses import fields
from pathlib import Path

from medattn.study.calibration_table import bins_path, count_bins, write_bins
from medattn.study.chances import promote_chances
from medattn.study.files import read_json, write_atomic, write_json
from medattn.study.model_cards import model_card
from medattn.study.results import SHIPPED, gather_results, write_results
from medattn.study.trial import Trial, trial_name

# What the record of a shipped network says of its maps, and where the table has it.
MAP_MEANS = {
    "lrp.epsilon:relevance_mass": "relevance_mass",
    "lrp.epsilon:random_relevance_mass": "relevance_mass_random",
    "lrp.epsilon:edges_relevance_mass": "relevance_mass_edges",
}


def promote_trials(folder, *, zoo, results=SHIPPED, seed=0):
    """Ships a study: all its numbers, and one seed's weights.

    Only a study of plain trials ships weights, all from random starts and without a
    planted artefact: of those there is one a name. What such a study ships of a data
    set replaces all that was there.

    Args:
        folder: The study's.
        zoo: Folder of the shipped weights; one file and one record a trial go to
            `<zoo>/<dataset>/`, and a model card, `README.md`.
        results: Folder of the shipped results; `<study>.csv` goes there, and its
            calibration to `calibration/<study>.csv`, and what every seed said about the
            first test images to `chances-<study>.json`.
        seed: Whose weights to ship.

    Returns:
        `(trials in the table, networks shipped, their bytes)`.

    Raises:
        ValueError: If nothing has ended, or the folder mixes several versions of the
            code.
    """
    folder = Path(folder)
    rows = gather_results(folder)
    codes = sorted({str(row["code"]) for row in rows})
    if len(codes) != 1:
        raise ValueError(
            "Results of one version of the code are wanted. Expected one fingerprint "
            f"in {str(folder)!r}. Received: {codes}"
        )
    Path(results).mkdir(parents=True, exist_ok=True)
    # Failed trials stay in the table: leaving them out would flatter.
    write_results(rows, Path(results) / f"{folder.name}.csv")
    bins = count_bins([r for r in rows if r["dataset"] != "shapes"], folder)
    write_bins(bins, bins_path(results, folder.name))
    promote_chances(folder, results)
    plain = all(r["initialisation"] == "random" and r["shortcut"] is None for r in rows)
    shipped, size = 0, 0
    for dataset in dict.fromkeys(r["dataset"] for r in rows if plain):
        mine = [r for r in rows if r["dataset"] == dataset]
        chosen = [r for r in mine if r["state"] == "done" and r["seed"] == seed]
        if chosen:
            size += _ship(folder, Path(zoo) / dataset, chosen, mine)
            shipped += len(chosen)
    return len(rows), shipped, size


def _ship(folder, room, chosen, rows):
    """Fills the zoo's room of one data set; returns the bytes of its weights."""
    room.mkdir(parents=True, exist_ok=True)
    size, kept = 0, {"README.md"}
    for row in chosen:
        path = _ship_network(folder / row["id"], row, room)
        size += path.stat().st_size
        kept |= {path.name, path.with_suffix(".json").name}
    for path in room.iterdir():
        if path.name not in kept and path.suffix in (".json", ".safetensors"):
            path.unlink()
    done = read_json(folder / chosen[0]["id"] / "done.json")
    card = model_card(
        rows,
        chosen,
        study=folder.name,
        classes=done["classes"],
        test_images=done["images"]["test"],
    )
    write_atomic(room / "README.md", card)
    return size


def _ship_network(place, row, room):
    """Copies a trial's weights and writes the record that the zoo reads."""
    config = read_json(place / "config.json")
    done = read_json(place / "done.json")
    name = trial_name(row["model"], row["regime"], row["seed"])
    weights = room / f"{name}.safetensors"
    shutil.copyfile(place / "weights.safetensors", weights)
    test = done["test"] | {
        new: row[key] for key, new in MAP_MEANS.items() if row.get(key) is not None
    }
    record = {
        "trial": {f.name: config[f.name] for f in fields(Trial)},
        "measured": {
            "train_images": row["train_images"],
            "train_positives": row["train_positives"],
            "train_ids_sha256": row["train_ids_sha256"],
            "epochs": row["epochs_made"],
            "seconds": row["seconds"],
            "test_images": done["images"]["test"],
            "test": test,
        },
        "study": place.parent.name,
        "code": row["code"],
        "weights": weights.name,
        "weights_sha256": done["sha256"]["weights.safetensors"],
        "versions": read_json(place / "environment.json")["versions"],
    }
    write_json(weights.with_suffix(".json"), record)
    return weights
