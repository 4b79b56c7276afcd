"""Draws `pictures.png`, the atlas the emoji model is trained on, from three open sets of emoji.

    python -m models.emoji.collect [--work build/emoji-sets]

Needs npm (the sets are packages) and `pip install resvg-py` (the Fluent set is SVG). The atlas is kept with the model,
so that nothing else here needs either: a row an object, a column a style, each cell 64 x 64 RGBA.

Google's Noto Emoji (Apache-2.0) and Twitter's Twemoji (CC-BY 4.0, Twitter, Inc. and other contributors) come from Cal
Henderson's emoji-data packages; Microsoft's Fluent Emoji Flat (MIT) from Iconify's.
"""

import argparse
import io
import json
import subprocess
import tarfile
from pathlib import Path

import resvg_py
from PIL import Image

from models.emoji.vocabulary import OBJECTS

HERE = Path(__file__).parent
SIDE = 64
GOOGLE = "emoji-datasource-google@16.0.0"
TWITTER = "emoji-datasource-twitter@16.0.0"
FLUENT = "@iconify-json/fluent-emoji-flat@1.2.6"


def fetched(package: str, work: Path) -> Path:
    """Return the npm package's folder, unpacked under work (kept from an earlier run)."""
    folder = work / package.replace("/", "-")
    if not folder.exists():
        packed = subprocess.run(["npm", "pack", package], cwd=work, check=True, capture_output=True, text=True).stdout
        with tarfile.open(work / packed.split()[-1]) as archive:
            archive.extractall(folder, filter="data")
    return folder / "package"


def of_datasource(folder: Path, name: str, code: str) -> Image.Image:
    """Return the 64 x 64 picture of a code point in one of the emoji-datasource packages."""
    images = folder / "img" / name / "64"
    path = images / f"{code}.png"
    return Image.open(path if path.exists() else images / f"{code}-fe0f.png").convert("RGBA")


def of_fluent(folder: Path, code: str) -> Image.Image:
    """Render the Fluent drawing of a code point at 64 x 64."""
    characters = json.loads((folder / "chars.json").read_text())
    icons = json.loads((folder / "icons.json").read_text())
    body = icons["icons"][characters.get(code) or characters[f"{code}-fe0f"]]["body"]
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{body}</svg>'
    return Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=drawing, width=SIDE, height=SIDE)))).convert(
        "RGBA"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/emoji-sets"))
    work: Path = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    google, twitter, fluent = (fetched(package, work) for package in (GOOGLE, TWITTER, FLUENT))
    atlas = Image.new("RGBA", (3 * SIDE, len(OBJECTS) * SIDE))
    for row, thing in enumerate(OBJECTS):
        drawings = (
            of_datasource(google, "google", thing.code),
            of_datasource(twitter, "twitter", thing.code),
            of_fluent(fluent, thing.code),
        )
        for column, picture in enumerate(drawings):
            atlas.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (column * SIDE, row * SIDE))
    atlas.save(HERE / "pictures.png", optimize=True)


if __name__ == "__main__":
    main()
