"""A ``SongUNet`` among the networks of its family: opened, and attacked by the probes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from sfd_core.base_model.safe_files import load_network
from sfd_core.families.attacked import Asked
from sfd_core.families.class_unet.attacked import AttackedClassUnet
from sfd_core.families.class_unet.networks import NetworkKind
from sfd_core.families.edm.song.config import check_song_unet, read_song_unet
from sfd_core.families.edm.song.song_unet import SongUNet


def load_song_unet(folder: Path) -> SongUNet:
    """Load a network in float32 on the CPU from its folder.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    network: SongUNet = load_network(folder, SongUNet, read_song_unet(folder))
    return network


class AttackedSongUnet(AttackedClassUnet):
    """A ``SongUNet``: its condition is what a class adds to the embedding of the noise."""

    network: SongUNet

    def embeddings(self, asked: Asked) -> Tensor:
        return self.network.class_rows(torch.tensor(asked, device=self.device))

    def output(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        return self.network.predict(*self.schedule.network_input(x_t, t), c)


SONG = NetworkKind(check_song_unet, load_song_unet, AttackedSongUnet)
