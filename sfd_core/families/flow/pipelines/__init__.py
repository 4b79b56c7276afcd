"""The stock pipelines that there are. A new one is a folder beside this module and a name here: in its ``layout.py``,
which is plain, what its folders are (``LAYOUTS``), and in ``pipeline.py`` how it is loaded and its network asked
(``PIPELINE``). Plain: importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sfd_core.base_model.layout import SCHEDULER
from sfd_core.errors import ModelRefused
from sfd_core.families.flow.scheduler_config import MAX_SHIFT, read_flow_scheduler
from sfd_core.families.text.layout import PipelineLayout, fitting

if TYPE_CHECKING:
    from sfd_core.families.text.stock_pipeline import StockPipeline

NAMES = ("sd3", "flux", "sana")


@dataclass(frozen=True, kw_only=True)
class FlowLayout(PipelineLayout):
    """The folder of a stock pipeline of a flow-matching network. ``tokens``: counts those of a picture that a folder,
    whose configurations were checked, makes. ``even``: how the pipeline samples, as
    :class:`sfd_core.families.flow.parameterization.Flow` has it."""

    tokens: Callable[[Path], int]
    even: bool = False

    def check(self, folder: Path) -> None:
        super().check(folder)
        tokens = self.tokens(folder)
        if not 0 < (shift := read_flow_scheduler(folder).shift_for(tokens)) <= MAX_SHIFT:
            raise ModelRefused(
                f"{folder / SCHEDULER}: it shifts the times of a picture of {tokens} tokens by {shift:g}, must be "
                f"above 0, at most {MAX_SHIFT:g}"
            )


def layouts() -> Sequence[FlowLayout]:
    """Return what the folders of every pipeline are."""
    return [layout for name in NAMES for layout in import_module(f"{__name__}.{name}.layout").LAYOUTS]


def layout_of(folder: Path) -> FlowLayout:
    """Return what a pipeline's folder is.

    Raises:
        ModelRefused: for a pipeline that is none of the family's.
    """
    return fitting(layouts(), folder)


def stock_pipelines() -> Sequence[StockPipeline]:
    """Import every pipeline."""
    return [import_module(f"{__name__}.{name}.pipeline").PIPELINE for name in NAMES]
