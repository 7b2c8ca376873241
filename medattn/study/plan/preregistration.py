"""A pre-registration: what a study is to answer, written before its first trial."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from medattn.study.plan.trial import Trial, check_name

SHIPPED = Path(__file__).parent / "preregistrations"

Kind: TypeAlias = Literal["difference", "correlation"]
Expectation: TypeAlias = Literal["better", "worse", "practically the same", "none"]
Cell: TypeAlias = tuple[str, float, str]  # data set, regime, trunk or ""
Network: TypeAlias = tuple[str, str, float]  # model, data set, regime
MATCHED = ("dataset", "regime", "trunk")


@dataclass(frozen=True)
class Hypothesis:
    """A question, and what is expected of its answer.

    Attributes:
        id: Such as `"H1"`.
        question: A sentence.
        expectation: What is expected and why, or that nothing is.
    """

    id: str
    question: str
    expectation: str


@dataclass(frozen=True)
class PlannedContrast:
    """One number that the study is to give, with its test.

    Attributes:
        hypothesis: The id of the one that it answers.
        name: What is compared.
        metric: A column of the results, higher is better.
        one, other: Networks of the two sides, whose means are compared. Of a
            correlation, `one` holds the networks and `other` nothing.
        datasets, regimes: All of them, averaged.
        seeds: The registered seeds; others are not looked at.
        matched: What both sides have in common within a cell, besides the seed.
        rope: Differences up to this are practically none.
        expectation: The verdict that is expected, or `"none"`.
        kind: `"difference"` of the sides' means; `"correlation"`, Spearman's, of
            `metric` with `against` over the networks of a cell.
        against: The other column of a correlation.
    """

    hypothesis: str
    name: str
    metric: str
    one: tuple[str, ...]
    other: tuple[str, ...]
    datasets: tuple[str, ...]
    regimes: tuple[float, ...]
    seeds: tuple[int, ...]
    matched: tuple[str, ...] = ("dataset", "regime")
    rope: float = 0.01
    expectation: Expectation = "none"
    kind: Kind = "difference"
    against: str | None = None

    def __post_init__(self) -> None:
        check_name("kind of contrast", self.kind, get_args(Kind))
        check_name("expectation", self.expectation, get_args(Expectation))
        for name in self.matched:
            check_name("matched factor", name, MATCHED)
        correlation = self.kind == "correlation"
        alone = [trunk for trunk, sides in self._sides().items() if not all(sides)]
        if correlation and (self.other or not self.against or len(self.one) < 3):
            wrong = "a correlation is over three networks or more, `against` a column"
        elif not correlation and (
            alone or not self.one or set(self.one) & {*self.other}
        ):
            wrong = "a difference has different networks on both sides of every cell"
        elif not (self.datasets and self.regimes and self.seeds):
            wrong = "a contrast has data sets, regimes and seeds"
        else:
            return
        raise ValueError(
            f"The planned contrast {self.key!r} cannot be computed. Expected: {wrong}. "
            f"Received: {self}"
        )

    @property
    def key(self) -> str:
        """Its name among all contrasts, such as `"H1: SE − none"`."""
        return f"{self.hypothesis}: {self.name}"

    @property
    def family(self) -> tuple[str, str]:
        """What Holm's correction is taken over: the hypothesis and the metric."""
        return self.hypothesis, self.metric

    def cells(self) -> dict[Cell, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Lists the cells, all of which a seed must have, and the networks of each.

        Returns:
            `{(data set, regime, trunk or ""): (networks of one, of the other)}`.
        """
        return {
            (dataset, regime, trunk): sides
            for dataset in self.datasets
            for regime in self.regimes
            for trunk, sides in self._sides().items()
        }

    def networks(self) -> list[Network]:
        """Lists what has to be trained: `(model, data set, regime)`, each once."""
        return [
            (model, dataset, regime)
            for model in (*self.one, *self.other)
            for dataset in self.datasets
            for regime in self.regimes
        ]

    def _sides(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Groups the networks of both sides by trunk, if trunks are matched."""
        if "trunk" not in self.matched:
            return {"": (self.one, self.other)}
        trunks = dict.fromkeys(map(trunk_of, (*self.one, *self.other)))
        return {
            trunk: (
                tuple(name for name in self.one if trunk_of(name) == trunk),
                tuple(name for name in self.other if trunk_of(name) == trunk),
            )
            for trunk in trunks
        }


@dataclass(frozen=True)
class Preregistration:
    """What a study is to answer, how, and when it ends.

    Attributes:
        name: Of its file.
        title: What the study is.
        hypotheses: The questions.
        contrasts: The numbers that answer them.
        alpha: Level of every family, that is of every hypothesis and metric.
        unit, tests, verdicts, stopping, failures, budgets, exploratory: Rules, in
            words: what is an observation, how it is tested, what the verdicts mean,
            when the study ends, what becomes of failed trials, how steps were chosen,
            what is not registered.
    """

    name: str
    title: str
    hypotheses: tuple[Hypothesis, ...]
    contrasts: tuple[PlannedContrast, ...]
    alpha: float
    unit: str
    tests: str
    verdicts: str
    stopping: str
    failures: str
    budgets: str
    exploratory: str

    def __post_init__(self) -> None:
        if self.alpha != 0.05:
            raise ValueError(
                "The level of the tests is that of the 95% intervals beside them. "
                f"Expected alpha = 0.05. Received: alpha={self.alpha}"
            )
        known = [hypothesis.id for hypothesis in self.hypotheses]
        for contrast in self.contrasts:
            check_name("hypothesis", contrast.hypothesis, known)
        keys = [contrast.key for contrast in self.contrasts]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice or not keys:
            raise ValueError(
                "A pre-registration names every contrast once. Expected at least one, "
                f"all different. Received: {twice or 'none'}"
            )

    def families(self) -> dict[tuple[str, str], list[PlannedContrast]]:
        """Groups the contrasts by hypothesis and metric, for Holm's correction."""
        found: dict[tuple[str, str], list[PlannedContrast]] = {}
        for contrast in self.contrasts:
            found.setdefault(contrast.family, []).append(contrast)
        return found

    def check_plan(self, study: str, trials: Iterable[Trial]) -> None:
        """Refuses a plan that cannot answer a contrast.

        Seeds may be fewer than registered, for they are added in whole; the contrasts
        are interim then.

        Args:
            study: The study's name.
            trials: Its trials.

        Raises:
            ValueError: With the missing cells.
        """
        planned = {
            (trial.model, trial.dataset, trial.regime)
            for trial in trials
            if trial.initialisation == "random" and trial.shortcut is None
        }
        missing: dict[tuple[str, str], set[float]] = {}
        unanswered = []
        for contrast in self.contrasts:
            lacking = [one for one in contrast.networks() if one not in planned]
            if lacking:
                unanswered.append(contrast.key)
            for model, dataset, regime in lacking:
                missing.setdefault((model, dataset), set()).add(regime)
        if not missing:
            return
        cells = "; ".join(
            f"{model} on {dataset} at {', '.join(map(percent, sorted(regimes)))}"
            for (model, dataset), regimes in missing.items()
        )
        raise ValueError(
            f"The plan of study {study!r} cannot answer {len(unanswered)} of the "
            f"{len(self.contrasts)} contrasts of its pre-registration {self.name!r}: "
            f"{', '.join(unanswered)}. Expected trials of all their cells, from random "
            "weights and without a shortcut, or preregistration=None for a study that "
            f"registers nothing. Received a plan without: {cells}"
        )


def list_preregistrations() -> list[str]:
    """Lists the names of the pre-registrations that are shipped."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def read_preregistration(source: str | Path) -> Preregistration:
    """Reads a pre-registration: the name of a shipped one, or a TOML file.

    The file has the fields of `Preregistration` but the name, which is the file's; a
    list `[[hypotheses]]` and a list `[[contrasts]]`. `regimes`, `seeds` (their number,
    counted from 0) and `rope` stand for all contrasts, or in one of them. A contrast
    with `each_regime = true` stands for one a regime. `like = "micro2"` takes what the
    file does not say from another one, but for hypotheses and contrasts.

    Args:
        source: One of `list_preregistrations()`, or the path of a `.toml` file.

    Returns:
        A `Preregistration`.

    Raises:
        ValueError: If there is no such file, or an entry is unknown, missing or wrong.
    """
    source = str(source)
    if not source.endswith(".toml"):
        known = list_preregistrations()
        check_name("pre-registration", source, [*known, "a .toml file"])
        source = str(SHIPPED / f"{source}.toml")
    entries = _read_entries(Path(source))
    hypotheses = tuple(
        _make(Hypothesis, one, "hypothesis") for one in entries.pop("hypotheses", [])
    )
    shared = {key: entries.pop(key, None) for key in ("regimes", "seeds", "rope")}
    shared = {key: value for key, value in shared.items() if value is not None}
    contrasts = tuple(
        contrast
        for one in entries.pop("contrasts", [])
        for contrast in _read_contrasts({**shared, **one})
    )
    entries |= {"name": Path(source).stem}
    entries |= {"hypotheses": hypotheses, "contrasts": contrasts}
    return _make(Preregistration, entries, "pre-registration")


def trunk_of(model: str) -> str:
    """Names the trunk of a network, without its gate."""
    return model.removeprefix("se_").removeprefix("cbam_")


def percent(regime: float) -> str:
    """Writes a regime as the amount of data, `"1%"`."""
    return f"{100 * regime:g}%"


def _read_entries(path: Path) -> dict[str, Any]:
    """Reads a file, and what it takes from the one that it is like."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"There is no pre-registration {str(path)!r}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{str(path)!r} is no TOML: {error}") from None
    like = entries.pop("like", None)
    if like is None:
        return entries
    check_name("pre-registration", like, list_preregistrations())
    before = _read_entries(SHIPPED / f"{like}.toml")
    kept = {k: v for k, v in before.items() if k not in ("hypotheses", "contrasts")}
    return kept | entries


def _read_contrasts(entries: Mapping[str, Any]) -> list[PlannedContrast]:
    """Makes the contrasts of one entry: one, or one a regime."""
    entries = {"other": (), **entries}
    each = entries.pop("each_regime", False)
    for key in ("one", "other", "datasets", "regimes", "matched"):
        if key in entries:
            entries[key] = tuple(entries[key])
    if "seeds" in entries:
        entries["seeds"] = tuple(range(entries["seeds"]))
    if not each:
        return [_make(PlannedContrast, entries, "planned contrast")]
    return [
        _make(
            PlannedContrast,
            entries | {"name": f"{entries.get('name')}, {percent(r)}", "regimes": (r,)},
            "planned contrast",
        )
        for r in entries.get("regimes", ())
    ]


def _make(kind: type, entries: Mapping[str, Any], what: str) -> Any:
    """Makes a dataclass of entries, all of which it must know."""
    known = fields(kind)
    for key in entries:
        check_name(f"entry of a {what}", key, [one.name for one in known])
    needed = [one.name for one in known if not hasattr(kind, one.name)]
    lacking = [name for name in needed if name not in entries]
    if lacking:
        raise ValueError(
            f"A {what} lacks entries. Expected {needed}. Received none of {lacking} in "
            f"{dict(entries)}"
        )
    return kind(**entries)
