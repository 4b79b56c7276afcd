"""What an image file says of its origin: that a model has made it, and which. The pixels stay as they are.

IPTC's digital source type, in XMP, is what platforms and programs for pictures look for; PNG's own text is for people
and scripts. Neither is a proof: whoever copies the pixels leaves it behind.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from xml.sax.saxutils import escape

from PIL.PngImagePlugin import PngInfo, putchunk

SOFTWARE = "Lethe"
"""Without its version: the same image has the same bytes after an upgrade."""
GENERATOR = "Lethe-Generator"
"""The keyword of a generator's id."""
RECORD = "Lethe-Record-SHA256"
"""The keyword of the SHA-256 of its record's file."""
WEIGHTS = "Lethe-Weights"
"""The keyword of the digest of its weights."""
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_XMP_KEYWORD = "XML:com.adobe.xmp"
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
   <Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>
   <xmp:CreatorTool>{software}</xmp:CreatorTool>
   <dc:source>{source}</dc:source>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
_HEADER = 33
"""Bytes of a PNG's signature and its first chunk, after which text may stand."""


def marked(png: bytes, origin: Mapping[str, str]) -> bytes:
    """Write into a PNG that a model has made it. The same image and origin give the same bytes, and every chunk that is
    there stays as it is.

    Args:
        origin: which model that was, by keyword (:data:`GENERATOR`, :data:`RECORD`, :data:`WEIGHTS`).
    """
    info = PngInfo()
    info.add_text("Software", SOFTWARE)
    for keyword, value in origin.items():
        info.add_text(keyword, value)
    source = " ".join(f"{keyword}={value}" for keyword, value in origin.items())
    info.add_itxt(
        _XMP_KEYWORD, _XMP.format(source_type=SOURCE_TYPE, software=SOFTWARE, source=escape(source or SOFTWARE))
    )
    stream = io.BytesIO()
    stream.write(png[:_HEADER])
    for kind, data, *_ in info.chunks:
        putchunk(stream, kind, data)
    stream.write(png[_HEADER:])
    return stream.getvalue()
