"""The verb doctor: its findings, its advice and its exit code."""

import json
import os
import subprocess
import sys
from importlib import metadata

import pytest

from medattn import zoo
from medattn.cli import doctor as cli_doctor
from medattn.cli import main
from medattn.cli.doctor import BAD, GOOD, Finding, as_json, examine, table


def run(monkeypatch, capsys, *arguments):
    """Runs the command here; returns exit code and output."""
    monkeypatch.setattr(sys, "argv", ["medattn", "doctor", *arguments])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code or 0
    return code, capsys.readouterr().out


def findings_of(check):
    return {finding.name: finding for finding in check()}


def test_on_this_machine_nothing_fails_and_the_exit_code_is_zero(monkeypatch, capsys):
    code, out = run(monkeypatch, capsys, "--quick")
    assert code == 0 and "Nothing fails." in out
    count = len(zoo.list_zoo_models(plain=False))
    assert f"{count} networks, each with the recorded hash" in out
    assert all(
        line[:8].strip() in ("ok", "absent", "") for line in out.splitlines()[:-1]
    )


def test_json_holds_every_finding(monkeypatch, capsys):
    code, out = run(monkeypatch, capsys, "--quick", "--json")
    report = json.loads(out)
    assert code == 0 and report["well"] is True
    assert [one["name"] for one in report["findings"]] == [
        finding.name for finding in examine(quick=True)
    ]


def test_quick_checks_start_no_backend():
    code = (
        "import sys; from medattn.cli.doctor import examine; examine(quick=True); "
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch', 'gradio'} "
        "& set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


def test_a_changed_and_a_missing_weights_file_are_named(monkeypatch, tmp_path, capsys):
    records = zoo.list_zoo_models()[:3]
    for record in records:
        folder = tmp_path / record["trial"]["dataset"]
        folder.mkdir(exist_ok=True)
        content = (zoo.FOLDER / folder.name / record["weights"]).read_bytes()
        (folder / record["weights"]).write_bytes(content)
        name = record["weights"].replace(".safetensors", ".json")
        (folder / name).write_text(json.dumps(record))
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    assert zoo.check_zoo_files() == []
    changed, missing = (
        tmp_path / record["trial"]["dataset"] / record["weights"]
        for record in records[:2]
    )
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1  # one bit
    changed.write_bytes(content)
    missing.unlink()
    faults = zoo.check_zoo_files()
    assert len(faults) == 2
    assert changed.name in faults[0] and missing.name in faults[1]
    code, out = run(monkeypatch, capsys, "--quick")
    assert code == 1 and out.count("fails   shipped networks") == 2
    assert "-> python -m pip install --force-reinstall" in out
    assert out.rstrip().splitlines()[-1].startswith("2 of ")


def test_a_missing_and_an_old_package_are_named_with_the_command(monkeypatch):
    real = metadata.version

    def version(name):
        if name == "tyro":
            raise metadata.PackageNotFoundError(name)
        return "1.0" if name == "gradio" else real(name)

    monkeypatch.setattr(cli_doctor.metadata, "version", version)
    found = findings_of(cli_doctor.packages)
    assert found["tyro"].state == found["gradio"].state == BAD
    assert found["tyro"].said == "is not installed"
    assert found["gradio"].said.startswith("1.0 is installed, ")
    assert found["gradio"].cure == "python -m pip install 'gradio<7,>=6.20'"
    assert set(found) == {"packages", "tyro", "gradio"}


def test_an_absent_optional_part_is_not_a_failure(monkeypatch):
    real = metadata.version

    def version(name):
        if name == "pydicom":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(cli_doctor.metadata, "version", version)
    found = findings_of(cli_doctor.extras)["extra dicom"]
    assert found.state == "absent" and "to read DICOM files" in found.said
    assert "medattn[dicom]" in found.cure


def test_a_cache_that_cannot_be_written_fails(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MEDATTN_CACHE", str(tmp_path / "file"))
    (found,) = cli_doctor.cache()
    assert found.state == BAD and "MEDATTN_CACHE" in found.cure
    monkeypatch.setenv("MEDATTN_CACHE", str(tmp_path / "not" / "made" / "yet"))
    (found,) = cli_doctor.cache()
    assert found.state == GOOD and list(tmp_path.iterdir()) == [tmp_path / "file"]
    monkeypatch.setattr(cli_doctor, "MINIMUM_FREE", 10**18)
    assert cli_doctor.cache()[0].state == BAD


def test_a_file_that_is_not_the_published_one_fails(monkeypatch, tmp_path):
    from medattn.models.imagenet import SOURCES

    monkeypatch.setenv("MEDATTN_WEIGHTS", str(tmp_path))
    (tmp_path / SOURCES["deit_tiny"].file).write_bytes(b"half of it")
    found = findings_of(cli_doctor.imagenet)
    assert found["ImageNet deit_tiny"].state == BAD
    assert found["ImageNet resnet50"].state == "absent"


def test_a_check_that_raises_is_a_finding_and_the_others_run(monkeypatch):
    def devices():
        raise RuntimeError("the\nmachine hides")

    monkeypatch.setattr(cli_doctor, "devices", devices)
    found = {finding.name: finding for finding in examine(quick=True)}
    assert found["devices"].state == BAD
    assert found["devices"].said == "RuntimeError: the machine hides"
    assert found["shipped networks"].state == GOOD


def test_the_table_writes_what_to_do_below_the_finding():
    lines = table(
        [Finding("a", GOOD, "fine"), Finding("long", BAD, "broken", "repair it")]
    ).splitlines()
    assert lines == [
        "ok      a     fine",
        "fails   long  broken",
        "              -> repair it",
    ]
    assert json.loads(as_json([Finding("long", BAD, "broken")]))["well"] is False


def test_an_unknown_backend_fails_with_the_variable_to_set():
    out = subprocess.run(
        [sys.executable, "-m", "medattn", "doctor", "--json"],
        env=os.environ | {"KERAS_BACKEND": "nonsense"},
        capture_output=True,
        text=True,
    )
    found = {one["name"]: one for one in json.loads(out.stdout)["findings"]}
    assert out.returncode == 1
    assert found["backend"]["state"] == "fails"
    assert "KERAS_BACKEND" in found["backend"]["cure"]


@pytest.mark.slow
def test_all_checks_pass_on_this_machine():
    out = subprocess.run(
        [sys.executable, "-m", "medattn", "doctor"], capture_output=True, text=True
    )
    assert out.returncode == 0, out.stdout + out.stderr
    assert "= logit" in out.stdout and "starts in a process of its own" in out.stdout
    assert out.stderr == ""
