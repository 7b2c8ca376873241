"""A visitor's file is decoded elsewhere: what is too dear ends there, in a sentence."""

import io
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medattn.data import fit_image, read_image
from medattn_app.service import decoder as decoding
from medattn_app.service.decoder import FAILED, Decoder


@pytest.fixture(scope="module")
def decoder():
    made = Decoder()
    made.start()
    yield made
    made.close()


def encoded(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def scans(count):
    """A progressive JPEG of many scans that refine nothing: small, and slow to read."""
    content = encoded(Image.new("L", (3000, 3000)), "JPEG", progressive=True)
    head, *parts = content.removesuffix(b"\xff\xd9").split(b"\xff\xda")
    shortest = min(parts[1:], key=len)  # the first scan is of the mean colours
    return b"\xff\xda".join([head, *parts, *[shortest] * count]) + b"\xff\xd9"


def test_a_file_is_decoded_as_in_this_process(decoder):
    content = encoded(Image.fromarray(noise(300, 500, 3)))
    pixels, picture = decoder.decode(content)
    image = read_image(content)
    np.testing.assert_array_equal(pixels, fit_image(image, 64))
    np.testing.assert_array_equal(picture, fit_image(image, 384))
    small = encoded(Image.fromarray(noise(20, 30, 3)))
    assert decoder.decode(small)[1].shape == (30, 30, 3)  # never enlarged


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\nbroken"])
def test_what_is_no_image_comes_back_as_the_same_sentence(decoder, content):
    with pytest.raises(ValueError) as here:
        read_image(content)
    with pytest.raises(ValueError) as there:
        decoder.decode(content)
    assert str(here.value) == str(there.value)


def test_a_jpeg_of_two_thousand_scans_ends_at_the_deadline(decoder):
    bomb = scans(2000)
    assert len(bomb) < 200_000
    began = time.monotonic()
    with pytest.raises(ValueError, match="takes too long"):
        decoder.decode(bomb)
    assert time.monotonic() - began < decoding.WALL_SECONDS
    decoder.decode(encoded(Image.new("RGB", (9, 9))))  # and goes on


def test_what_needs_too_much_memory_ends_there_and_nothing_is_left(monkeypatch):
    monkeypatch.setattr(decoding, "MEGABYTES", 60)
    narrow = Decoder()
    try:
        with pytest.raises(ValueError) as error:
            narrow.decode(encoded(Image.new("RGB", (4000, 4000)), compress_level=1))
        assert "damaged" in str(error.value) or str(error.value) == FAILED
        narrow.decode(encoded(Image.new("RGB", (9, 9))))
        folder, process = Path(narrow.start()).parent, narrow._process
        assert folder.is_dir()
    finally:
        narrow.close()
    assert not folder.exists() and process.poll() == 0


def test_ten_files_at_once_are_all_decoded(decoder):
    contents = [encoded(Image.fromarray(noise(40, 40, 3, seed=n))) for n in range(10)]
    found = {}

    def decode(number):
        found[number] = decoder.decode(contents[number])[1]

    threads = [threading.Thread(target=decode, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, content in enumerate(contents):
        np.testing.assert_array_equal(found[number], read_image(content))


@pytest.mark.slow
def test_a_process_that_was_killed_is_started_again(decoder):
    process = decoder._process
    process.kill()
    process.wait()
    assert decoder.decode(encoded(Image.new("RGB", (9, 9))))[0].shape == (64, 64, 3)


@pytest.mark.slow
def test_without_fork_a_file_is_decoded_too(monkeypatch):
    monkeypatch.setattr(decoding, "CAN_FORK", False)
    assert Decoder().decode(encoded(Image.new("RGB", (9, 9), "red")))[1].max() == 1


@pytest.mark.slow
def test_a_server_that_is_killed_takes_the_process_with_it(tmp_path):
    code = (
        f"import tempfile; tempfile.tempdir = {str(tmp_path)!r}\n"
        "from medattn_app.service.decoder import Decoder\n"
        "made = Decoder()\n"
        "print(made.start(), made._process.pid, flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    )
    address, pid = running.stdout.readline().split()
    assert Path(address).is_socket()
    running.kill()
    running.communicate()
    end = time.monotonic() + 20
    while Path(address).parent.exists() or Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
