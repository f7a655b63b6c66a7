"""Kinds of values and how each is read into its last form. A kind returns ``None`` for "not given"."""

from __future__ import annotations

from stackwright.model.final.durations import format_duration, parse_duration
from stackwright.model.final.sizes import parse_size
from stackwright.model.final.words import WordsError, split_words
from stackwright.model.gonumbers import single
from stackwright.model.marks import Map, Seq
from stackwright.model.merge import scalar_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from stackwright.model.marks import Mark

    Read: TypeAlias = Callable[[Any], Any]


class KindError(ValueError):
    """A value cannot be read; ``code`` is the problem's, ``key`` the entry to blame in a container."""

    def __init__(self, code: str, message: str, key: object = None, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.key = key
        self.hint = hint


_BOOLEANS = {
    "true": True,
    "y": True,
    "yes": True,
    "on": True,
    "false": False,
    "n": False,
    "no": False,
    "off": False,
}


def text(value: Any) -> Any:
    """A text; whole numbers become their text."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    raise KindError("type", f"must be a text, not {scalar_text(value)}", hint="put it in quotes")


def boolean(value: Any) -> Any:
    """True or false, or a text that says so."""
    if type(value) is bool:
        return value
    try:
        return _BOOLEANS[str(value).lower()]
    except KeyError:
        raise KindError("cast", f'"{value}" is not a boolean') from None


def integer(value: Any) -> Any:
    """A whole number, or its text; a fraction is cut off."""
    if type(value) is int:
        return value
    if type(value) is float and abs(value) < 1 << 63:
        return int(value)
    try:
        return int(_plain_number(value))
    except ValueError:
        raise KindError("cast", f'"{value}" is not a whole number') from None


def _plain_number(value: Any) -> str:
    digits = str(value)
    if not digits.isascii() or "_" in digits or digits != digits.strip():
        raise ValueError
    return digits


def natural(value: Any) -> Any:
    """A whole number that is not negative. A text will not do."""
    if type(value) is str:
        raise KindError("type", f'must be a number, not the text "{value}"', hint="write it without quotes")
    number = integer(value)
    if number < 0:
        raise KindError("range", f"{number} is negative")
    return number


def real32(value: Any) -> Any:
    """A single-precision number."""
    try:
        number = single(float(_plain_number(value)) if type(value) is str else float(value))
    except ValueError:
        raise KindError("cast", f'"{value}" is not a number') from None
    return int(number) if number.is_integer() else number


def duration(value: Any) -> Any:
    """A duration, in its normal spelling."""
    try:
        return format_duration(parse_duration(scalar_text(value)))
    except ValueError as error:
        raise KindError("duration", str(error)) from None


def size(value: Any) -> Any:
    """A size in bytes, as a text (as the reference prints it); None for 0, which sets nothing."""
    text_of_size = rate(value)
    return None if text_of_size == "0" else text_of_size


def rate(value: Any) -> Any:
    """Bytes or operations a second, as a text."""
    if type(value) is int:
        return str(value)
    if type(value) is float:
        # The reference reads no fraction here; a size of half a byte means nothing either.
        return "0"
    try:
        return str(parse_size(value))
    except ValueError as error:
        raise KindError("size", str(error)) from None


def file_mode(value: Any) -> Any:
    """Permission bits, as octal text."""
    if type(value) is int:
        return f"0{value:o}"
    try:
        return f"0{int(_plain_number(value), 8):o}"
    except ValueError:
        raise KindError("mode", f'"{value}" is no file mode in octal') from None


def device_count(value: Any) -> Any:
    """How many devices; -1 for all."""
    if type(value) is int:
        return value
    if str(value).lower() == "all":
        return -1
    try:
        return int(_plain_number(value))
    except ValueError:
        raise KindError("cast", f'"{value}" is neither "all" nor a number of devices') from None


def command(value: Any) -> Any:
    """A command's words; None stays None (the image's)."""
    if type(value) is str:
        try:
            return split_words(value)
        except WordsError as error:
            raise KindError("command", str(error), hint="write the command as a list") from None
    return value


def health_test(value: Any) -> Any:
    """A health check's command with its kind in front."""
    return ["CMD-SHELL", value] if type(value) is str else value


