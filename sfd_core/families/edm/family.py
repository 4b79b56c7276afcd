"""All that is particular to EDM networks: how they are written, and the schedulers that go with them. Conditions
and what is published are those of ``class_unet``; so are the networks, and there is one kind more."""

from __future__ import annotations

from sfd_core.families.class_unet.family import ClassUnets
from sfd_core.families.class_unet.networks import STOCK
from sfd_core.families.edm.schedulers import OVER_LEVELS
from sfd_core.families.edm.song.config import NETWORK
from sfd_core.families.edm.song.network import SONG

FAMILY = ClassUnets(OVER_LEVELS, {**STOCK, NETWORK: SONG})
