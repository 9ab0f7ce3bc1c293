"""Boards whose links decode: a preset as it is, with a decoder for loads in code in its device."""

from dataclasses import dataclass, fields

from boards.board import Board

FORMS = {"ecp5": "fast"}
"""Form of the decoder (`hdl.huffman_decoder`) by family of chips, if it is not the small one."""


@dataclass(frozen=True, kw_only=True)
class CodedBoard(Board):
    """A board as `Board` describes it, whose device takes loads in Huffman code."""

    @property
    def decoder(self) -> str:
        """Form of the decoder."""
        return FORMS.get(self.chip.family, "small")


def with_coded_loads(board: Board) -> CodedBoard:
    """The same board with a decoder.

    >>> from boards.registry import find
    >>> with_coded_loads(find("icebreaker")).decoder, with_coded_loads(find("ulx3s_25f")).decoder
    ('small', 'fast')
    """
    return CodedBoard(**{field.name: getattr(board, field.name) for field in fields(board)})
