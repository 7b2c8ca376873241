"""Image files: read correctly, or refused in one plain sentence."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from medattn.data import fit_image, read_image
from medattn.data.images import read_square


def encoded(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def colours():
    """Left half red, right half blue, a green top row."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20, 0] = pixels[:, 20:, 2] = 255
    pixels[0] = (0, 255, 0)
    return pixels


def one_sentence(error):
    """A visitor can read it: one line, short, starting with the file's name."""
    text = str(error.value)
    assert text.startswith("The file ") and "\n" not in text and len(text) < 200


def test_png_files_and_bytes_are_read_unchanged(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(colours()).save(path)
    np.testing.assert_array_equal(read_image(path), colours().astype(np.float32) / 255)
    np.testing.assert_array_equal(read_image(path.read_bytes()), read_image(path))


def test_sixteen_bit_grey_is_stretched_not_clipped():
    ramp = np.linspace(0, 4095, 200).astype(np.uint16).reshape(10, 20)
    image = read_image(encoded(Image.fromarray(ramp), "PNG"))
    assert image.shape == (10, 20, 3) and image.min() == 0 and image.max() == 1
    np.testing.assert_allclose(image[..., 0], ramp / 4095, atol=1e-4)


def test_cmyk_becomes_rgb():
    cmyk = Image.fromarray(colours()).convert("CMYK")
    image = read_image(encoded(cmyk, "TIFF"))
    np.testing.assert_allclose(image, colours() / 255, atol=0.02)
    jpeg = read_image(encoded(cmyk, "JPEG", quality=95))
    assert np.abs(jpeg[5:, 5:15] - (1, 0, 0)).mean() < 0.05


def test_transparency_lies_on_black():
    pixels = np.full((8, 8, 4), 255, np.uint8)
    pixels[:4, :, 3] = 0
    image = read_image(encoded(Image.fromarray(pixels), "PNG"))
    assert (image[:4] == 0).all() and (image[4:] == 1).all()


def test_the_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[274] = 6  # taken with the camera on its side: turn by 90 degrees
    upright = read_image(
        encoded(Image.fromarray(colours()), "JPEG", exif=exif, quality=95)
    )
    assert upright.shape == (40, 20, 3)
    assert upright[5, 5, 0] > 0.9 and upright[35, 5, 2] > 0.9  # red above, blue below
    assert upright[20, 19, 1] > 0.5  # the green row is now the right edge


def test_a_palette_and_a_small_one_bit_image_are_read():
    palette = Image.fromarray(colours()).convert("P")
    assert np.abs(read_image(encoded(palette, "GIF")) - colours() / 255).max() < 0.01
    bits = Image.fromarray(np.eye(9, dtype=bool))
    np.testing.assert_array_equal(read_image(encoded(bits, "PNG"))[..., 0], np.eye(9))


def test_a_decompression_bomb_is_refused_from_its_header(monkeypatch):
    """9000 x 9000 at one bit: 10 kB on disk, 1 GB decoded."""
    bomb = encoded(Image.new("1", (9000, 9000)), "PNG")
    assert len(bomb) < 20_000

    def decoded(*_):
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(ValueError, match=r"16,000,000 pixels\. Received: 9000 x 9000"):
        read_image(bomb)


@pytest.mark.parametrize("side", [12_000, 20_000, 60_000])
def test_sizes_that_pillow_refuses_raise_one_sentence_too(side):
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head
    chunk += struct.pack(">I", zlib.crc32(b"IHDR" + head))
    with pytest.raises(
        ValueError, match="too large|damaged|broken|not an image"
    ) as error:
        read_image(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT\x35\xaf\x06\x1e")
    one_sentence(error)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello, I am text", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (encoded(Image.new("RGB", (64, 64), "red"), "PNG")[:90], "damaged"),
        (encoded(Image.fromarray(colours()), "JPEG")[:400], "broken"),
        (encoded(Image.effect_noise((99, 99), 50), "JPEG")[:-900], "damaged"),
    ],
)
def test_files_that_are_not_images_are_refused(content, said):
    with pytest.raises(ValueError, match=said) as error:
        read_image(content)
    one_sentence(error)


