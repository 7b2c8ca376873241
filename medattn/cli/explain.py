"""The verb explain: images in, predictions, maps and their numbers out."""

import logging
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional

from medattn.cli.backend import import_backend

PICTURES = (".pdf", ".png", ".svg")
IMAGES = ".bmp .dcm .dicom .gif .jpeg .jpg .pgm .png .pnm .ppm .tif .tiff .webp".split()
MOST_ROWS = 12  # of one picture; more are drawn one by one into a folder
WIDEST = 480  # pixels of a photograph in a picture of several
NO_JUDGE = "A network trained on drawings is no judge of a real eye. No diagnosis."


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
            fundus:17, a drawn retina of the test set with known evidence; or
            skimage:retina, the photograph that scikit-image brings. DICOM files need
            the extra dicom.
        output: The picture to write, a .png (or .pdf, .svg), with a row for each of at
            most 12 images; or a folder, for one picture an image.
        model: A shipped network: micro_resnet, se_micro_resnet, cbam_micro_resnet; or
            the .keras file of one of your own, of medattn train.
        regime: Share of the training data that it saw: 0.01, 0.1, 0.5 or 1.
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
    if pictures and len(names) > MOST_ROWS:
        raise ValueError(
            f"Too many images for one picture. Expected at most {MOST_ROWS}, or a "
            f"folder as output. Received: {len(names)} images, output={str(output)!r}"
        )
    # Before TensorFlow is imported: a mistake is answered at once.
    first = open_image(names[0]) if len(names) == 1 else None

    import_backend()
    # Each method is compiled once; TensorFlow takes a few of one kind for a mistake.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    ask = _Question(model, regime, methods, target, reference, engine)
    answers: list[dict[str, Any]] = []
    failed: list[str] = []
    for name in _with_progress(names):
        try:
            answer = ask(name, *(first or open_image(name)))
        except ValueError as error:
            if len(names) == 1:
                raise
            failed.append(str(error).rstrip("."))
            continue
        if not pictures:
            _write(ask.draw([answer]), output / _file_name(name, answers))
            answer.pop("photograph")  # a folder may hold more than memory does
        answers.append(answer)
    if answers:
        if pictures:
            _write(ask.draw(answers), output)
        if save_array is not None:
            ask.save(answers, save_array)
    for answer in answers:
        head = f"{answer['name']}: " if len(names) > 1 else ""
        print(head + answer["title"], *answer["lines"], sep="\n")
    if answers:
        print(f"{ask.about}; {ask.how}", NO_JUDGE, f"Wrote {output}", sep="\n")
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(names)} images could not be explained: "
            f"{'; '.join(failed)}."
        )


def find_images(given):
    """Lists the images that the command line names; folders and patterns are opened."""
    names = []
    for one in given:
        path = Path(one)
        if one.startswith(("fundus:", "skimage:")) or path.is_file():
            names.append(one)
        elif path.is_dir():
            inside = [p for p in sorted(path.iterdir()) if p.suffix.lower() in IMAGES]
            if not inside:
                raise ValueError(
                    f"{path.name} is a folder without images. Expected names that end "
                    f"in one of {', '.join(IMAGES)}."
                )
            names.extend(map(str, inside))
        elif any(sign in one for sign in "*?["):
            root = Path(path.anchor) if path.is_absolute() else Path()
            pattern = str(path.relative_to(root))
            inside = sorted(p for p in root.glob(pattern) if p.is_file())
            if not inside:
                raise ValueError(f"There is no file {one!r}.")
            names.extend(map(str, inside))
        else:
            names.append(one)  # reading it says what is wrong
    if not names:
        raise ValueError(
            "There is nothing to explain. Expected an image file, fundus:17 or "
            "skimage:retina. Received: no name"
        )
    return names


def open_image(name):
    """Finds an image that the command line names, and its evidence where known."""
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


