"""The progress bar of a study: trials done, time left, validation AUROC of now."""

import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from medattn.study.execute.trial_runner import trial_progress
from medattn.study.plan.estimate import duration
from medattn.study.plan.trial import Trial

WIDTH = 24  # characters


class ProgressBar:
    """Draws a bar on a terminal; elsewhere it writes one line a trial.

    Args:
        folder: The study's.
        trials: All of its trials.
        pending: The trials that are to run, by id.
        enabled: Whether to write anything.
    """

    def __init__(
        self,
        folder: Path,
        trials: Collection[str],
        pending: Mapping[str, Trial],
        *,
        enabled: bool,
    ) -> None:
        self.folder, self.enabled = folder, enabled
        self.total, self.done = len(trials), len(trials) - len(pending)
        self.steps = {name: max(1, trial.steps) for name, trial in pending.items()}
        self.steps_before = {name: self._step(name) for name in pending}
        self.steps_ended, self.start, self.drawn_at = 0, time.monotonic(), 0.0
        self.terminal = sys.stderr.isatty()

    def ended(self, name: str, answer: Mapping[str, Any]) -> None:
        """Counts a trial that has ended.

        Args:
            name: Its id.
            answer: Of its engine, see `fork_server.work`.
        """
        self.steps_ended += self.steps.pop(name) - self.steps_before[name]
        outcome = answer.get("outcome", {})
        self.done += 1
        if outcome.get("state") != "done":
            reason = outcome.get("reason") or answer.get("error") or answer.get("fault")
            self._write_line(f"{name}: {reason}")
        elif not self.terminal:
            auroc = outcome["test"].get("auroc")
            self._write_line(f"{self.done}/{self.total} {name}: test AUROC {auroc:.3f}")
        self.drawn_at = 0.0

    def draw(self) -> None:
        """Draws the bar, once a second at most."""
        now = time.monotonic()
        if not (self.enabled and self.terminal) or now - self.drawn_at < 1:
            return
        self.drawn_at = now
        running = {
            name: line
            for name in self.steps
            if (line := trial_progress(self.folder / name))
        }
        partly = sum(self._step(name) - self.steps_before[name] for name in running)
        made = self.steps_ended + partly
        left = sum(self.steps.values()) - sum(self.steps_before[n] for n in self.steps)
        rate = made / (now - self.start)
        time_left = f"{duration((left - partly) / rate)} left" if made else "starting"
        newest = [line["val_auroc"] for line in running.values() if "val_auroc" in line]
        scores = ", ".join(f"{value:.3f}" for value in newest[:4])
        filled = round(WIDTH * self.done / max(1, self.total))
        sys.stderr.write(
            f"\r\x1b[K[{'#' * filled}{'.' * (WIDTH - filled)}] {self.done}/{self.total}"
            f" trials, {time_left}" + (f", AUROC now {scores}" if scores else "")
        )
        sys.stderr.flush()

    def close(self) -> None:
        """Ends the line of the bar."""
        if self.enabled and self.terminal:
            sys.stderr.write("\n")

    def _write_line(self, line: str) -> None:
        if self.enabled:
            sys.stderr.write(("\r\x1b[K" if self.terminal else "") + line + "\n")
            sys.stderr.flush()

    def _step(self, name: str) -> int:
        return trial_progress(self.folder / name).get("step", 0)