@pytest.mark.parametrize(
    ("form", "options"),
    [
        *(("PNG", {}), ("JPEG", {"quality": 90}), ("JPEG", {"progressive": True})),
        *(("WEBP", {}), ("BMP", {}), ("GIF", {}), ("PPM", {})),
    ],
)
def test_a_truncated_file_is_refused_or_has_all_its_pixels(form, options):
    """No truncated file is read as a complete one, however little is missing."""
    small = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    image = Image.fromarray(small).resize((96, 72), Image.Resampling.BICUBIC)
    content = encoded(image, form, **options)
    complete, refused = read_image(content), 0
    cuts = [*range(1, 40), *range(40, len(content), len(content) // 50)]
    for cut in cuts:
        try:
            np.testing.assert_array_equal(read_image(content[:-cut]), complete)
        except ValueError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > len(cuts) / 2


@pytest.mark.parametrize("form", ["GIF", "PNG", "TIFF", "WEBP"])
def test_animations_and_files_with_pages_are_refused(form):
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue", "green")]
    moving = encoded(frames[0], form, save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="one still image. Received: 3 frames"):
        read_image(moving)


def test_a_grey_that_is_not_a_number_is_refused():
    grey = np.ones((5, 5), np.float32)
    grey[2, 2] = np.nan
    with pytest.raises(ValueError, match="not numbers"):
        read_image(encoded(Image.fromarray(grey), "TIFF"))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="There is no file"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(ValueError, match="is a folder"):
        read_image(tmp_path)


def test_a_huge_file_is_refused_unread(tmp_path):
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(10**12)  # sparse: a terabyte that takes no space on disk
    with pytest.raises(ValueError, match="at most 100,000,000 bytes"):
        read_image(tmp_path / "huge.png")


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("shape", [(48, 64), (64, 64), (64, 16)])
def test_read_square_matches_fit_image_except_at_borders(form, shape):
    small = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    image = Image.fromarray(small).resize(shape, Image.Resampling.BICUBIC)
    content = encoded(image, form)
    square = read_square(content, 32)
    slow = fit_image(read_image(content), 32)
    assert square.dtype == np.uint8
    top, left = (32 - shape[1] // 2) // 2, (32 - shape[0] // 2) // 2
    inside = np.zeros((32, 32), bool)
    inside[top : 32 - top, left : 32 - left] = True
    assert not square[~inside].any()
    rim = inside.copy()
    rim[top + 1 : 31 - top, left + 1 : 31 - left] = False
    gap = np.abs(square / 255 - slow)[inside & ~(rim & (shape[0] != shape[1]))]
    assert gap.max() < 1.01 / 255
    full = Image.fromarray(np.rint(255 * read_image(content)).astype(np.uint8))
    stretched = full.resize((24, 24), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(read_square(content, 24, fit="stretch"), stretched)


def test_read_square_reads_16_bit_greys_and_large_photographs():
    ramp = np.linspace(0, 4095, 800).astype(np.uint16).reshape(20, 40)
    deep = encoded(Image.fromarray(ramp), "PNG")
    slow = fit_image(read_image(deep), 16)
    np.testing.assert_allclose(read_square(deep, 16) / 255, slow, atol=1.01 / 255)
    small = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    large = Image.fromarray(small).resize((1600, 1200), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[274] = 6
    photograph = encoded(large, "JPEG", quality=92, exif=exif)
    quick, slow = read_square(photograph, 64), fit_image(read_image(photograph), 64)
    assert not quick[:, :8].any() and not quick[:, 56:].any()  # it stands upright
    gap = np.abs(quick / 255 - slow)[:, 9:55]
    assert gap.max() < 0.02  # decoded at a quarter
    with pytest.raises(ValueError, match="damaged"):
        read_square(photograph[:-300], 64)


def test_fitting_keeps_proportions_and_pads_with_black():
    image = np.ones((20, 40, 3), np.float32)
    fitted = fit_image(image, 8)
    assert fitted.shape == (8, 8, 3)
    assert (fitted[:1] == 0).all() and (fitted[-1:] == 0).all()
    np.testing.assert_allclose(fitted[3:5], 1, atol=1e-6)


def test_fitting_down_averages_pixels():
    checks = np.indices((64, 64)).sum(0) % 2
    image = np.repeat(checks[..., None], 3, -1).astype(np.float32)
    inner = fit_image(image, 16)[2:-2, 2:-2]
    np.testing.assert_allclose(inner, 0.5, atol=0.02)
