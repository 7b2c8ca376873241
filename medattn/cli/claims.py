"""The verb claims: how probable is it that a published "A beats B" is false?"""

import csv
import io
import sys
from pathlib import Path
from typing import Annotated

import tyro


def claims(
    table: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
) -> None:
    """Judge the comparisons of a published table.

    The columns are method_a, method_b, a, b (accuracies or AUROCs in [0, 1], on the
    same test images) and classes (test images of each class, such as 279/271); if
    wanted metric (accuracy or auroc), congruence, dataset and paper. Nothing is sent
    anywhere.

    Args:
        table: The CSV.
        output: A CSV to write: the table's columns with p_false at two assumed
            congruences, the interval of the difference, and the commonest class.
    """
    from medattn.study import check_claims, claim_sentence, read_claims
    from medattn.study.analyse.claims import DOUBTFUL

    rows = read_claims(table)
    checked = check_claims(rows)
    for row, claim in zip(rows, checked, strict=True):
        where = " ".join(str(row[key]) for key in ("paper", "dataset") if row.get(key))
        print(f"{where}: {claim_sentence(claim)}" if where else claim_sentence(claim))
    doubtful = sum(max(claim.p_false) > DOUBTFUL for claim in checked if claim.better)
    claimed = sum(claim.better is not None for claim in checked)
    print(
        f"{doubtful} of {claimed} claims are false with a probability above {DOUBTFUL}."
    )
    print(
        "Where the table has no congruence, 50% and 90% of what the two results allow "
        "is assumed; for AUROCs a correlation of .5 and .9."
    )
    if output is not None:
        _write(output, rows, checked)
        print(f"Wrote {output}", file=sys.stderr)


def _write(output: Path, rows: list, checked: list) -> None:
    from medattn.study.files import write_atomic

    columns = list(rows[0]) if rows else []
    judged = "congruence_assumed p_false low high majority below_majority".split()
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow([*columns, *judged])
    for row, claim in zip(rows, checked, strict=True):
        cells = [
            "/".join(map(str, row[c])) if c == "classes" else row.get(c, "")
            for c in columns
        ]
        writer.writerow(
            [
                *cells,
                "/".join(f"{each:.4f}" for each in claim.congruence),
                "/".join(f"{each:.6f}" for each in claim.p_false),
                f"{claim.low:.6f}",
                f"{claim.high:.6f}",
                f"{claim.majority:.6f}",
                claim.below_majority,
            ]
        )
    write_atomic(output, table.getvalue())
