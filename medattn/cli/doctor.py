"""The verb doctor: checks everything that medattn needs, and says what to do."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

from medattn.cli.backend import import_backend

if TYPE_CHECKING:
    from packaging.requirements import Requirement

State = Literal["ok", "absent", "fails"]
GOOD: State = "ok"
ABSENT: State = "absent"
BAD: State = "fails"
MINIMUM_FREE = 2 * 10**9  # bytes, on the disk of the prepared images
TOLERANCE = 1e-4  # of the logit: the largest error of an audit
INNVESTIGATE = "import innvestigate, tf_keras; print(innvestigate.__name__)"
START_SECONDS = 300  # at most, for a process with TensorFlow to start
EXTRAS = {
    "dicom": "to read DICOM files",
    "innvestigate": "to compare with the original library",
    "ray": "to run a study on several machines",
    "submitit": "to run a study under Slurm",
}


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: What was checked.
        state: `"ok"`; `"absent"`: not installed, and only needed for what `said` names;
            `"fails"`: medattn, or a part of it, will not work.
        said: What was found, or what is wrong.
        cure: What to do, where there is something.
    """

    name: str
    state: State
    said: str
    cure: str = ""


def doctor(*, quick: bool = False, json: bool = False) -> None:
    """Check versions, backend, devices, caches, weights; say what to do about each.

    The exit code is 0 if nothing fails, whatever optional part is absent, and 1 if
    something does.

    Args:
        quick: Only the checks that take less than a second: no backend is started.
        json: Print the findings as JSON instead of a table.
    """
    findings = examine(quick=quick)
    failed = sum(finding.state == BAD for finding in findings)
    print(as_json(findings) if json else table(findings))
    if not json:
        print(f"{failed} of {len(findings)} fail." if failed else "Nothing fails.")
    if failed:
        sys.exit(1)


def examine(*, quick: bool = False) -> list[Finding]:
    """Runs all checks, one after the other.

    Args:
        quick: Whether to leave out the checks that start a backend.

    Returns:
        A list of `Finding`s. A check that raises is a finding, too.
    """
    checks: list[Callable[[], list[Finding]]]
    checks = [python, packages, extras, devices, cache, zoo]
    if not quick:
        checks += [backend, explanation, imagenet, innvestigate]
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check()
        except Exception as error:  # the other checks must run
            said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            cure = "report it with the output of medattn doctor --json"
            findings.append(Finding(check.__name__, BAD, said, cure))
    return findings


