"""The verb explain: predicts images and draws maps with their audits."""

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tyro.conf import Positional

from medattn.cli.backend import import_backend
from medattn.cli.images import find_images, open_image

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

PICTURES = (".pdf", ".png", ".svg")
MAXIMUM_ROWS = 12  # of one picture; more images go one by one into a folder
MAXIMUM_WIDTH = 480  # pixels of a photograph in a picture of several
WARNING = "A network trained on drawings is no judge of a real eye. No diagnosis."


def explain(
    images: Positional[tuple[str, ...]],
    /,
    *,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    model: str = "cbam_micro_resnet",
    regime: float = 1.0,
    method: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    target: str | None = None,
    reference: str | None = None,
    engine: Literal["medattn", "innvestigate"] = "medattn",
    save_array: Path | None = None,
) -> None:
    """Predict images with a shipped network and draw what moved the predictions.

    Args:
        images: Image files, folders of them, or patterns such as "eyes/*.png"; or
            fundus:17, a synthetic retina of the test set with known evidence; or
            skimage:retina, the photograph in scikit-image. DICOM files need
            the extra dicom.
        output: The picture to write, a .png (or .pdf, .svg), with a row for each of at
            most 12 images; or a folder, for one picture an image.
        model: A shipped network: micro_resnet, se_micro_resnet, cbam_micro_resnet; or
            the .keras file of one of your own, of medattn train.
        regime: Fraction of the training data that it saw: 0.01, 0.1, 0.5 or 1.
        method: lrp.epsilon unless given; several with commas, or by repeating it.
        target: The class to explain, by name or number; diseased unless given.
        reference: What DeepLIFT compares with: zeros, mean, blur, or an image file.
        engine: innvestigate: the original library, where it can do the network.
        save_array: An .npz to write with images, relevance and audits.
    """
    pictures = _pictures(output)
    if save_array is not None and save_array.suffix != ".npz":
        raise ValueError(
            "Unknown kind of array file. Expected a name ending in .npz. "
            f"Received: save_array={str(save_array)!r}"
        )
    methods = [one for part in method for one in part.split(",") if one]
    methods = list(dict.fromkeys(methods)) or ["lrp.epsilon"]
    names = find_images(images)
    if pictures and len(names) > MAXIMUM_ROWS:
        raise ValueError(
            f"Too many images for one picture. Expected at most {MAXIMUM_ROWS}, or a "
            f"folder as output. Received: {len(names)} images, output={str(output)!r}"
        )
    # Before TensorFlow is imported, so that a wrong file is reported at once.
    first = open_image(names[0]) if len(names) == 1 else None

    import_backend()
    # Each method is compiled once; TensorFlow warns of several similar functions.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    explainer = _Explainer(model, regime, methods, target, reference, engine)
    results: list[dict[str, Any]] = []
    failed: list[str] = []
    for name in _with_progress(names):
        try:
            result = explainer(name, *(first or open_image(name)))
        except ValueError as error:
            if len(names) == 1:
                raise
            failed.append(str(error).rstrip("."))
            continue
        if not pictures:
            _write(explainer.draw([result]), output / _file_name(name, results))
            result.pop("photograph")  # a folder may hold more than memory does
        results.append(result)
    if results:
        if pictures:
            _write(explainer.draw(results), output)
        if save_array is not None:
            explainer.save(results, save_array)
    _print_results(results, len(names) > 1)
    if results:
        summary = f"{explainer.about}; {explainer.how}"
        print(summary, WARNING, f"Wrote {output}", sep="\n")
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(names)} images could not be explained: "
            f"{'; '.join(failed)}."
        )


