"""The verbs: medattn app | explain | report | train."""

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import tyro

Positional = tyro.conf.Positional


def train(
    model: Positional[str],
    /,
    *,
    dataset: str = "fundus",
    regime: float = 1.0,
    seed: int = 0,
    steps: int = 500,
    batch_size: int = 32,
    learning_rate: float = 6e-3,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("runs"),
) -> None:
    """Train one network on one data set and save it with its record.

    Args:
        model: Which network, such as micro_resnet, se_micro_resnet, cbam_micro_resnet.
        dataset: Which data set.
        regime: Share of the training data to use, in (0, 1]: 0.01, 0.1, 0.5 or 1.
        seed: Decides subset, starting weights, order and augmentation.
        steps: Optimiser steps, the same in every regime.
        batch_size: Images a step.
        learning_rate: Peak learning rate.
        output: Folder for the weights and the record.
    """
    _import_backend()
    from medattn.study import Trial, save_trial, train_trial

    trial = Trial(model, dataset, regime, seed, steps, batch_size, learning_rate)
    trained, measured = train_trial(trial)
    path = save_trial(output, trial, trained, measured)
    test = measured["test"]
    print(
        f"{model} on {measured['train_images']} images of {dataset}: test AUROC "
        f"{test['auroc']:.3f} over {measured['test_images']} images; relevance inside "
        f"the evidence {test['relevance_mass']:.0%}, of a random map "
        f"{test['relevance_mass_random']:.0%}, of an edge detector "
        f"{test['relevance_mass_edges']:.0%}.\nSaved {path}"
    )


def app(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = True,
) -> None:
    """Open the explainer: toggle attention and data, and watch answer and reasons.

    Args:
        host: Address to listen on; 0.0.0.0 serves a class on the same network.
        port: Port to listen on.
        open_browser: Whether to open the page here, where there is a screen.
    """
    print("Loading the networks: a moment.", flush=True)
    _import_backend()
    # Each network is compiled once; TensorFlow takes a dozen of one kind for a mistake.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from medattn_app import launch

    launch(host=host, port=port, open_browser=open_browser and _has_screen())


