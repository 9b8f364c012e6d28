"""What an output says of how it was made, in every form that it says it in (docs/marking.md)."""

import dataclasses
import enum
import re

SOFTWARE = "fomm_jax"

_TERM = re.compile(r"https?://cv\.iptc\.org/newscodes/digitalsourcetype/(\w+)")


class SourceType(enum.StrEnum):
    """What a model made of a picture or film, in the words of the IPTC.

    They are terms of the vocabulary Digital Source Type, http://cv.iptc.org/newscodes/
    digitalsourcetype, as of 2024; the others of it are for what no generative model had a part in.
    """

    # "Created using Generative AI": all that is seen comes out of the model, which no pixel passes
    # unchanged. That a picture and a video went in does not change it, as a prompt does not.
    CREATED = "trainedAlgorithmicMedia"
    # "Edited using Generative AI", as by inpainting: a picture, a part of which the model made.
    EDITED = "compositeWithTrainedAlgorithmicMedia"
    # "Composite including generative AI elements": what a model made, beside what none did.
    COMPOSITE = "compositeSynthetic"

    @property
    def uri(self) -> str:
        """As metadata name the term."""
        return f"http://cv.iptc.org/newscodes/digitalsourcetype/{self.value}"


def find_source_type(text: str) -> str | None:
    """The first term of the vocabulary that a text names by its URI, whichever it is."""
    match = _TERM.search(text)
    return match and match[1]


@dataclasses.dataclass(frozen=True)
class Credentials:
    """What a C2PA manifest is signed with; see `c2pa.load_credentials`."""

    certificate: str  # and those above it, PEM
    key: str = dataclasses.field(repr=False)  # private, PEM
    algorithm: str  # in the words of C2PA, such as es256


@dataclasses.dataclass(frozen=True)
class Marking:
    """What is written into an output.

    Names of files and of people are left out, but for the model's: a film may go round the world.
    """

    model: str  # name of the weights
    source_type: SourceType = SourceType.CREATED
    # Files that the C2PA manifest tells of; None where there is none, such as a pipe.
    source: str | None = None
    driving: str | None = None
    credentials: Credentials | None = None  # None: no C2PA manifest

    @property
    def maker(self) -> str:
        """The software and its model."""
        # A file's name may hold what no XML may.
        model = "".join(letter if letter.isprintable() else "?" for letter in self.model)
        return f"{SOFTWARE} (First Order Motion Model), weights {model}"

    @property
    def comment(self) -> str:
        """One line, for people and for programs."""
        return f"Made with generative AI: {self.maker}. Digital source type: {self.source_type.uri}"