class _Explainer:
    """Explains images of one network and one class by several methods."""

    def __init__(
        self,
        model: str,
        regime: float,
        methods: list[str],
        target: str | None,
        reference: str | None,
        engine: Literal["medattn", "innvestigate"],
    ) -> None:
        from medattn.data import find_card
        from medattn.explain import create_analyzer
        from medattn.zoo import find_zoo_record, load_zoo_model

        if model.endswith(".keras"):
            self.network, classes, self.about = _own_network(Path(model))
        else:
            trial = find_zoo_record(model, regime=regime)["trial"]
            classes = find_card(trial["dataset"]).classes
            self.network = load_zoo_model(model, regime=regime)
            self.about = f"{model} trained on {regime:.0%} of drawn retinas"
        self.size = self.network.input_shape[1]
        self.target = _target(target, classes)
        self.kind = classes[self.target]
        self.methods = methods
        if reference is not None and not any(
            m.startswith("deep_lift") for m in methods
        ):
            raise ValueError(
                "Only DeepLIFT has a reference. Expected --method deep_lift.rescale or "
                f"deep_lift.reveal_cancel. Received: method={','.join(methods)!r}"
            )
        options = {"reference": self._reference(reference)} if reference else {}
        self.analyzers = [
            create_analyzer(
                method,
                self.network,
                neuron_selection_mode="index",
                engine=engine,
                **(options if method.startswith("deep_lift") else {}),
            )
            for method in methods
        ]
        by = " by iNNvestigate" if engine == "innvestigate" else ""
        self.how = f"{', '.join(methods)}{by} for {self.kind!r}"

    def __call__(
        self, name: str, photograph: "np.ndarray", mask: "np.ndarray | None"
    ) -> dict[str, Any]:
        """Explains one image."""
        import numpy as np

        from medattn.data import fit_image
        from medattn.explain import audit_line, relevance_mass
        from medattn.figures import pixel_relevance
        from medattn.study import probabilities

        batch = fit_image(photograph, self.size)[None]
        probability = float(probabilities(self.network, batch)[0, self.target])
        maps: list[np.ndarray] = []
        notes: list[list[str]] = []
        audits: list[dict[str, Any] | None] = []
        for analyzer in self.analyzers:
            maps.append(np.asarray(analyzer.analyze(batch, self.target))[0])
            note: list[str] = []
            audit = None
            if hasattr(analyzer, "audit"):
                audit = analyzer.audit(batch, self.target)
                note.append(audit_line(audit))
            if mask is not None and mask.any():
                fraction = relevance_mass(pixel_relevance(maps[-1])[None], mask[None])[
                    0
                ]
                note.append(
                    f"{fraction:.0%} of the relevance lies inside the evidence, which "
                    f"covers {np.mean(mask):.1%} of the image"
                )
            audits.append(audit)
            notes.append(note)
        lines: list[str] = []
        for method, note in zip(self.methods, notes, strict=True):
            head = f"{method}: " if len(self.methods) > 1 else ""
            lines += [head + line for line in note]
        # The square that the network saw, so that the map lies where it belongs.
        side = max(photograph.shape[:2])
        return dict(
            name=name,
            photograph=fit_image(photograph, min(side, 3 * MAXIMUM_WIDTH)),
            image=batch[0],
            mask=mask,
            probability=probability,
            title=f"P({self.kind}) {_rounded(probability)}",
            maps=maps,
            notes=notes,
            audits=audits,
            lines=lines,
        )

    def draw(self, results: Sequence[dict[str, Any]]) -> "Figure":
        """Draws one image with one method large, others as rows and columns."""
        from medattn.data import fit_image
        from medattn.figures import (
            explanation_figure,
            explanation_grid,
            pixel_relevance,
        )

        if len(results) == len(self.methods) == 1:
            (result,) = results
            return explanation_figure(
                result["photograph"],
                pixel_relevance(result["maps"][0]),
                title=result["title"],
                lines=[f"{self.about}; {self.how}", *result["lines"], WARNING],
                mask=result["mask"],
            )
        small = [
            fit_image(photo, min(len(photo), MAXIMUM_WIDTH))
            for photo in (result["photograph"] for result in results)
        ]
        return explanation_grid(
            small,
            [[pixel_relevance(m) for m in result["maps"]] for result in results],
            rows=[f"{Path(a['name']).name}: {a['title']}" for a in results],
            columns=self.methods,
            notes=[
                [note[0] if audit else "" for note, audit in zip(*pair, strict=True)]
                for pair in ((a["notes"], a["audits"]) for a in results)
            ],
            masks=[result["mask"] for result in results],
            lines=[f"{self.about}; explained for {self.kind!r}", WARNING],
        )

    def save(self, results: Sequence[dict[str, Any]], path: Path) -> None:
        """Writes all results as arrays, `relevance` by image and method."""
        import numpy as np

        arrays: dict[str, Any] = dict(
            names=np.array([result["name"] for result in results]),
            methods=np.array(self.methods),
            target=np.array(self.target),
            target_name=np.array(self.kind),
            probability=np.array([result["probability"] for result in results]),
            images=np.stack([result["image"] for result in results]),
            relevance=np.stack([np.stack(result["maps"]) for result in results]),
        )
        for index, method in enumerate(self.methods):
            for key in results[0]["audits"][index] or ():
                arrays[f"audit.{method}.{key}"] = np.concatenate(
                    [result["audits"][index][key] for result in results]
                )
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{os.getpid()}.{path.name}")
        np.savez_compressed(unfinished, **arrays)
        os.replace(unfinished, path)

    def _reference(self, reference: str) -> "str | np.ndarray":
        from medattn.data import fit_image

        if reference in ("blur", "mean", "zeros"):
            return reference
        return fit_image(open_image(reference)[0], self.size)


