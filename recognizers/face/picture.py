"""Reading photographs safely: whatever mode they come in, upright 8-bit RGB goes out.

Only common still formats are opened, the size is checked on the header before a pixel is decoded,
and nothing of Pillow's global state is touched.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture
from affetto.errors import MediaError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm",
)  # fmt: skip
MAX_PIXELS = 100_000_000  # of JPEG, which is decoded at a fraction of its size
MAX_PIXELS_WHOLE = 50_000_000  # of all others
MAX_BYTES = 400 * 1024 * 1024
SHOWN_SIDE = 3072  # larger pictures are scaled down to this: faces stay far above 48 pixels
SEE_THROUGH = 128  # grey behind transparent pixels


def read_picture(path: Path) -> Picture:
    """A photograph as (H, W, 3) uint8 RGB, upright, its longer side at most `SHOWN_SIDE`.

    Grey, palette, CMYK, 16-bit and floating-point pictures are converted; transparent ones are laid
    on grey; of animated ones the first frame is read; the camera's orientation is applied.

    Raises:
        MediaError: missing, empty, not a picture, damaged, cut short, or of more than
            `MAX_PIXELS` (`MAX_PIXELS_WHOLE` for all but JPEG).
    """
    from PIL import Image

    _check_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the size is checked here, against our own limit
        try:
            with Image.open(path, formats=FORMATS) as image:
                limit = MAX_PIXELS if image.format == "JPEG" else MAX_PIXELS_WHOLE
                _check_size(path, *image.size, limit=limit)
                return _rgb(image)
        except MediaError:
            raise
        except MemoryError as error:
            raise MediaError(f"{path} is too large for this machine: scale it down") from error
        except Exception as error:  # decoders raise what they like on broken files
            raise MediaError(
                f"{path} cannot be read as a picture ({type(error).__name__}: {error}): it is "
                f"damaged, cut short or too large; accepted are {', '.join(FORMATS)} up to "
                f"{MAX_PIXELS_WHOLE / 1e6:.0f} million pixels"
            ) from error


def _check_file(path: Path) -> None:
    if not path.exists():
        raise MediaError(f"no such file: {path}")
    if not path.is_file():
        raise MediaError(f"{path} is not a regular file: give a picture")
    size = path.stat().st_size
    if not size:
        raise MediaError(f"{path} is empty")
    if size > MAX_BYTES:
        raise MediaError(f"{path} has {size / 1e6:.0f} MB, allowed are {MAX_BYTES / 1e6:.0f}")


def _check_size(path: Path, width: int, height: int, *, limit: int) -> None:
    if width * height > limit:
        raise MediaError(
            f"{path} has {width} x {height} = {width * height / 1e6:.0f} million pixels, allowed "
            f"are {limit / 1e6:.0f} of this kind: scale it down, or save it as JPEG"
        )


def _rgb(image: Any) -> Picture:  # noqa: ANN401
    from PIL import Image, ImageOps

    if image.format == "JPEG":  # decodes at a fraction of the size where that is enough
        image.draft(None, (SHOWN_SIDE, SHOWN_SIDE))
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):
        upright = Image.fromarray(_eight_bits(np.asarray(upright)))
    if upright.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        upright = Image.new("RGBA", layer.size, (SEE_THROUGH,) * 3 + (255,))
        upright.alpha_composite(layer)
    colour = upright.convert("RGB")
    if max(colour.size) > SHOWN_SIDE:
        colour.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    return np.array(colour, dtype=np.uint8)


def _eight_bits(values: NDArray[Any]) -> Picture:
    """Grey of more than 8 bits: whole numbers count as 16-bit, fractions as 0..1 or 0..max."""
    given = values.astype(np.float32)
    np.nan_to_num(given, copy=False, posinf=0.0, neginf=0.0)
    if np.issubdtype(values.dtype, np.integer):
        top = 65535.0 if given.max() > 255 else 255.0
    else:
        top = max(1.0, float(given.max()))
    given *= np.float32(255.0 / top)
    grey: Picture = np.clip(given, 0, 255, out=given).round(out=given).astype(np.uint8)
    return grey
