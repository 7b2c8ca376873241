"""The verb doctor: looks at all that medattn needs here, and says what to mend."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata

from medattn.cli.backend import import_backend

GOOD, ABSENT, BAD = "ok", "absent", "fails"
ROOM = 2 * 10**9  # bytes that should be free where prepared images go
CLOSE = 1e-4  # of the logit: what the parts of an explanation may miss together
INNVESTIGATE = "import innvestigate, tf_keras; print(innvestigate.__name__)"
START = 300  # seconds that a process with TensorFlow may take to start
EXTRAS = {
    "dicom": "to read DICOM files",
    "innvestigate": "to compare with the original library",
    "ray": "to run a study on several machines",
    "submitit": "to run a study under Slurm",
}


@dataclass(frozen=True)
class Finding:
    """What one look found.

    Attributes:
        name: What was looked at.
        state: `"ok"`; `"absent"`: not there, and only needed for what `said` names;
            `"fails"`: medattn, or a part of it, will not work.
        said: What is there, or what is wrong.
        cure: What to do, where there is something.
    """

    name: str
    state: str
    said: str
    cure: str = ""


def doctor(*, quick: bool = False, json: bool = False) -> None:
    """Check versions, backend, devices, caches, weights; say what to do about each.

    The exit code is 0 if nothing fails, whatever optional part is absent, and 1 if
    something does.

    Args:
        quick: Only what takes no second: no backend is started.
        json: Print the findings as JSON instead of a table.
    """
    findings = examine(quick=quick)
    failed = sum(finding.state == BAD for finding in findings)
    print(as_json(findings) if json else table(findings))
    if not json:
        print(f"{failed} of {len(findings)} fail." if failed else "Nothing fails.")
    if failed:
        sys.exit(1)


def examine(*, quick=False):
    """Looks at everything, one thing after the other.

    Args:
        quick: Whether to leave out what starts a backend.

    Returns:
        A list of `Finding`s. A look that breaks is a finding, too.
    """
    looks = [python, packages, extras, devices, cache, zoo]
    if not quick:
        looks += [backend, explanation, imagenet, innvestigate]
    findings = []
    for look in looks:
        try:
            findings += look()
        except Exception as error:  # a doctor does not faint
            said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            cure = "report it with the output of medattn doctor --json"
            findings.append(Finding(look.__name__, BAD, said, cure))
    return findings


def table(findings):
    """Writes findings as a table, with what to do below each that is not well."""
    wide = max(len(finding.name) for finding in findings)
    lines = []
    for one in findings:
        lines.append(f"{one.state:<8}{one.name:<{wide}}  {one.said}")
        if one.cure:
            lines.append(f"{'':<8}{'':<{wide}}  -> {one.cure}")
    return "\n".join(lines)


def as_json(findings):
    """Writes findings as a JSON object with `well` and `findings`."""
    well = all(finding.state != BAD for finding in findings)
    return json.dumps(
        {"well": well, "findings": [asdict(finding) for finding in findings]}, indent=1
    )


# The looks, each a function that returns a list of findings.


def python():
    """Is this a Python that medattn runs on?"""
    from packaging.specifiers import SpecifierSet

    here = platform.python_version()
    said = f"{here} on {platform.system()} {platform.machine()}"
    wanted = metadata.metadata("medattn")["Requires-Python"]
    if not SpecifierSet(wanted).contains(here, prereleases=True):
        return [Finding("Python", BAD, said, f"install Python {wanted}")]
    return [Finding("Python", GOOD, said)]


def packages():
    """Are the packages there that medattn cannot do without, in the right versions?"""
    findings, well = [], 0
    for wanted in _wanted():
        wrong = _wrong(wanted)
        if wrong is None:
            well += 1
            continue
        cure = f"python -m pip install '{wanted.name}{wanted.specifier}'"
        findings.append(Finding(wanted.name, BAD, wrong, cure))
    said = f"medattn {metadata.version('medattn')}; {well} packages as it asks for"
    return [Finding("packages", GOOD, said), *findings]


def extras():
    """Which optional parts are installed?"""
    findings = []
    for extra, purpose in EXTRAS.items():
        wanted = _wanted(extra)
        wrong = [f"{one.name}: {w}" for one in wanted if (w := _wrong(one))]
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


def devices():
    """How many cores and how much memory are there?"""
    from medattn.study.execute.engines import available_cores

    said = f"{available_cores()} cores"
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return [Finding("machine", GOOD, said)]
    return [Finding("machine", GOOD, f"{said}, {size / 1e9:.0f} GB of memory")]


def cache():
    """Can prepared images be written, and is there room for them?"""
    from medattn.data import cache_folder

    folder = cache_folder()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    try:  # a file that has no name and is gone at once; no folder is made
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        said = f"{folder} cannot be written: {error.strerror or error}"
        cure = "set MEDATTN_CACHE to a folder of yours"
        return [Finding("cache", BAD, said, cure)]
    free = shutil.disk_usage(there).free
    said = f"{folder}, {free / 1e9:.0f} GB free"
    if free < ROOM:
        cure = "make room, or set MEDATTN_CACHE to a folder on another disk"
        return [Finding("cache", BAD, said, cure)]
    return [Finding("cache", GOOD, said)]


def zoo():
    """Are the shipped weights the ones that were recorded, bit for bit?"""
    from medattn.zoo import check_zoo_files, list_zoo_models

    count = len(list_zoo_models(plain=False))
    faults = check_zoo_files()
    cure = "python -m pip install --force-reinstall --no-deps medattn"
    if not count:
        return [Finding("shipped networks", BAD, "none is there", cure)]
    findings = [Finding("shipped networks", BAD, fault, cure) for fault in faults]
    if not faults:
        said = f"{count} networks, each with the recorded hash"
        findings.append(Finding("shipped networks", GOOD, said))
    return findings


def backend():
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
        said = f"{name} multiplies wrongly: {total} instead of {64 * 64}"
        return [Finding("backend", BAD, said, "install the backend anew")]
    said = f"{name} {metadata.version(name)}, keras {keras.__version__}; "
    said += _accelerators(name)
    return [Finding("backend", GOOD, said)]


def explanation():
    """Does a shipped network answer, and does its explanation add up?"""
    from medattn.data import draw_images
    from medattn.explain import audit_line, create_analyzer
    from medattn.zoo import load_zoo_model

    model = load_zoo_model("micro_resnet")
    images = draw_images("fundus", [17])["image"].astype("float32") / 255
    analyzer = create_analyzer("lrp.epsilon", model, neuron_selection_mode="index")
    ledger = analyzer.audit(images, 1)
    error, logit = float(ledger["error"][0]), float(ledger["logit"][0])
    if not abs(error) <= CLOSE * max(1.0, abs(logit)):
        cure = "report it with the output of medattn doctor --json"
        return [Finding("explanation", BAD, audit_line(ledger), cure)]
    return [Finding("explanation", GOOD, audit_line(ledger))]


def imagenet():
    """Which ImageNet weights were put here by hand, and are they the published ones?"""
    from medattn.models.imagenet import SOURCES, check_digest, weights_folder

    findings, folder = [], weights_folder()
    for trunk, source in SOURCES.items():
        path, name = folder / source.file, f"ImageNet {trunk}"
        if not path.is_file():
            said = "not put here by hand; only needed for pretrained networks"
            cure = f"fetched when asked for; without a network: {path} from "
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


def innvestigate():
    """Does the original library start, in a process of its own?"""
    name = "iNNvestigate"
    if any(_wrong(one) for one in _wanted("innvestigate")) or not _wanted(
        "innvestigate"
    ):
        return [Finding(name, ABSENT, "not installed, so not started")]
    run = subprocess.run(
        [sys.executable, "-P", "-c", INNVESTIGATE],
        env=os.environ | {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=START,
    )
    if run.returncode:
        said = (run.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        cure = "uv sync --extra innvestigate, in the project's folder"
        return [Finding(name, BAD, said[:200], cure)]
    version = metadata.version("innvestigate")
    return [Finding(name, GOOD, f"{version} starts in a process of its own")]


# Helpers


def _wanted(extra=""):
    """Lists what medattn asks for: itself, or one of its extras."""
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


def _wrong(wanted):
    """Says what is wrong with a package, or None."""
    try:
        there = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return "is not installed"
    if not wanted.specifier.contains(there, prereleases=True):
        return f"{there} is installed, {wanted.specifier} is needed"
    return None


def _accelerators(name):
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
    return ", ".join(found) or "no accelerator: it computes on the processor"