def table(findings: Sequence[Finding]) -> str:
    """Writes findings as a table, with what to do below each that is not ok."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for one in findings:
        lines.append(f"{one.state:<8}{one.name:<{width}}  {one.said}")
        if one.cure:
            lines.append(f"{'':<8}{'':<{width}}  -> {one.cure}")
    return "\n".join(lines)


def as_json(findings: Sequence[Finding]) -> str:
    """Writes findings as a JSON object with `well` and `findings`."""
    well = all(finding.state != BAD for finding in findings)
    return json.dumps(
        {"well": well, "findings": [asdict(finding) for finding in findings]}, indent=1
    )


# The checks, each a function that returns a list of findings.


def python() -> list[Finding]:
    """Does medattn run on this version of Python?"""
    from packaging.specifiers import SpecifierSet

    here = platform.python_version()
    said = f"{here} on {platform.system()} {platform.machine()}"
    wanted = metadata.metadata("medattn")["Requires-Python"]
    if not SpecifierSet(wanted).contains(here, prereleases=True):
        return [Finding("Python", BAD, said, f"install Python {wanted}")]
    return [Finding("Python", GOOD, said)]


def packages() -> list[Finding]:
    """Are the required packages installed, in the right versions?"""
    findings, good = [], 0
    for wanted in _requirements():
        wrong = _problem(wanted)
        if wrong is None:
            good += 1
            continue
        cure = f"python -m pip install '{wanted.name}{wanted.specifier}'"
        findings.append(Finding(wanted.name, BAD, wrong, cure))
    said = f"medattn {metadata.version('medattn')}; {good} packages as required"
    return [Finding("packages", GOOD, said), *findings]


def extras() -> list[Finding]:
    """Which optional parts are installed?"""
    findings = []
    for extra, purpose in EXTRAS.items():
        wanted = _requirements(extra)
        wrong = [f"{one.name}: {w}" for one in wanted if (w := _problem(one))]
        name = f"extra {extra}"
        if not wanted:
            said = f"not for Python {platform.python_version()}; only {purpose}"
            findings.append(Finding(name, ABSENT, said))
        elif wrong:
            said = f"{', '.join(wrong)}; only needed {purpose}"
            cure = f"python -m pip install 'medattn[{extra}]'"
            findings.append(Finding(name, ABSENT, said, cure))
        else:
            there = ", ".join(f"{w.name} {metadata.version(w.name)}" for w in wanted)
            findings.append(Finding(name, GOOD, there))
    return findings


def devices() -> list[Finding]:
    """How many cores and how much memory does the machine have?"""
    from medattn.study.execute.engines import available_cores

    said = f"{available_cores()} cores"
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return [Finding("machine", GOOD, said)]
    return [Finding("machine", GOOD, f"{said}, {size / 1e9:.0f} GB of memory")]


def cache() -> list[Finding]:
    """Can prepared images be written, and is there space for them?"""
    from medattn.data import cache_folder

    folder = cache_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:  # with a temporary file; no folder is made
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        said = f"{folder} cannot be written: {error.strerror or error}"
        cure = "set MEDATTN_CACHE to a folder of yours"
        return [Finding("cache", BAD, said, cure)]
    free = shutil.disk_usage(existing).free
    said = f"{folder}, {free / 1e9:.0f} GB free"
    if free < MINIMUM_FREE:
        cure = "free some space, or set MEDATTN_CACHE to a folder on another disk"
        return [Finding("cache", BAD, said, cure)]
    return [Finding("cache", GOOD, said)]


def zoo() -> list[Finding]:
    """Do the shipped weights have their recorded hashes?"""
    from medattn.zoo import check_zoo_files, list_zoo_models

    count = len(list_zoo_models(plain=False))
    faults = check_zoo_files()
    cure = "python -m pip install --force-reinstall --no-deps medattn"
    if not count:
        return [Finding("shipped networks", BAD, "none is installed", cure)]
    findings = [Finding("shipped networks", BAD, fault, cure) for fault in faults]
    if not faults:
        said = f"{count} networks, each with the recorded hash"
        findings.append(Finding("shipped networks", GOOD, said))
    return findings


def backend() -> list[Finding]:
    """Does Keras start, and on which devices?"""
    cure = "set KERAS_BACKEND to one that is installed: tensorflow, jax or torch"
    try:
        import_backend()
        import keras

        name = keras.backend.backend()
        total = float(keras.ops.sum(keras.ops.ones((64, 64)) @ keras.ops.eye(64)))
    except Exception as error:  # each backend has its own kinds of failure
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return [Finding("backend", BAD, said, cure)]
    if total != 64 * 64:
        said = f"{name} multiplies incorrectly: {total} instead of {64 * 64}"
        return [Finding("backend", BAD, said, "install the backend again")]
    said = f"{name} {metadata.version(name)}, keras {keras.__version__}; "
    said += _accelerators(name)
    return [Finding("backend", GOOD, said)]


def explanation() -> list[Finding]:
    """Does a shipped network predict, and does its explanation conserve the logit?"""
    from medattn.data import draw_images
    from medattn.explain import audit_line, create_analyzer
    from medattn.zoo import load_zoo_model

    model = load_zoo_model("micro_resnet")
    images = draw_images("fundus", [17])["image"].astype("float32") / 255
    analyzer: Any = create_analyzer("lrp.epsilon", model, neuron_selection_mode="index")
    audit = analyzer.audit(images, 1)
    error, logit = float(audit["error"][0]), float(audit["logit"][0])
    if not abs(error) <= TOLERANCE * max(1.0, abs(logit)):
        cure = "report it with the output of medattn doctor --json"
        return [Finding("explanation", BAD, audit_line(audit), cure)]
    return [Finding("explanation", GOOD, audit_line(audit))]


def imagenet() -> list[Finding]:
    """Which ImageNet weights were saved by hand, and are they the published ones?"""
    from medattn.models.imagenet import SOURCES, check_digest, weights_folder

    findings, folder = [], weights_folder()
    for trunk, source in SOURCES.items():
        path, name = folder / source.file, f"ImageNet {trunk}"
        if not path.is_file():
            said = "not saved by hand; only needed for pretrained networks"
            cure = f"fetched on first use; without an internet connection: {path} from "
            cure += source.page
            findings.append(Finding(name, ABSENT, said, cure))
            continue
        try:
            check_digest(path, source.digest)
        except ValueError:
            said = f"{path} is not the published file, or only a part of it"
            findings.append(Finding(name, BAD, said, "delete it and fetch it again"))
        else:
            findings.append(Finding(name, GOOD, str(path)))
    return findings


def innvestigate() -> list[Finding]:
    """Does the original library start, in a process of its own?"""
    name = "iNNvestigate"
    if any(_problem(one) for one in _requirements("innvestigate")) or not _requirements(
        "innvestigate"
    ):
        return [Finding(name, ABSENT, "not installed, so not started")]
    run = subprocess.run(
        [sys.executable, "-P", "-c", INNVESTIGATE],
        env=os.environ | {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    if run.returncode:
        said = (run.stderr.strip().splitlines() or ["it ended without a message"])[-1]
        cure = "uv sync --extra innvestigate, in the project's folder"
        return [Finding(name, BAD, said[:200], cure)]
    version = metadata.version("innvestigate")
    return [Finding(name, GOOD, f"{version} starts in a process of its own")]


# Helpers


def _requirements(extra: str = "") -> list["Requirement"]:
    """Lists the requirements of medattn, or of one of its extras."""
    from packaging.requirements import Requirement

    found = []
    for text in metadata.requires("medattn") or ():
        one = Requirement(text)
        of_extra = re.search(r"extra\s*==", text) is not None
        if of_extra != bool(extra):
            continue
        if one.marker is None or one.marker.evaluate({"extra": extra}):
            found.append(one)
    return found


def _problem(wanted: "Requirement") -> str | None:
    """Describes what is wrong with a required package; None if nothing is."""
    try:
        installed = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return "is not installed"
    if not wanted.specifier.contains(installed, prereleases=True):
        return f"{installed} is installed, {wanted.specifier} is needed"
    return None


def _accelerators(name: str) -> str:
    """Names the accelerators that the backend sees."""
    if name == "tensorflow":
        from medattn.study.execute.devices import find_gpus

        found = find_gpus()
    elif name == "jax":
        import jax

        found = [str(one) for one in jax.devices() if one.platform != "cpu"]
    else:
        import torch

        found = [f"cuda:{n}" for n in range(torch.cuda.device_count())]
    return ", ".join(found) or "no accelerator: it computes on the CPU"
