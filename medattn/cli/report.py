"""The verb report: the study's results as a page, or a table of what networks cost."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from medattn.cli.backend import import_backend


def report(
    what: Positional[Literal["study", "complexity"]] = "study",
    /,
    *,
    micro: bool = False,
    rounds: int = 0,
    results: Path | None = None,
    trial: str | None = None,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("report.html"),
) -> None:
    """Write what the study found as a page, or print what the networks cost.

    Args:
        what: study: the page and, beside it, the same as Markdown; complexity: a table
            of parameters by part, multiply-adds, activations, latency.
        micro: complexity: the micro networks at 64 x 64 instead of the study's.
        rounds: complexity: forward passes to time for each; 0 measures no latency.
        results: study: a CSV of results, a folder of them or the folder of a study;
            the shipped ones unless given.
        trial: study: name of a trial's folder in results, for a page of its own.
        output: study: the page to write, a .html.
    """
    if rounds < 0:
        raise ValueError(
            "The number of forward passes cannot be negative. Expected rounds >= 0. "
            f"Received: rounds={rounds}"
        )
    if what == "study":
        _write_report(results, trial, output)
    else:
        _print_complexity(micro=micro, rounds=rounds)


def _write_report(results: Path | None, trial: str | None, output: Path) -> None:
    from medattn.study import write_report
    from medattn.study.report.fragment import known_costs

    costs = None if trial is not None else known_costs()
    where = {} if results is None else {"source": results}
    for path in write_report(output, complexity=costs, trial=trial, **where):
        print(f"Wrote {path}")


def _print_complexity(*, micro: bool, rounds: int) -> None:
    import_backend()
    from medattn.models import complexity, create_model, list_models

    print(
        f"{'network':<20}{'trunk':>12}{'attention':>11}{'head':>9}{'parameters':>12}"
        f"{'M mult-adds':>13}{'MB kept':>9}" + (f"{'ms':>8}" if rounds else "")
    )
    for name in list_models():
        if ("micro" in name) != micro:
            continue
        cost = complexity(create_model(name), rounds=rounds)
        parameters = cost["parameters"]
        row = (
            f"{name:<20}{parameters['trunk']:>12,}{parameters['attention']:>11,}"
            f"{parameters['head']:>9,}{parameters['total']:>12,}"
            f"{cost['multiply_adds']['total'] / 1e6:>13,.1f}"
            f"{cost['activation_bytes'] / 1e6:>9.1f}"
        )
        print(row + (f"{1000 * cost['latency']:>8.1f}" if rounds else ""))
    if not micro:
        print(
            "deit_tiny is published as 5,486,786: the study's tool left out the class "
            "token and the positions, 38,016."
        )
