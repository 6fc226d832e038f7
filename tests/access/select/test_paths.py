from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from weightkit.access.select.paths import Glob, Regex
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weightkit.access.ref import WeightRef

    Make = Callable[..., WeightRef]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("backbone", "backbone/conv/kernel", True),
        ("backbone/conv", "backbone/conv/kernel", True),
        ("backbone/con", "backbone/conv/kernel", False),
        ("conv", "backbone/conv/kernel", False),
        ("*", "backbone/conv/kernel", True),
        ("*/*/*/*", "backbone/conv/kernel", False),
        ("encoder/**/kernel", "encoder/kernel", True),
        ("encoder/**/kernel", "encoder/a/b/kernel", True),
        ("encoder/**/kernel", "decoder/a/kernel", False),
        ("block[12]", "block3/conv/kernel", False),
        ("block[!12]", "block3/conv/kernel", True),
        ("{encoder/a,decoder}/kernel", "encoder/a/kernel", True),
        ("{encoder/a,decoder}/kernel", "decoder/kernel", True),
        ("{encoder/a,decoder}/kernel", "encoder/kernel", False),
        ("Encoder", "encoder/kernel", False),
    ],
)
def test_a_glob_is_anchored_and_selects_all_under_what_it_names(
    weight: Make, pattern: str, path: str, expected: bool
) -> None:
    assert Glob(pattern)(weight(path)) is expected


def test_both_addresses_of_a_weight_are_tried(weight: Make) -> None:
    ref = weight("encoder/dense/kernel", "layers/dense_1/vars/0")
    assert Glob("encoder/*/kernel")(ref)
    assert Glob("layers/dense_1")(ref)


def test_a_name_with_a_slash_or_a_colon_is_a_path_like_others(weight: Make) -> None:
    ref = weight("d1/kernel", "d1/d1/kernel:0")
    assert Glob("d1/d1/kernel:0").explicit(ref)
    assert Glob("d1/kernel:0").explicit(weight("d1/kernel:0"))


def test_a_path_spelt_out_means_one_weight_and_a_wildcard_the_duplicates_too(weight: Make) -> None:
    first = weight("dense/kernel", "a/vars/0")
    second = weight("dense/kernel", "b/vars/0", duplicate=2)
    assert [Glob("dense/kernel")(ref) for ref in (first, second)] == [True, False]
    assert [Glob("dense/kernel#2")(ref) for ref in (first, second)] == [False, True]
    assert [Glob("**/kernel")(ref) for ref in (first, second)] == [True, True]
    assert [Glob("**/kernel#2")(ref) for ref in (first, second)] == [False, True]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("norm/moving_mean", True),
        ("**/moving_*", True),
        ("norm/{gamma,moving_mean}", True),
        ("layers/bn/vars/2", True),
        ("norm", False),
        ("norm/*", False),
        ("norm/**", False),
        ("norm/?*", False),
        ("norm/[m]*", False),
        ("**", False),
        ("layers/bn/vars/*", False),
    ],
)
def test_a_glob_is_explicit_where_it_spells_out_the_weights_own_name(
    weight: Make, pattern: str, expected: bool
) -> None:
    ref = weight("norm/moving_mean", "layers/bn/vars/2")
    assert Glob(pattern)(ref)
    assert Glob(pattern).explicit(ref) is expected


@pytest.mark.parametrize("pattern", ["a/", "/a", "a//b", "/", "", "{,a}", "a/{,b}", "a\\//b"])
def test_an_empty_name_is_refused_as_a_slip(pattern: str) -> None:
    with pytest.raises(SelectionError, match="has an empty name"):
        Glob(pattern)


def test_an_expression_is_searched_in_both_addresses(weight: Make) -> None:
    ref = weight("encoder/block1/kernel", "layers/dense/vars/0")
    assert Regex("block[12]/")(ref)
    assert Regex("^layers/.*0$")(ref)
    assert not Regex("^block1")(ref)


def test_an_expression_is_never_explicit(weight: Make) -> None:
    assert not Regex("^a/moving_mean$").explicit(weight("a/moving_mean"))


@pytest.mark.parametrize("text", ["", "(", "[[a]", "a{" + "9" * 5000 + "}", "(" * 5000, "(?P<a>.)(?P<a>.)", "*"])
def test_an_expression_that_python_refuses_or_warns_of_is_refused(text: str) -> None:
    with pytest.raises(SelectionError, match="expression"):
        Regex(text)


def test_a_warned_of_expression_is_refused_also_where_warnings_are_silenced() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(SelectionError, match="Possible nested set"):
            Regex("[[a]")


# An oracle that knows nothing of the code's text, tokens or automaton: it interprets what was drawn.

NAMES = st.text("ab[*,\\", max_size=3).filter(bool)
PIECES = st.one_of(
    st.tuples(st.just("text"), st.sampled_from("ab[*,\\")),
    st.tuples(st.just("any"), st.none()),
    st.tuples(st.just("star"), st.none()),
    st.tuples(st.just("set"), st.sampled_from(["a", "ab", "[", "*a"])),
    st.tuples(st.just("not"), st.sampled_from(["a", "ab", "[", "*a"])),
    st.tuples(st.just("either"), st.lists(st.text("ab*,", max_size=2), min_size=2, max_size=3)),
)
Piece = tuple[str, "str | list[str] | None"]
SEGMENTS = st.one_of(st.none(), st.lists(PIECES, min_size=1, max_size=4))
PATTERNS = st.lists(SEGMENTS, min_size=1, max_size=4)


def escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\*?[]{}," else char for char in text)


def written(piece: Piece) -> str:
    how, what = piece
    if isinstance(what, list):
        return "{" + ",".join(map(escaped, what)) + "}"
    signs = {"any": "?", "star": "*", "set": f"[{escaped(what or '')}]", "not": f"[!{escaped(what or '')}]"}
    return signs.get(how) or escaped(what or "")


def pattern_of(drawn: Sequence[Sequence[Piece] | None]) -> str:
    return "/".join("**" if segment is None else "".join(map(written, segment)) for segment in drawn)


def name_fits(pieces: Sequence[Piece], name: str) -> bool:
    if not pieces:
        return not name
    (how, what), rest = pieces[0], pieces[1:]
    if how == "star":
        return any(name_fits(rest, name[cut:]) for cut in range(len(name) + 1))
    if isinstance(what, list):
        return any(name.startswith(text) and name_fits(rest, name[len(text) :]) for text in what)
    if not name:
        return False
    fits = {"text": name[0] == what, "any": True, "set": name[0] in (what or ""), "not": True}[how]
    if how == "not":
        fits = name[0] not in (what or "")
    return fits and name_fits(rest, name[1:])


def names_fit(drawn: Sequence[Sequence[Piece] | None], names: Sequence[str]) -> bool:
    if not drawn:
        return not names
    if drawn[0] is None:
        return any(names_fit(drawn[1:], names[cut:]) for cut in range(len(names) + 1))
    return bool(names) and name_fits(drawn[0], names[0]) and names_fit(drawn[1:], names[1:])


def may_be_empty(drawn: Sequence[Sequence[Piece] | None]) -> bool:
    """Whether a segment consists of braces only, of which all have an empty alternative."""
    return any(
        segment is not None and all(isinstance(what, list) and "" in what for _, what in segment) for segment in drawn
    )


def braces_multiply_far(drawn: Sequence[Sequence[Piece] | None]) -> bool:
    """Whether the braces come near the limit on alternatives, which is another test's."""
    return math.prod(len(what) for piece in drawn for _, what in piece or () if isinstance(what, list)) > 400


def is_double_star(drawn: Sequence[Sequence[Piece] | None]) -> bool:
    """Whether a segment drawn as stars over one name would be written ``**``."""
    return any(segment is not None and pattern_of([segment]) == "**" for segment in drawn)


def leaves_double_star(drawn: Sequence[Sequence[Piece] | None]) -> bool:
    """The same, once braces are replaced by an empty alternative."""
    kept = [
        segment and [piece for piece in segment if not (isinstance(piece[1], list) and "" in piece[1])]
        for segment in drawn
    ]
    return is_double_star(kept)


@given(drawn=PATTERNS, names=st.lists(NAMES, min_size=1, max_size=5))
def test_a_glob_agrees_with_a_naive_matcher(weight: Make, drawn: list[list[Piece] | None], names: list[str]) -> None:
    assume(not (may_be_empty(drawn) or leaves_double_star(drawn) or braces_multiply_far(drawn)))
    ref = weight("/".join(names))
    expected = any(names_fit(drawn, names[:cut]) for cut in range(len(names) + 1))
    assert Glob(pattern_of(drawn))(ref) is expected


@given(sides=st.tuples(PATTERNS, PATTERNS), names=st.lists(NAMES, min_size=1, max_size=5))
def test_braces_around_whole_paths_are_a_union(
    weight: Make, sides: tuple[list[list[Piece] | None], ...], names: list[str]
) -> None:
    assume(not any(may_be_empty(side) or braces_multiply_far(side) for side in sides))
    left, right = map(pattern_of, sides)
    ref = weight("/".join(names))
    assert Glob(f"{{{left},{right}}}")(ref) is (Glob(left)(ref) or Glob(right)(ref))


def spells_out(segment: Sequence[Piece] | None) -> bool:
    return segment is not None and any(how == "text" for how, _ in segment)


@given(drawn=PATTERNS, names=st.lists(NAMES, min_size=1, max_size=5))
def test_explicitness_agrees_with_a_naive_matcher(
    weight: Make, drawn: list[list[Piece] | None], names: list[str]
) -> None:
    assume(not is_double_star(drawn))
    assume(all(how != "either" for segment in drawn for how, _ in segment or ()))
    expected = names_fit(drawn, names) and spells_out(drawn[-1])
    assert Glob(pattern_of(drawn)).explicit(weight("/".join(names))) is expected


def test_a_layer_s_name_selects_weights_that_have_none(weight: Make) -> None:
    unnamed = weight("x", "block/layers/dense/vars/0", layer="block_one/dense_1", name=None)
    assert Glob("block_one")(unnamed)
    assert Glob("block_one/dense_1/vars/0").explicit(unnamed)
    assert not Glob("block_two")(unnamed)
