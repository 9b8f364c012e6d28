"""XMP packets: metadata as RDF in XML, the same for all file formats (ISO 16684-1)."""

import dataclasses
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from fomm_jax.provenance.mark import SOFTWARE, Marking, find_source_type

MAX_BYTES = 2**20  # of a packet that is read; other programs may put whole pictures in it

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
# IPTC Photo Metadata Standard 2025.1 and IPTC Video Metadata Hub.
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="{rdf}">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="{iptc}"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/">
   <Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>
   <Iptc4xmpExt:AISystemUsed>{maker}</Iptc4xmpExt:AISystemUsed>
   <xmp:CreatorTool>{software}</xmp:CreatorTool>
   <dc:description>
    <rdf:Alt><rdf:li xml:lang="x-default">{comment}</rdf:li></rdf:Alt>
   </dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


@dataclasses.dataclass(frozen=True)
class XmpMark:
    """The contents of a packet that tell how a file was made."""

    source_type: str | None  # a term of the IPTC's vocabulary
    maker: str | None  # the software and its model


def write_xmp(marking: Marking) -> bytes:
    """Return a marking as a packet in UTF-8."""
    return _PACKET.format(
        rdf=_RDF,
        iptc=_IPTC,
        source_type=marking.source_type.uri,
        maker=escape(marking.maker),
        software=SOFTWARE,
        comment=escape(marking.comment),
    ).encode()


def read_xmp(packet: bytes) -> XmpMark:
    """Read a packet, whichever program wrote it; the mark of a damaged packet is empty."""
    # A packet has no document type. A malicious one could use it to fill gigabytes of memory.
    if len(packet) > MAX_BYTES or b"<!DOCTYPE" in packet:
        return XmpMark(None, None)
    try:
        root = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"))
    except (ElementTree.ParseError, ValueError, LookupError):
        return XmpMark(None, None)
    source_type = _property(root, "DigitalSourceType")
    return XmpMark(
        find_source_type(source_type) if source_type else None, _property(root, "AISystemUsed")
    )


def _property(root: ElementTree.Element, name: str) -> str | None:
    """Return a property of the IPTC's extension, in any of the three forms that RDF allows."""
    for description in root.iter(f"{{{_RDF}}}Description"):
        if value := description.get(f"{{{_IPTC}}}{name}"):
            return value.strip()
        element = description.find(f"{{{_IPTC}}}{name}")
        if element is not None:
            return (element.get(f"{{{_RDF}}}resource") or "".join(element.itertext())).strip()
    return None
