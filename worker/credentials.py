"""Content credentials (C2PA) of drawn images: a manifest that says that a model has made them, and which, signed with
the service's key. Beside the mark (``sfd_core.display.marking``), which anybody can write.

A manifest holds chance, as C2PA asks for: of the same seed the pixels are the same, and the file is not.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from importlib.metadata import version

from securesystemslib.signer import CryptoSigner

from jobs.record.certificates import chain_pem
from jobs.settings import SettingsError
from sfd_core.display.marking import SOFTWARE, SOURCE_TYPE

ORIGIN = "org.lethe.origin"
"""The assertion that says which model it was."""
_PNG = "image/png"
# No second image of what is small already.
_SETTINGS = {"builder": {"thumbnail": {"enabled": False}}}


class Credentials:
    """A signer of images, with the key of ``signer``. Safe to share between threads.

    Raises:
        SettingsError: c2pa-python is not installed.
    """

    def __init__(self, signer: CryptoSigner) -> None:
        try:
            import c2pa
        except ModuleNotFoundError:
            raise SettingsError("LETHE_CONTENT_CREDENTIALS=1 needs c2pa-python: pip install 'lethe[c2pa]'") from None
        self._c2pa = c2pa
        self._signer = signer
        self._chain = chain_pem(signer).decode()

    def signed(self, png: bytes, origin: Mapping[str, str]) -> bytes:
        """Write a signed manifest into a PNG. ``origin``: which model has made it, by keyword
        (``sfd_core.display.marking``)."""
        created = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, "softwareAgent": {"name": SOFTWARE}}
        manifest = {
            "claim_generator_info": [{"name": SOFTWARE, "version": version("lethe")}],
            "format": _PNG,
            "assertions": [
                {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
                {"label": ORIGIN, "data": dict(origin)},
            ],
        }
        with (
            self._c2pa.Signer.from_callback(self._sign, self._c2pa.C2paSigningAlg.ED25519, self._chain) as signer,
            self._c2pa.Context.from_dict(_SETTINGS) as context,
            self._c2pa.Builder(json.dumps(manifest), context) as builder,
        ):
            written = io.BytesIO()
            builder.sign(signer, _PNG, io.BytesIO(png), written)
        return written.getvalue()

    def _sign(self, data: bytes) -> bytes:
        return bytes.fromhex(self._signer.sign(data).signature)