class _Question:
    """One network, several methods, one class: asked of any image."""

    def __init__(self, model, regime, methods, target, reference, engine):
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
        compared = {"reference": self._reference(reference)} if reference else {}
        self.analyzers = [
            create_analyzer(
                method,
                self.network,
                neuron_selection_mode="index",
                engine=engine,
                **(compared if method.startswith("deep_lift") else {}),
            )
            for method in methods
        ]
        by = " by iNNvestigate" if engine == "innvestigate" else ""
        self.how = f"{', '.join(methods)}{by} for {self.kind!r}"

    def __call__(self, name, photograph, mask):
        """Explains one image; returns a dict."""
        import numpy as np

        from medattn.data import fit_image
        from medattn.explain import audit_line, relevance_mass
        from medattn.figures import pixel_relevance
        from medattn.study import probabilities

        batch = fit_image(photograph, self.size)[None]
        chance = float(probabilities(self.network, batch)[0, self.target])
        maps, notes, audits = [], [], []
        for analyzer in self.analyzers:
            maps.append(np.asarray(analyzer.analyze(batch, self.target))[0])
            note, audit = [], None
            if hasattr(analyzer, "audit"):
                audit = analyzer.audit(batch, self.target)
                note.append(audit_line(audit))
            if mask is not None and mask.any():
                share = relevance_mass(pixel_relevance(maps[-1])[None], mask[None])[0]
                note.append(
                    f"{share:.0%} of the relevance lies inside the evidence, which "
                    f"covers {np.mean(mask):.1%} of the image"
                )
            audits.append(audit)
            notes.append(note)
        lines = []
        for method, note in zip(self.methods, notes, strict=True):
            head = f"{method}: " if len(self.methods) > 1 else ""
            lines += [head + line for line in note]
        # The square that the network saw, so that the map lies where it belongs.
        side = max(photograph.shape[:2])
        return dict(
            name=name,
            photograph=fit_image(photograph, min(side, 3 * WIDEST)),
            image=batch[0],
            mask=mask,
            chance=chance,
            title=f"P({self.kind}) {_rounded(chance)}",
            maps=maps,
            notes=notes,
            audits=audits,
            lines=lines,
        )

    def draw(self, answers):
        """Draws one image with one method large, more as rows and columns."""
        from medattn.data import fit_image
        from medattn.figures import (
            explanation_figure,
            explanation_grid,
            pixel_relevance,
        )

        if len(answers) == len(self.methods) == 1:
            (answer,) = answers
            return explanation_figure(
                answer["photograph"],
                pixel_relevance(answer["maps"][0]),
                title=answer["title"],
                lines=[f"{self.about}; {self.how}", *answer["lines"], NO_JUDGE],
                mask=answer["mask"],
            )
        small = [
            fit_image(photo, min(len(photo), WIDEST))
            for photo in (answer["photograph"] for answer in answers)
        ]
        return explanation_grid(
            small,
            [[pixel_relevance(m) for m in answer["maps"]] for answer in answers],
            rows=[f"{Path(a['name']).name}: {a['title']}" for a in answers],
            columns=self.methods,
            notes=[
                [note[0] if audit else "" for note, audit in zip(*pair, strict=True)]
                for pair in ((a["notes"], a["audits"]) for a in answers)
            ],
            masks=[answer["mask"] for answer in answers],
            lines=[f"{self.about}; explained for {self.kind!r}", NO_JUDGE],
        )

    def save(self, answers, path):
        """Writes all that was found as arrays, `relevance` by image and method."""
        import numpy as np

        arrays = dict(
            names=np.array([answer["name"] for answer in answers]),
            methods=np.array(self.methods),
            target=np.array(self.target),
            target_name=np.array(self.kind),
            probability=np.array([answer["chance"] for answer in answers]),
            images=np.stack([answer["image"] for answer in answers]),
            relevance=np.stack([np.stack(answer["maps"]) for answer in answers]),
        )
        for place, method in enumerate(self.methods):
            for key in answers[0]["audits"][place] or ():
                arrays[f"audit.{method}.{key}"] = np.concatenate(
                    [answer["audits"][place][key] for answer in answers]
                )
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{os.getpid()}.{path.name}")
        np.savez_compressed(unfinished, **arrays)
        os.replace(unfinished, path)

    def _reference(self, reference):
        from medattn.data import fit_image

        if reference in ("blur", "mean", "zeros"):
            return reference
        return fit_image(open_image(reference)[0], self.size)


def _own_network(path):
    """Loads a model of `medattn train`: it, its classes' names, a phrase about it."""
    from medattn.zoo import list_own_models, load_own_model

    model = load_own_model(path.parent, path.name)
    record = list_own_models(path.parent)[path.name] or {}
    classes = record.get("measured", {}).get("classes")
    if not classes or len(classes) != model.output_shape[1]:
        classes = [f"class {number}" for number in range(model.output_shape[1])]
    return model, classes, f"{path.name}, a model of your own"


def _target(target, classes):
    """Finds a class by its name or number; the second, what is looked for, unless."""
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


def _pictures(output):
    """Whether the output is a picture, and not a folder for them."""
    if output.is_dir() or not output.suffix:
        return False
    if output.suffix.lower() in PICTURES:
        return True
    raise ValueError(
        f"Unknown kind of picture. Expected a name ending in one of {PICTURES}, or a "
        f"folder. Received: output={str(output)!r}"
    )


def _file_name(name, answers):
    """Names a picture like its image, numbered where another one has the name."""
    stem = Path(name.replace(":", "-")).stem
    stems = [Path(answer["name"].replace(":", "-")).stem for answer in answers]
    count = stems.count(stem)
    return f"{stem}-{count + 1}.png" if count else f"{stem}.png"


def _with_progress(names):
    """Shows how far it is, on a screen and for more than one."""
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


def _write(figure, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{os.getpid()}.{path.name}")
    figure.savefig(unfinished)
    os.replace(unfinished, path)


def _rounded(chance):
    """Writes a probability so that rounding never claims certainty."""
    if chance < 0.005:
        return "< 0.01"
    return "> 0.99" if chance > 0.995 else f"= {chance:.2f}"
