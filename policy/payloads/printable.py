"""Text that shows what it is: nothing hidden, nothing that changes how the rest looks."""

import unicodedata

# Letters and marks by their category that take no place on a screen (Unicode,
# Default_Ignorable_Code_Point), and a letter that is blank.
_INVISIBLE = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)


def problem(text: str) -> str | None:
    """Say what is wrong with a text in ASCII; None if all of it can be seen.

    Line feeds are fine; other controls, other separators than the space, characters
    without a width or a meaning, and forms that normalisation (NFC) would change are not.
    """
    for character in text:
        if not (character.isprintable() or character == "\n") or character in _INVISIBLE:
            return f"has the character U+{ord(character):04X}, which does not show"
    if not unicodedata.is_normalized("NFC", text):
        return "is not in Unicode's normalisation form C"
    return None
