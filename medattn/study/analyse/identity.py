"""Which results may stand in one table: those of one code on one data."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

RowT = TypeVar("RowT", bound=Mapping[str, Any])

# What decides which images a trial reads.
READS = (
    "study", "dataset", "size", "protocol", "reader", "shortcut", "regime",
    "validation", "seed", "code",
)  # fmt: skip


def split_by_code(rows: Sequence[RowT]) -> dict[str, list[RowT]]:
    """Separates results that different versions of the code made.

    Trials on different data sets or with different starts are decided by different
    code, so fingerprints are compared within a data set and a start.

    Args:
        rows: Results, see `medattn.study.analyse.results.COLUMNS`.

    Returns:
        A dict from fingerprint to rows. Those of which there is one version only are
        together, under `""`.
    """
    codes: dict[tuple[Any, Any], set[Any]] = {}
    for row in rows:
        codes.setdefault(_decided(row), set()).add(row.get("code"))
    parts: dict[str, list[RowT]] = {}
    for row in rows:
        several = len(codes[_decided(row)]) > 1
        parts.setdefault(str(row.get("code")) if several else "", []).append(row)
    return parts


def check_one_data(rows: Iterable[Mapping[str, Any]]) -> None:
    """Refuses a table in which the same data are not the same.

    Args:
        rows: Results, see `medattn.study.analyse.results.COLUMNS`; those without
            `data_sha256` are not compared.

    Raises:
        ValueError: If two trials that should have read the same images and labels read
            others.
    """
    seen: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in rows:
        if row.get("data_sha256") is None:
            continue
        first = seen.setdefault(tuple(row.get(key) for key in READS), row)
        if first["data_sha256"] != row["data_sha256"]:
            raise ValueError(
                f"Two trials on {row['dataset']!r} read different data. Expected the "
                "same images and labels in all trials of one regime and seed; run the "
                "study of other data under another name, or move the trials on old "
                f"data out of its folder. Received: data_sha256="
                f"{first['data_sha256'][:8]} of {first['id']!r} and "
                f"{row['data_sha256'][:8]} of {row['id']!r}"
            )


def _decided(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row.get("dataset"), row.get("initialisation")
