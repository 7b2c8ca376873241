"""The verbs: medattn app | data | doctor | explain | report | study | train."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from medattn.cli import data as data_cli
from medattn.cli.backend import import_backend
from medattn.cli.doctor import doctor as doctor_verb
from medattn.cli.explain import explain as explain_verb
from medattn.cli.report import report as report_verb
from medattn.cli.study import study as study_verb

Positional = tyro.conf.Positional


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
        regime: Share of the training data to use, in (0, 1]: 0.01, 0.1, 0.5 or 1.
        seed: Decides subset, starting weights, order and augmentation.
        steps: Optimiser steps, the same in every regime.
        batch_size: Images a step.
        learning_rate: Peak learning rate.
        size: Height and width to which images are brought, in pixels.
        precision: Of the arithmetic; mixed_bfloat16 is quicker on new accelerators.
        output: Folder for the weights and the record.
    """
    import_backend()
    import keras

    keras.config.set_dtype_policy(precision)
    from medattn.study import Trial, save_trial, train_trial
    from medattn.study.execute.train import load_parts

    if data is not None:
        dataset = "folder"
    trial = Trial(model, dataset, regime, seed, steps, batch_size, learning_rate, size)
    root = None if data is None else str(data)
    trained, measured = train_trial(trial, root=root)
    measured["classes"] = list(load_parts(trial, root=root)["train"].card.classes)
    path = save_trial(output, trial, trained, measured)
    whole = path.with_suffix(".keras")
    trained.save(whole)
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
    print(f"Saved {path}, its weights, and the whole model as {whole}")


def app(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = True,
    lang: str = "en",
    lesson: str | None = None,
    auth: str | None = None,
    share: bool = False,
    offline: bool = False,
    queue: int = 64,
    uploads: bool = True,
    max_upload: str = "20mb",
    models: Path | None = None,
    mcp: bool = False,
) -> None:
    """Open the explainer: toggle attention and data, and watch answer and reasons.

    Args:
        host: Address to listen on; 0.0.0.0 serves a class on the same network.
        port: Port to listen on; 0 takes a free one.
        open_browser: Whether to open the page here, where there is a screen.
        lang: Language of the first page: en or pt.
        lesson: Lesson that opens first: first, maps, data or attention.
        auth: Who may come in, NAME:PASSWORD, or a file with one such line each.
        share: Whether a public address of Gradio's service leads here.
        offline: Whether a connection to any other machine is refused.
        queue: Questions that may wait at once.
        uploads: Whether visitors may send images.
        max_upload: Largest file that they may send, such as 20mb.
        models: Folder of .keras models of your own, of medattn train, to offer.
        mcp: Whether language models may use the endpoints; needs medattn[mcp].
    """
    from medattn_app.server.launch import check, launch, read_auth
    from medattn_app.service.context import Settings

    settings = Settings(
        language=lang,
        lesson=lesson,
        max_upload=max_upload,
        uploads=uploads,
        own_models=None if models is None else str(models),
        offline=offline,
        queue=queue,
    )
    check(settings, share=share, mcp=mcp)
    pairs = None if auth is None else read_auth(auth)
    print("Loading the networks: a moment.", flush=True)
    import_backend()
    # Each network is compiled once; TensorFlow takes a dozen of one kind for a mistake.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    launch(
        host=host,
        port=port,
        open_browser=open_browser and _has_screen(),
        settings=settings,
        auth=pairs,
        share=share,
        mcp=mcp,
    )


VERBS = {
    "app": app,
    "data": data_cli.data,
    "doctor": doctor_verb,
    "explain": explain_verb,
    "report": report_verb,
    "study": study_verb,
    "train": train,
}


def _has_screen():
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def main():
    """Runs the command line; a user's mistake is one sentence and exit code 2."""
    try:
        if sys.argv[1:2] == ["data"]:
            data_cli.data(sys.argv[2:])
        else:
            tyro.extras.subcommand_cli_from_dict(VERBS, prog="medattn")
    except (ValueError, OSError) as error:
        if os.environ.get("MEDATTN_TRACEBACK"):
            raise
        print(f"medattn: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
