"""All that is particular to EDM networks: how they are written, and the schedulers that go with them. The networks,
their conditions and what is published are those of ``class_unet``."""

from __future__ import annotations

from sfd_core.families.class_unet.family import ClassUnets
from sfd_core.families.edm.schedulers import OVER_LEVELS

FAMILY = ClassUnets(OVER_LEVELS)
