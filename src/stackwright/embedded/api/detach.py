"""The keys that leave a terminal without ending what runs in it (`docker attach --detach-keys`). Pure."""

from __future__ import annotations

from stackwright.embedded.errors import BadParameter

DEFAULT = "ctrl-p,ctrl-q"


def parse_keys(text: str) -> bytes:
    """`ctrl-p,ctrl-q`, or characters between commas; empty = the default. Raises BadParameter."""
    keys = bytearray()
    for word in (text or DEFAULT).split(","):
        letter = word.removeprefix("ctrl-")
        if word.startswith("ctrl-") and len(letter) == 1 and letter in "@abcdefghijklmnopqrstuvwxyz[\\]^_":
            keys.append(ord(letter.upper()) - ord("@"))
        elif len(word) == 1 and word.isascii():
            keys.append(ord(word))
        else:
            raise BadParameter(f"Invalid detach keys ({text}) provided")
    return bytes(keys)


class DetachKeys:
    """Looks for the keys in what a person types. Keys typed in part are held back until the next one."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._seen = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to pass on, and whether the keys are complete (what comes after them is dropped)."""
        passed = bytearray()
        for byte in data:
            if byte != self._keys[self._seen]:
                passed += self._keys[: self._seen]
                self._seen = 0
            if byte != self._keys[self._seen]:
                passed.append(byte)
                continue
            self._seen += 1
            if self._seen == len(self._keys):
                self._seen = 0
                return bytes(passed), True
        return bytes(passed), False
