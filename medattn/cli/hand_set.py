"""The verb study hand-set: every analyzer on networks whose use is known."""

from pathlib import Path
from typing import Annotated

import tyro

from medattn.cli.backend import import_backend


def hand_set(
    *,
    images: int = 24,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
) -> None:
    """Score the maps of networks whose weights are written down.

    Args:
        images: Positive test images a network is explained on.
        output: The folder to write, maps.csv, examples.npz and context.csv; the
            package's own results unless given.
    """
    if images < 1:
        raise ValueError(
            "Maps of no image have no score. Expected images >= 1. "
            f"Received: images={images}"
        )
    import_backend()
    from medattn.study.analyse.hand_set.context import write_context
    from medattn.study.analyse.hand_set.table import FOLDER, write_hand_set

    folder = FOLDER if output is None else output
    rows = write_hand_set(folder, images=images, report=lambda name: print(name))
    write_context(folder)
    print(f"{len(rows)} rows in {folder}")