def _print_results(results: Sequence[dict[str, Any]], named: bool) -> None:
    for result in results:
        head = f"{result['name']}: " if named else ""
        print(head + result["title"], *result["lines"], sep="\n")


def _own_network(path: Path) -> tuple[Any, Sequence[str], str]:
    """Loads a model of `medattn train`, its class names and a phrase about it."""
    from medattn.zoo import list_own_models, load_own_model

    model = load_own_model(path.parent, path.name)
    record = list_own_models(path.parent)[path.name] or {}
    classes = record.get("measured", {}).get("classes")
    if not classes or len(classes) != model.output_shape[1]:
        classes = [f"class {number}" for number in range(model.output_shape[1])]
    return model, classes, f"{path.name}, a model of your own"


def _target(target: str | None, classes: Sequence[str]) -> int:
    """Finds a class by its name or number; by default the second, the disease."""
    if target is None:
        return 1
    if target in classes:
        return classes.index(target)
    if target.isdecimal() and int(target) < len(classes):
        return int(target)
    raise ValueError(
        f"Unknown class. Expected one of {list(classes)}, or a number from 0 to "
        f"{len(classes) - 1}. Received: target={target!r}"
    )


def _pictures(output: Path) -> bool:
    """Whether the output is a picture, and not a folder for them."""
    if output.is_dir() or not output.suffix:
        return False
    if output.suffix.lower() in PICTURES:
        return True
    raise ValueError(
        f"Unknown kind of picture. Expected a name ending in one of {PICTURES}, or a "
        f"folder. Received: output={str(output)!r}"
    )


def _file_name(name: str, results: Sequence[dict[str, Any]]) -> str:
    """Names a picture like its image, with a number if the name is taken."""
    stem = Path(name.replace(":", "-")).stem
    stems = [Path(result["name"].replace(":", "-")).stem for result in results]
    count = stems.count(stem)
    return f"{stem}-{count + 1}.png" if count else f"{stem}.png"


def _with_progress(names: list[str]) -> Iterable[str]:
    """Shows a progress bar on a terminal, for more than one image."""
    if len(names) == 1:
        return names
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(
        names,
        description="explaining",
        console=console,
        disable=not console.is_terminal,
    )


def _write(figure: "Figure", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{os.getpid()}.{path.name}")
    figure.savefig(unfinished)
    os.replace(unfinished, path)


def _rounded(probability: float) -> str:
    """Writes a probability so that rounding never gives certainty."""
    if probability < 0.005:
        return "< 0.01"
    return "> 0.99" if probability > 0.995 else f"= {probability:.2f}"