def texts(value: Any) -> Any:
    """A list of texts, or one text."""
    made = Seq()
    if type(value) is not Seq:
        made.append(text(value))
        return made
    made.mark, made.marks = value.mark, value.marks
    for index, item in enumerate(value):
        if type(item) is not str and type(item) is not int:
            shown = scalar_text(item)
            raise KindError("type", f"must be a list of texts, not {shown}", index, hint="put it in quotes")
        made.append(item if type(item) is str else str(item))
    return made


def variables(value: Any) -> Any:
    """Variables by name; None for those without a value (``environment``, ``build.args``)."""
    made = Map(value.mark)
    if type(value) is Map:
        for key in sorted(value):
            item = value[key]
            made[key] = item if item is None or type(item) is str else scalar_text(item)
            made.marks[key] = value.marks.get(key, (value.mark, value.mark))
        return made
    found: dict[str, tuple[str | None, Mark]] = {}
    for index, item in enumerate(value):
        name, equals, given = scalar_text(item).partition("=")
        if name and name[-1].isspace():
            raise KindError("variable-name", f'variable "{name}" ends with a space', index)
        found[name] = (given if equals else None, value.mark_at(index))
    for name in sorted(found):
        made.put(name, *found[name])
    return made


def _labels(value: Any, nothing: str = "") -> Any:
    made = Map(value.mark)
    if type(value) is Map:
        for key in sorted(value):
            item = value[key]
            made[key] = nothing if item is None else item if type(item) is str else scalar_text(item)
            made.marks[key] = value.marks.get(key, (value.mark, value.mark))
        return made
    found: dict[str, tuple[str, Mark]] = {}
    for index, item in enumerate(value):
        name, _, given = scalar_text(item).partition("=")
        found[name] = (given, value.mark_at(index))
    for name in sorted(found):
        made.put(name, *found[name])
    return made


def labels(value: Any) -> Any:
    """Texts by name; what has no value is empty."""
    return _labels(value)


def options(value: Any) -> Any:
    """Options of a driver; any scalar will do."""
    return _labels(value)


def text_options(value: Any) -> Any:
    """Options of a driver, where only texts and whole numbers will do."""
    for key, item in value.items():
        if type(item) is float or type(item) is bool:
            message = f"{key} must be a text, not {scalar_text(item)}"
            raise KindError("type", message, key, hint="put it in quotes")
    return _labels(value)


def many_options(value: Any) -> Any:
    """Options that may be given several times."""
    made = Map(value.mark)
    for key in sorted(value):
        item = value[key]
        made[key] = [scalar_text(one) for one in item] if type(item) is Seq else [scalar_text(item)]
        made.marks[key] = value.marks.get(key, (value.mark, value.mark))
    return made


def hosts(value: Any) -> Any:
    """``host=address`` entries, sorted."""
    pairs: list[tuple[str, str]] = []
    if type(value) is Map:
        for host, given in value.items():
            if type(given) is Map:
                raise KindError("extra-host", f'"{host}" needs an address, not a mapping', host)
            addresses = [scalar_text(one) for one in given] if type(given) is Seq else [given or ""]
            pairs += [(host, str(address)) for address in addresses]
    else:
        for index, item in enumerate(value):
            entry = scalar_text(item)
            separator = "=" if "=" in entry else ":"
            host, found, given = entry.partition(separator)
            if not found:
                raise KindError("extra-host", f'"{entry}" has no address (host=address)', index)
            pairs += [(host, address) for address in given.split(",")]
    made = []
    for host, address in pairs:
        if not host or ":" in host or "=" in host:
            raise KindError("extra-host", f'"{host}" is no host name')
        if len(address) > 2 and address[0] == "[" and address[-1] == "]":
            address = address[1:-1]
        made.append(f"{host}={address}")
    return sorted(made)


def ssh(value: Any) -> Any:
    """SSH agents: ``default`` or ``id=path``."""
    return [f"{key}={value[key]}" if value[key] else key for key in sorted(value)]


def ulimit(value: Any) -> Any:
    """One number, or soft and hard limits."""
    if type(value) is not Map:
        return integer(value)
    return {key: integer(value.get(key, 0)) for key in ("soft", "hard")}


def env_file(value: Any) -> Any:
    """Path, whether it must exist, and its format."""
    made: dict[str, Any] = {"path": value.get("path", ""), "required": boolean(value.get("required", True))}
    if value.get("format"):
        made["format"] = value["format"]
    return made
