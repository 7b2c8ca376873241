"""Small files that ask for a large machine: refused, or read in bounded memory."""

import io
import os
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from medattn.data import fit_image, read_image
from medattn.data.limits import MAXIMUM_PIXELS, MAXIMUM_SIDE


def png(image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


MEASURE = """
import sys
import numpy as np
from PIL import Image
from medattn.data.images import fit_image, read_image

Image.init()

def held(name):  # VmRSS now, VmHWM at most since the last reset, in MB
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

def rise(work):
    open("/proc/self/clear_refs", "w").write("5")
    before = held("VmRSS")
    work()
    return held("VmHWM") - before

def read(path):
    image = read_image(path)
    fit_image(image, 64), fit_image(image, 384)
"""


def rises(*works):
    """Runs lines of code in a process of their own; returns how many MB each needs."""
    lines = [f"print('rise', rise(lambda: {work}))" for work in works]
    out = subprocess.run(
        [sys.executable, "-c", "\n".join([MEASURE, *lines])],
        capture_output=True,
        text=True,
        check=True,
    )
    said = out.stdout.splitlines()
    return [float(line.split()[1]) for line in said if line.startswith("rise")]


SHAPES = [(4000, 4000), (1, MAXIMUM_SIDE), (MAXIMUM_SIDE, 976), (1000, 16_000)]
MANY = [(mode, shape) for mode in ("RGB", "RGBA", "I;16", "P") for shape in SHAPES]


@pytest.mark.parametrize(
    "cases",
    [
        [("RGBA", (4000, 4000)), ("I;16", (1000, 16_000))],
        pytest.param(MANY, marks=pytest.mark.slow),
    ],
    ids=["two", "all"],
)
def test_what_the_header_lets_in_is_read_and_fitted_below_300_mb(tmp_path, cases):
    works = []
    for mode, shape in cases:
        path = tmp_path / f"{mode} {shape}.png"
        Image.new(mode, shape[::-1]).save(path, compress_level=1)
        works.append(f"read({str(path)!r})")
    found = rises("np.ones(40_000_000 // 8)", *works)
    assert 30 < found[0] < 60  # what is measured is seen
    assert len(found) == len(works) + 1
    assert max(found) < 300, dict(zip(works, found[1:], strict=True))


def test_a_long_image_is_fitted_without_a_square_of_its_longer_side():
    thin = "fit_image(np.full({}, 0.5, np.float32), 64)"
    found = rises(*(thin.format((*shape, 3)) for shape in ((1, 16_000), (16_000, 1))))
    assert max(found) < 50
    fitted = fit_image(np.ones((1, 16_000, 3), np.float32), 64)
    assert fitted.shape == (64, 64, 3) and fitted.dtype == np.float32
    assert fitted.any(axis=(1, 2)).sum() == 1  # the rest is black
    assert fitted.any(axis=(0, 2)).all()


def test_a_side_beyond_the_longest_is_refused_from_the_header():
    with pytest.raises(ValueError, match="too long. Expected at most 16,384 pixels"):
        read_image(png(Image.new("1", (MAXIMUM_SIDE + 1, 1))))
    assert MAXIMUM_SIDE**2 > MAXIMUM_PIXELS  # a square meets the other limit


@pytest.mark.parametrize("shape", [(64, 64), (100, 100), (37, 90), (200, 13)])
def test_fitting_row_by_row_is_what_pillow_does_at_once(shape):
    image = np.random.default_rng(3).random((*shape, 3), np.float32)
    fitted = fit_image(image, 32)
    inner = tuple(max(1, round(n * 32 / max(shape))) for n in shape[::-1])
    whole = np.stack(
        [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(image[..., channel])).resize(
                    inner, Image.Resampling.BILINEAR
                )
            )
            for channel in range(3)
        ],
        -1,
    )
    top, left = (32 - inner[1]) // 2, (32 - inner[0]) // 2
    held = fitted[top : top + inner[1], left : left + inner[0]]
    np.testing.assert_array_equal(held, np.clip(whole, 0, 1))
    assert fitted.sum() == pytest.approx(held.sum())


def test_a_pipe_and_a_device_are_refused_and_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero", "/dev/stdin"):
        with pytest.raises(ValueError, match="no ordinary file|There is no file"):
            read_image(path)


def test_a_palette_that_is_too_short_names_the_file(tmp_path):
    def chunk(kind, body):
        check = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + check

    side = (4).to_bytes(4, "big")
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", side + side + b"\x08\x03\0\0\0")
    content += chunk(b"PLTE", bytes(6)) + chunk(b"tRNS", b"\x80")
    rows = b"".join(b"\0" + bytes([200, 201, 202, 203]) for _ in range(4))
    content += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path = tmp_path / "eye.png"
    path.write_bytes(content)
    try:
        assert read_image(path).shape == (4, 4, 3)
    except ValueError as error:
        assert str(error).startswith("eye.png")  # noqa: PT017
