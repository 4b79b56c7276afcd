"""What is fetched of a hub's model of one family. Plain: importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sfd_core.base_model.layout import FolderLayout
from sfd_core.base_model.manifest import BaseModel


@dataclass(frozen=True, kw_only=True)
class HubLayout(FolderLayout):
    """The files of a family's pipeline on a hub: nothing else of a repository is ever fetched.

    ``unfetched``: makes a model of which only name and title are known.
    """

    pipeline: str
    family: str
    unfetched: Callable[[str, str], BaseModel]
