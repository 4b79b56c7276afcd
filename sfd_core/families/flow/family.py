"""All that is particular to flow-matching models, as :class:`sfd_core.families.protocol.Family` has it: their stock
pipelines, and the schedulers that go with velocities."""

from __future__ import annotations

from sfd_core.families.flow.pipelines import stock_pipelines
from sfd_core.families.flow.schedulers import OVER_FLOWS
from sfd_core.families.text.text_family import TextFamily

FAMILY = TextFamily(stock_pipelines(), OVER_FLOWS)