def explain(
    image: Positional[str],
    /,
    *,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    model: str = "cbam_micro_resnet",
    regime: float = 1.0,
    method: str = "lrp.epsilon",
) -> None:
    """Predict one image with a shipped network and draw what moved the prediction.

    Args:
        image: An image file; or fundus:17, a drawn retina of the test set with known
            evidence; or skimage:retina, the photograph that scikit-image brings.
        output: The picture to write, a .png (or .pdf, .svg).
        model: A shipped network: micro_resnet, se_micro_resnet, cbam_micro_resnet.
        regime: Share of the training data that it saw: 0.01, 0.1, 0.5 or 1.
        method: lrp.epsilon, gradient or input_t_gradient.
    """
    suffixes = (".pdf", ".png", ".svg")
    if output.suffix.lower() not in suffixes:
        raise ValueError(
            f"Unknown kind of picture. Expected a name ending in one of {suffixes}. "
            f"Received: output={str(output)!r}"
        )
    photograph, mask = _open_image(image)

    _import_backend()
    import numpy as np

    from medattn.data import find_card, fit_image
    from medattn.explain import audit_line, create_analyzer, relevance_mass
    from medattn.figures import explanation_figure, pixel_relevance
    from medattn.study import probabilities
    from medattn.zoo import find_zoo_record, load_zoo_model

    trial = find_zoo_record(model, regime=regime)["trial"]
    network = load_zoo_model(model, regime=regime)
    analyzer = create_analyzer(method, network, neuron_selection_mode="index")
    batch = fit_image(photograph, trial["size"])[None]
    kind = find_card(trial["dataset"]).classes[1]
    chance = probabilities(network, batch)[0, 1]
    relevance = pixel_relevance(analyzer.analyze(batch, 1)[0])
    title = f"P({kind}) {_rounded(chance)}"
    lines = [f"{model} trained on {regime:.0%} of drawn retinas; {method} for {kind!r}"]
    if hasattr(analyzer, "audit"):
        lines.append(audit_line(analyzer.audit(batch, 1)))
    if mask is not None and mask.any():
        share = relevance_mass(relevance[None], mask[None])[0]
        lines.append(
            f"{share:.0%} of the relevance lies inside the evidence, which covers "
            f"{np.mean(mask):.1%} of the image"
        )
    lines.append(
        "A network trained on drawings is no judge of a real eye. No diagnosis."
    )
    figure = explanation_figure(
        photograph, relevance, title=title, lines=lines, mask=mask
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{os.getpid()}.{output.name}")
    figure.savefig(unfinished)
    os.replace(unfinished, output)
    print(title, *lines, f"Wrote {output}", sep="\n")


def report(
    what: Positional[Literal["complexity"]],
    /,
    *,
    micro: bool = False,
    rounds: int = 0,
) -> None:
    """Print what is known about the networks as a table.

    Args:
        what: complexity: parameters by part, multiply-adds, activations, latency.
        micro: The micro networks at 64 x 64 instead of the study's at 224 x 224.
        rounds: Forward passes to time for each network; 0 measures no latency.
    """
    if rounds < 0:
        raise ValueError(
            "Passes cannot be fewer than none. Expected rounds >= 0. "
            f"Received: rounds={rounds}"
        )
    _import_backend()
    from medattn.models import complexity, create_model, list_models

    print(
        f"{'network':<20}{'trunk':>12}{'attention':>11}{'head':>9}{'parameters':>12}"
        f"{'M mult-adds':>13}{'MB kept':>9}" + (f"{'ms':>8}" if rounds else "")
    )
    for name in list_models():
        if ("micro" in name) != micro:
            continue
        cost = complexity(create_model(name), rounds=rounds)
        own = cost["parameters"]
        line = (
            f"{name:<20}{own['trunk']:>12,}{own['attention']:>11,}{own['head']:>9,}"
            f"{own['total']:>12,}{cost['multiply_adds']['total'] / 1e6:>13,.1f}"
            f"{cost['activation_bytes'] / 1e6:>9.1f}"
        )
        print(line + (f"{1000 * cost['latency']:>8.1f}" if rounds else ""))
    if not micro:
        print(
            "deit_tiny is published as 5,486,786: the study's tool left out the class "
            "token and the positions, 38,016."
        )


VERBS = {"app": app, "explain": explain, "report": report, "train": train}


def _rounded(chance):
    """Writes a probability so that rounding never claims certainty."""
    if chance < 0.005:
        return "< 0.01"
    return "> 0.99" if chance > 0.995 else f"= {chance:.2f}"


def _open_image(name):
    """Finds the image that the command line names, and its evidence where known."""
    from medattn.data import draw_images, find_card, read_image

    if name == "skimage:retina":
        import skimage.data

        return skimage.data.retina().astype("float32") / 255, None
    if name.startswith("fundus:"):
        number = name.removeprefix("fundus:")
        last = find_card("fundus").sizes["test"] - 1
        if not number.isdecimal() or int(number) > last:
            raise ValueError(
                f"Unknown drawing. Expected fundus:0 to fundus:{last}. "
                f"Received: {name!r}"
            )
        drawn = draw_images("fundus", [int(number)])
        return drawn["image"][0].astype("float32") / 255, drawn["evidence"][0]
    return read_image(name), None


def _import_backend():
    """Imports TensorFlow without the notes that its start prints around Python's logs.

    Whatever it printed is shown after all if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            import keras

            keras.ops.zeros(1)  # the device search prints, too
        except BaseException:
            notes.seek(0)
            os.write(screen, notes.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)


def _has_screen():
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def main():
    """Runs the command line; a user's mistake is one sentence and exit code 2."""
    try:
        tyro.extras.subcommand_cli_from_dict(VERBS, prog="medattn")
    except (ValueError, OSError) as error:
        if os.environ.get("MEDATTN_TRACEBACK"):
            raise
        print(f"medattn: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
