"""The verb data: cards, check, list, prepare or preview data sets."""

from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import Positional

Pairs = tuple[str, ...]  # dataset options, such as ("view=PA",)


def list_() -> None:
    """List the data sets, what they show, and under which licence."""
    from medattn.data import CARDS, cache_folder

    print(f"{'name':<16}{'images':>9}  {'licence':<30}shows")
    for name, card in CARDS.items():
        images = f"{sum(card.sizes.values()):,}" if card.sizes else ""
        note = "  CREDENTIALED" if card.access.get("credentialed") else ""
        print(f"{name:<16}{images:>9}  {card.licence[:29]:<30}{card.title}{note}")
    print(f"Prepared images are stored in {cache_folder()}")


def check(
    name: Positional[str],
    /,
    *,
    root: Path | None = None,
    duplicates: bool = True,
    options: Pairs = (),
) -> None:
    """Count files, rows, labels and patients, and list every fault.

    Args:
        name: Which data set.
        root: Folder of its files.
        duplicates: Whether to look for images that look the same.
        options: Of the data set, such as view=PA negatives=both, or size=28.
    """
    from medattn.data.check import check_dataset, table

    parsed = _parse(options, ("name", "root", "duplicates"))
    found = check_dataset(name, root, duplicates=duplicates, **parsed)
    print(table(found))
    if found.faults:
        raise SystemExit(1)


def preview(
    name: Positional[str],
    /,
    *,
    root: Path | None = None,
    split: str = "train",
    size: int = 128,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("preview.png"),
    options: Pairs = (),
) -> None:
    """Draw a contact sheet of six by four images.

    Args:
        name: Which data set.
        root: Folder of its files; not needed for synthetic ones.
        split: train, validation or test.
        size: Height and width of each image in pixels.
        output: The picture to write.
        options: Of the data set, such as preset=hard, shortcut=0.8 or view=PA.
    """
    import numpy as np
    from PIL import Image

    from medattn.data import CARDS, draw_images, find_card, load_dataset
    from medattn.data.cards.render import contact_sheet
    from medattn.data.load import check_options

    find_card(name)
    parsed = _parse(options, ("name", "root", "split", "size"))
    check_options(name, parsed)
    if find_card(name).drawn:
        images = draw_images(name, range(24), split=split, size=size, **parsed)["image"]
    else:
        if size == 128 and CARDS[name].files:
            size = 64
        data = load_dataset(name, split=split, size=size, root=root, **parsed)
        positions = np.linspace(0, len(data) - 1, min(24, len(data))).astype(int)
        images = data.source.read(positions)
    sheet = contact_sheet(images)
    output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(output)
    warning = CARDS[name].access.get("prohibited", [])
    print(f"Wrote {output}", *warning, sep="\n")


def prepare(
    name: Positional[str],
    /,
    *,
    root: Path | None = None,
    size: int = 224,
    protocol: str = "default",
    options: Pairs = (),
) -> None:
    """Decode and resize every image once, into the cache; go on after a stop.

    Args:
        name: Which data set.
        root: Folder of its files.
        size: Height and width in pixels.
        protocol: default or study; the study's images are not padded but stretched.
        options: Of the data set, such as view=PA negatives=both.
    """
    from medattn.data import find_card, load_dataset
    from medattn.data.sources import FileSource

    parsed = _parse(options, ("name", "root", "size", "protocol"))
    if find_card(name).drawn:
        for split in find_card(name).sizes:
            print(load_dataset(name, split=split, size=size, **parsed))
        return
    data = load_dataset(name, size=size, root=root, protocol=protocol, **parsed)
    if not isinstance(data.source, FileSource):
        print(f"{name} is read into memory at once: there is nothing to prepare.")
        return
    shards = data.source.prepare(f"preparing {name}")
    print(f"{len(shards)} images of {size} x {size} are stored in {shards.folder}")


def _parse(pairs: Pairs, own: tuple[str, ...]) -> dict[str, Any]:
    """Turns pairs such as view=PA into a dict; numbers and booleans become such.

    Args:
        pairs: As on the command line.
        own: Names of the command's own options, which are refused here.
    """
    import yaml

    parsed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(
                "An option has a name and a value. Expected name=value, such as "
                f"view=PA. Received: {pair!r}"
            )
        if name in own:
            raise ValueError(
                f"{name!r} is no option of a data set, but of the command. Expected it "
                f"before --options. Received: {pair!r}"
            )
        try:
            parsed[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ValueError(
                f"The value of {name!r} cannot be read. Expected a word, a number, "
                f"true or false. Received: {pair!r}"
            ) from None
    return parsed


def cards(
    *, output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("data_cards")
) -> None:
    """Render all data cards as Markdown and Croissant, synthetic ones with a picture.

    Args:
        output: Folder to write into.
    """
    from medattn.data.cards.render import write_cards

    print(f"Wrote {len(write_cards(output))} files into {output}")


VERBS = {
    "cards": cards,
    "check": check,
    "list": list_,
    "prepare": prepare,
    "preview": preview,
}
