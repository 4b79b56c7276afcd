"""Pictures are exact, deterministic, and put what was forgotten first."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from sfd_core.display.drawing import Images
from sfd_core.display.pictures import (
    Moment,
    Row,
    examples_picture,
    grid,
    pairs_picture,
    png,
    rows_for,
    strip_picture,
)
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides.empty import EmptyOverride
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.overrides.judge import JudgeOverride
from sfd_core.request.overrides.negative import NegativeOverride
from sfd_core.request.overrides.prompts import PromptsOverride
from sfd_core.request.overrides.random import RandomOverride

SNEAKER = Row("Sneaker", FixedOverride("Sandal"))
ROWS = (Row("Sandal"), SNEAKER, Row("Bag"))


def pixels(data: bytes) -> Images:
    return np.asarray(Image.open(io.BytesIO(data)))


def noise(*shape: int, seed: int = 0) -> Images:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def flat(rows: int, each: int, size: int = 28) -> Images:
    """``each`` images a row, every row of its own grey: 40, 80, 120, ..."""
    greys = np.repeat(np.arange(1, rows + 1, dtype=np.uint8) * 40, each)
    return np.broadcast_to(greys[:, None, None], (rows * each, size, size)).copy()


def first_row_of(picture: Images, grey: int) -> int:
    """The topmost line of pixels that holds a run of an image's ``grey``."""
    runs = (picture == grey).all(axis=2).sum(axis=1)
    return int(np.argmax(runs >= 40))


@pytest.mark.parametrize("shape", [(28, 28), (20, 30), (16, 16, 3)])
def test_png_keeps_every_pixel(shape: tuple[int, ...]) -> None:
    image = noise(*shape)
    assert np.array_equal(pixels(png(image)), image)
    assert png(image) == png(image.copy())


def test_png_of_a_view_in_another_memory_order() -> None:
    image = noise(12, 9)
    assert np.array_equal(pixels(png(image.T)), image.T)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.float32), np.zeros((4,), np.uint8), np.zeros((4, 4, 4), np.uint8)]
)
def test_png_refuses_what_is_not_an_image(image: Images) -> None:
    with pytest.raises(ValueError, match="uint8"):
        png(image)


def test_grid_places_images_row_by_row() -> None:
    images = noise(5, 6, 4)
    sheet = pixels(grid(images, columns=3, scale=2))
    assert sheet.shape == (2 * 12 + 2, 3 * 8 + 2 * 2)
    enlarged = images.repeat(2, axis=1).repeat(2, axis=2)
    assert np.array_equal(sheet[:12, 10:18], enlarged[1])
    assert np.array_equal(sheet[14:26, :8], enlarged[3])
    assert (sheet[14:, 20:] == 255).all(), "the place of a sixth image stays white"


def test_grid_of_fewer_images_than_columns_and_of_colour() -> None:
    assert pixels(grid(noise(2, 8, 8, 3), columns=8)).shape == (8, 18, 3)


