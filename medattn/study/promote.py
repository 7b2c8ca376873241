"""Promoting a study: its numbers into the package, one seed's weights into the zoo."""

import shutil
from pathlib import Path, PurePosixPath

from medattn.data import CARDS
from medattn.study.calibration_table import bins_path, count_bins, write_bins
from medattn.study.chances import promote_chances
from medattn.study.files import read_json, write_atomic, write_json
from medattn.study.model_cards import model_card
from medattn.study.names import shipped_name, shipped_room, worth_shipping
from medattn.study.results import SHIPPED, gather_results, write_results
from medattn.study.trial import read_trial, trial_config

MOST_BYTES = 4_000_000  # of one network's weights; larger ones are not shipped
# What the record of a shipped network says of its maps, and where the table has it.
MAP_MEANS = {
    "lrp.epsilon:relevance_mass": "relevance_mass",
    "lrp.epsilon:random_relevance_mass": "relevance_mass_random",
    "lrp.epsilon:edges_relevance_mass": "relevance_mass_edges",
    "lrp.epsilon:shortcut_share": "shortcut_share",
    "lrp.epsilon:random_shortcut_share": "shortcut_share_random",
}


def promote_trials(folder, *, zoo, results=SHIPPED, seed=0):
    """Ships a study: all its numbers, and one seed's weights.

    A study of plain trials (random starts, no planted artefact) ships the networks of
    one seed. One that varies the start or the shortcut ships those of its networks
    that are not plain, beside the plain ones: see `medattn.study.names`. What a study
    ships of a data set replaces all that it had shipped of it before, and nothing of
    another study.

    Args:
        folder: The study's.
        zoo: Folder of the shipped weights; one file and one record a trial go to
            `<zoo>/<dataset>/` or, unless plain, to `<zoo>/<dataset>/<study>/`, and a
            model card, `README.md`.
        results: Folder of the shipped results; `<study>.csv` goes there, and its
            calibration to `calibration/<study>.csv`, and what every seed said about the
            first test images to `chances-<study>.json`.
        seed: Whose weights to ship.

    Returns:
        `(trials in the table, networks shipped, their bytes)`.

    Raises:
        ValueError: If nothing has ended, the folder mixes several versions of the
            code, or it holds trials of a data set of which nothing may be shipped.
    """
    folder = Path(folder)
    rows = gather_results(folder)
    for name in sorted({row["dataset"] for row in rows} & set(CARDS)):
        if CARDS[name].access.get("credentialed"):
            raise ValueError(
                f"Nothing that comes of {name!r} may be shipped: access to it is "
                "credentialed. Expected a study without it; `medattn study gather` "
                f"writes a table of your own. Received: trials of {name!r} in "
                f"{str(folder)!r}"
            )
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
    shipped, size = 0, 0
    for dataset in dict.fromkeys(row["dataset"] for row in worth_shipping(rows)):
        mine = [row for row in rows if row["dataset"] == dataset]
        chosen = [
            row
            for row in worth_shipping(mine)
            if row["state"] == "done"
            and row["seed"] == seed
            and _weights(folder, row).stat().st_size <= MOST_BYTES
        ]
        if chosen:
            room = Path(zoo) / shipped_room(chosen[0], folder.name)
            size += _ship(folder, room, chosen, mine)
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
    weights = room / f"{shipped_name(row)}.safetensors"
    shutil.copyfile(_weights(place.parent, row), weights)
    inside = PurePosixPath(shipped_room(row, place.parent.name))
    inside = inside.relative_to(row["dataset"])
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
            # On test images whose artefact goes with the label as in training.
            **({"with_shortcut": done["with_shortcut"]} if row["shortcut"] else {}),
        },
        "study": place.parent.name,
        "code": row["code"],
        "weights": (inside / weights.name).as_posix(),
        "weights_sha256": done["sha256"]["weights.safetensors"],
        "versions": read_json(place / "environment.json")["versions"],
    }
    write_json(weights.with_suffix(".json"), record)
    return weights


def _weights(folder, row):
    return folder / row["id"] / "weights.safetensors"
