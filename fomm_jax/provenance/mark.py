"""The marking of generated media: what an output says about how it was made (docs/marking.md)."""

import dataclasses
import enum
import re

SOFTWARE = "fomm_jax"

_TERM = re.compile(r"https?://cv\.iptc\.org/newscodes/digitalsourcetype/(\w+)")


class SourceType(enum.StrEnum):
    """How much of a picture or film a model made, in the terms of the IPTC.

    These are the terms for generative models, as of 2024, of the vocabulary Digital Source Type:
    http://cv.iptc.org/newscodes/digitalsourcetype.
    """

    # "Created using Generative AI": everything that is seen comes out of the model, which passes no
    # pixel on unchanged. The picture and the video that go in do not change that, just as a prompt
    # does not.
    CREATED = "trainedAlgorithmicMedia"
    # "Edited using Generative AI", as by inpainting: the model made a part of the picture.
    EDITED = "compositeWithTrainedAlgorithmicMedia"
    # "Composite including generative AI elements": parts made by a model beside other parts.
    COMPOSITE = "compositeSynthetic"

    @property
    def uri(self) -> str:
        """The term's name in metadata."""
        return f"http://cv.iptc.org/newscodes/digitalsourcetype/{self.value}"


def find_source_type(text: str) -> str | None:
    """Return the first term of the vocabulary whose URI is in a text, or None.

    It need not be one of `SourceType`.
    """
    match = _TERM.search(text)
    return match and match[1]


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The certificate and key that sign C2PA manifests; see `c2pa.load_credentials`."""

    certificate: str  # PEM, followed by the certificates that vouch for it
    key: str = dataclasses.field(repr=False)  # PEM, private
    algorithm: str  # by C2PA's name, such as es256


@dataclasses.dataclass(frozen=True)
class Marking:
    """What an output says about how it was made.

    It contains no names of people or files except that of the model, since a film may go round the
    world.
    """

    model: str  # the name of the weights
    source_type: SourceType = SourceType.CREATED
    # The paths of the files that the C2PA manifest lists; None if there is no file, as for a pipe.
    source: str | None = None
    driving: str | None = None
    credentials: Credentials | None = None  # None: no C2PA manifest

    @property
    def maker(self) -> str:
        """The name of the software and of its model."""
        # The name of a file may contain characters that XML forbids.
        model = "".join(letter if letter.isprintable() else "?" for letter in self.model)
        return f"{SOFTWARE} (First Order Motion Model), weights {model}"

    @property
    def comment(self) -> str:
        """A line for both people and programs."""
        return f"Made with generative AI: {self.maker}. Digital source type: {self.source_type.uri}"