@pytest.mark.parametrize(("columns", "scale"), [(0, 1), (1, 0)])
def test_grid_refuses_nonsense(columns: int, scale: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        grid(noise(2, 8, 8), columns, scale)
    with pytest.raises(ValueError, match="no image"):
        grid(np.zeros((0, 8, 8), np.uint8), 1)


def test_rows_put_forgotten_concepts_then_overrides_then_the_others() -> None:
    forget = (Forget("c", FixedOverride("e")), Forget("a", RandomOverride()))
    rows = rows_for(forget, ("a", "b", "c", "d", "e"))
    assert rows == (Row("c", FixedOverride("e")), Row("a", RandomOverride()), Row("e"), Row("b"), Row("d"))
    assert rows_for(forget, ("a", "b", "c", "d", "e"), remaining=1) == rows[:3]


def test_pairs_shows_the_forgotten_concept_first_and_marked() -> None:
    images = flat(3, 8)
    picture = pixels(pairs_picture(images, images, ROWS))
    sandal, sneaker, bag = (first_row_of(picture, grey) for grey in (40, 80, 120))
    assert sneaker < sandal < bag
    assert tuple(picture[sneaker, -1]) == (253, 238, 235), "the forgotten row lies on a tinted band"
    assert tuple(picture[sandal, -1]) == (255, 255, 255)
    assert picture.shape[1] <= 1800


def test_pairs_enlarges_small_images_exactly() -> None:
    before, after = noise(16, 28, 28, seed=1), noise(16, 28, 28, seed=2)
    picture = pixels(pairs_picture(before, after, (SNEAKER, Row("Bag"))))[..., 0]
    tile = before[0].repeat(3, axis=0).repeat(3, axis=1)
    corner = next(
        (y, x) for y in range(80, 200) for x in range(200, 420) if np.array_equal(picture[y : y + 84, x : x + 84], tile)
    )
    assert np.array_equal(picture[corner[0] :, corner[1] + 88 :][:84, :84], before[1].repeat(3, 0).repeat(3, 1))


def test_pairs_shows_eight_images_a_side_and_four_on_a_phone() -> None:
    images = flat(1, 10)
    wide = pixels(pairs_picture(images, images, (SNEAKER,)))
    narrow = pixels(pairs_picture(images, images, (SNEAKER,), narrow=True))
    for picture, shown, each in ((wide, 16, 84), (narrow, 8, 56)):
        line = (picture[first_row_of(picture, 40) + 5] == 40).all(axis=1)
        assert line.sum() == shown * each
    assert narrow.shape[1] <= 760


def test_pairs_is_deterministic_and_depends_on_what_it_shows() -> None:
    images = noise(24, 28, 28)
    first = pairs_picture(images, images, ROWS)
    assert first == pairs_picture(images.copy(), images.copy(), ROWS)
    assert first != pairs_picture(images, 255 - images, ROWS)
    assert first != pairs_picture(images, images, (Row("Boot"), *ROWS[1:]))


@pytest.mark.parametrize("shape", [(512, 512, 3), (300, 200), (1, 1)])
def test_pairs_of_other_sizes_stay_within_the_page(shape: tuple[int, ...]) -> None:
    images = noise(6, *shape)
    picture = pixels(pairs_picture(images, images, ROWS))
    assert picture.shape[1] <= 1800
    assert picture.shape[0] <= 1200


@pytest.mark.parametrize("name", ["スニーカー", "Tëé-shirt", "x" * 400, "a\nb", ""])
def test_any_name_can_be_drawn(name: str) -> None:
    images = flat(2, 3)
    rows = (Row(name, FixedOverride(name + "2")), Row(name + "3", None))
    assert pixels(pairs_picture(images, images, rows)).shape[1] <= 1800


def test_strip_has_a_block_for_each_moment() -> None:
    rows = (SNEAKER, Row("Bag"))
    moments = [Moment(share, round(6400 * share), flat(2, 3)) for share in (0, 0.05, 0.1, 0.25, 0.5, 1)]
    wide = pixels(strip_picture(moments, rows))
    line = (wide[first_row_of(wide, 40) + 5] == 40).all(axis=1)
    assert line.sum() == 6 * 3 * 56
    narrow = pixels(strip_picture(moments, rows, narrow=True))
    line = (narrow[first_row_of(narrow, 40) + 5] == 40).all(axis=1)
    assert line.sum() == 6 * 56
    assert narrow.shape[1] <= 760
    assert strip_picture(moments, rows) == strip_picture(moments, rows)


def test_every_kind_of_override_has_its_words() -> None:
    images = flat(3, 2)
    drawn = {
        pairs_picture(images, images, (Row("a", o), Row("b"), Row("c")))
        for o in (
            *(RandomOverride(), JudgeOverride(), FixedOverride("b"), None),
            *(PromptsOverride(("a dog",)), PromptsOverride(("a dog", "a cat"))),
            *(NegativeOverride("blood"), EmptyOverride()),
        )
    }
    assert len(drawn) == 8


def test_words_that_are_no_concept_have_no_row() -> None:
    forget = (Forget("brad pitt", FixedOverride("a middle aged man")),)
    assert rows_for(forget, ("brad pitt", "a dog")) == (Row("brad pitt", forget[0].override), Row("a dog"))


def test_images_must_fill_the_rows() -> None:
    with pytest.raises(ValueError, match="7 images do not fill 3 rows"):
        pairs_picture(noise(7, 8, 8), noise(7, 8, 8), ROWS)
    with pytest.raises(ValueError, match="0 rows"):
        pairs_picture(noise(7, 8, 8), noise(7, 8, 8), ())
    with pytest.raises(ValueError, match="one size"):
        pairs_picture(noise(3, 8, 8), noise(3, 9, 8), ROWS)
    with pytest.raises(ValueError, match="no moment"):
        strip_picture([], ROWS)


def test_examples_stand_row_by_row_below_their_titles() -> None:
    images = flat(3, 8).reshape(3, 8, 28, 28)
    picture = pixels(examples_picture(["a", "b", "c"], images))
    tops = [first_row_of(picture, grey) for grey in (40, 80, 120)]
    assert tops == sorted(tops)
    assert (picture[tops[1] + 5] == 80).all(axis=1).sum() == 8 * 84, "small images are enlarged exactly, three times"
    assert (picture[: tops[0]] < 128).any(), "there is a title above the first row"
    assert picture.shape[1] <= 740
    assert examples_picture(["a", "b", "c"], images) == examples_picture(["a", "b", "c"], images.copy())
    assert examples_picture(["a", "b", "c"], images) != examples_picture(["a", "b", "d"], images)


def test_examples_in_colour_with_any_title() -> None:
    picture = pixels(examples_picture(["x" * 400, "スニーカー"], noise(2, 8, 64, 64, 3)))
    assert picture.shape[1] <= 740


def test_examples_need_a_title_for_each_row() -> None:
    with pytest.raises(ValueError, match=r"\[2 rows, columns, H, W"):
        examples_picture(["a", "b"], noise(3, 8, 28, 28))
    with pytest.raises(ValueError, match="2 rows"):
        examples_picture(["a", "b"], noise(2, 28, 28))
    with pytest.raises(ValueError, match="uint8"):
        examples_picture(["a"], np.zeros((1, 8, 28, 28), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no image"):
        examples_picture(["a"], np.zeros((1, 0, 28, 28), np.uint8))


def test_drawing_needs_no_torch() -> None:
    code = (
        "import sys, sfd_core.display.pictures, sfd_core.report.page\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
