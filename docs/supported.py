"""Makes docs/supported.md: which models which analyzers explain, and how exactly.

    python docs/supported.py run            # adds the cells that are missing
    python docs/supported.py run ResNet50   # those of some models
    python docs/supported.py write          # the page, of the cells that there are

Each cell that is computed is one line of docs/supported.jsonl, so an interrupted run
goes on where it stopped. A cell is `works`, with what the audit misses in parts of the
logit; or the sentence with which the model is refused.
"""

import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from medattn.explain import create_analyzer, run_eagerly
from medattn.layers.keras_private import all_layers

HERE = Path(__file__).parent
CELLS = HERE / "supported.jsonl"
PAGE = HERE / "supported.md"
ANALYZERS = (
    "lrp.epsilon",
    "lrp.z",
    "lrp.alpha_1_beta_0",
    "lrp.sequential_preset_a",
    "lrp.attention",
    "deep_lift.rescale",
    "deep_lift.reveal_cancel",
    "gradient",
    "integrated_gradients",
    "gradcam",
    "attention.rollout",
    "attention.transformer",
    "attention.spatial_gate",
    "attention.channel_gate",
)
TOKENS = 12  # of a text of any length


def cells() -> list[dict[str, Any]]:
    """Reads what was computed, the later of two lines for one cell."""
    lines = CELLS.read_text().splitlines() if CELLS.exists() else []
    found = {}
    for line in lines:
        cell = json.loads(line)
        found[cell["model"], cell["analyzer"]] = cell
    return list(found.values())


def run(names: list[str]) -> None:
    """Computes the cells that are missing, model by model."""
    from supported_models import MODELS

    known = {(cell["model"], cell["analyzer"]) for cell in cells()}
    for name in names or MODELS:
        missing = [a for a in ANALYZERS if (name, a) not in known]
        if not missing:
            continue
        keras.backend.clear_session()
        model = MODELS[name].build()
        if isinstance(model, keras.Model):
            calibrate(model)
        for analyzer in missing:
            start = time.perf_counter()
            cell = {"group": MODELS[name].group, "model": name, "analyzer": analyzer}
            cell |= tried(model, analyzer, MODELS[name].options)
            cell["seconds"] = round(time.perf_counter() - start, 1)
            with CELLS.open("a") as file:
                file.write(json.dumps(cell) + "\n")
            print(json.dumps(cell), flush=True)


def tried(model: Any, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Explains one image; returns what the audit misses, or the refusal."""
    images = images_of(model)
    selection = options.get("neuron_selection")
    rest = {key: o for key, o in options.items() if key != "neuron_selection"}
    with run_eagerly(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            analyzer = create_analyzer(name, model, **rest)
            if not hasattr(analyzer, "analyze_and_audit"):
                analyzer.analyze(images, selection)
                return {"works": True}
            audit = analyzer.analyze_and_audit(images, selection)[1]
        except ValueError as error:
            return {"refused": " ".join(str(error).split(" Received: ")[0].split())}
        except Exception as error:  # a fault of ours, to be mended
            return {"fails": f"{type(error).__name__}: {str(error)[:300]}"}
    scale = np.maximum(1, np.abs(audit["logit"]))
    return {"works": True, "error": float(np.max(np.abs(audit["error"]) / scale))}


def images_of(model: Any) -> Any:
    """Makes one sample for each input of a model: pixels, or whole numbers."""
    rng = np.random.default_rng(0)
    made = []
    for tensor in getattr(model, "inputs", None) or [keras.Input((32, 32, 3))]:
        shape = (1, *(32 if size is None else size for size in tensor.shape[1:]))
        if "int" in str(tensor.dtype):
            made.append(rng.integers(0, 2, (1, tensor.shape[1] or TOKENS)))
        else:
            made.append(rng.random(shape).astype(np.float32))
    return made[0] if len(made) == 1 else made


def calibrate(model: keras.Model) -> None:
    """Fills biases and norms at random, and measures the batch norms' statistics.

    So that values keep their size in any depth, as in a trained network.
    """
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if not weight.trainable or "int" in weight.dtype:
            continue
        if weight.path.endswith("gamma"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif len(weight.shape) < 2:
            weight.assign(rng.normal(0, 0.1, weight.shape))
    norms = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not norms:
        return
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    shape = (8, *(32 if size is None else size for size in model.input_shape[1:]))
    model(rng.random(shape).astype(np.float32), training=True)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


def page(found: list[dict[str, Any]]) -> str:
    """Writes the page of the cells."""
    refusals: dict[str, int] = {}
    lines = [HEAD]
    groups: dict[str, dict[str, dict[str, str]]] = {}
    for cell in found:
        rows = groups.setdefault(cell["group"], {})
        row = rows.setdefault(cell["model"], {})
        row[cell["analyzer"]] = _written(cell, refusals)
    for group, rows in groups.items():
        lines += [f"## {group}: {len(rows)}", "", *_table(rows), ""]
    lines += ["## The refusals", ""]
    lines += [f"{number}. {text}" for text, number in refusals.items()]
    return "\n".join(lines) + "\n"


HEAD = """# What works

<!-- made by `python docs/supported.py write`; do not write here -->

Every model below has random weights, and was explained for one image by every
analyzer. A number is what the [audit](reference/explain.md) misses, in parts of the
logit (of one, where that is smaller): the map and what it says of constants add up to
the model's own logit, but for this. `yes` stands where a map is no sum. A number in
brackets is a refusal, in the words of the message, see the end. `·` is not computed
yet: `python docs/supported.py run` goes on there.
"""


def _written(cell: dict[str, Any], refusals: dict[str, int]) -> str:
    """Writes one cell; notes its refusal."""
    if "fails" in cell:
        return f"**{cell['fails']}**"
    if "refused" in cell:
        return f"[{refusals.setdefault(cell['refused'], len(refusals) + 1)}]"
    return f"{cell['error']:.0e}" if "error" in cell else "yes"


def _table(rows: dict[str, dict[str, str]]) -> Iterator[str]:
    """Writes a table, a line for each model."""
    yield "| model | " + " | ".join(f"`{name}`" for name in ANALYZERS) + " |"
    yield "|---" * (len(ANALYZERS) + 1) + "|"
    for name, row in rows.items():
        yield f"| {name} | " + " | ".join(row.get(a, "·") for a in ANALYZERS) + " |"


if __name__ == "__main__":
    verb, *chosen = sys.argv[1:] or ["write"]
    if verb == "run":
        run(chosen)
    PAGE.write_text(page(cells()))
