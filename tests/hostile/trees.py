"""Circles and trees of unusual form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
from h5py import h5d, h5g, h5p, h5s, h5t

from tests.hostile.case import (
    BIAS,
    UNSAFE,
    WEIGHTS,
    contained,
    refused,
    variables,
)
from tests.hostile.links import OUT, planted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


CIRCLE = "following it never ends"


@planted("circle_of_one.weights.h5", "a group that contains itself is refused", CIRCLE, UNSAFE)
def _self(file: h5py.File) -> None:
    file["layers/dense/again"] = file["layers/dense"]


@planted("circle_through_the_root.weights.h5", "a group that contains the root is refused", CIRCLE, UNSAFE)
def _root(file: h5py.File) -> None:
    file["layers/dense/again"] = file["/"]


@planted("circle_of_two.weights.h5", "two groups that contain each other are refused", CIRCLE, UNSAFE)
def _two(file: h5py.File) -> None:
    file.create_group("one")["two"] = file.create_group("two")
    file["two/one"] = file["one"]


@planted("circle_of_ancestors.weights.h5", "a group far below that contains one above is refused", CIRCLE, UNSAFE)
def _ancestor(file: h5py.File) -> None:
    group = file.create_group("layers/" + "/".join("abcdefgh"))
    group["up"] = file["layers/a"]


@contained(
    "diamonds.weights.h5", "2^30 paths to one weight are one weight", "an object met again is read once", weights=5
)
def _diamonds(path: Path) -> None:
    with variables(path) as file:
        group = file["layers"]
        for _ in range(30):
            below = group.create_group("left")
            group["right"] = below
            group = below
        group["vars/0"] = BIAS


@contained("two_links.weights.h5", "two links to one weight are one weight", "a hard link is a name", weights=4)
def _two_links(path: Path) -> None:
    with variables(path) as file:
        file["layers/twin/vars/0"] = file[f"{WEIGHTS}/0"]


@contained(
    "link_from_optimizer.weights.h5",
    "a weight that the optimizer's group holds too stays when the optimizer goes",
    "no weight is lost by another name of it",
    weights=4,
    strip=(0, 2, 3),
)
def _from_optimizer(path: Path) -> None:
    with variables(path) as file:
        file["optimizer/kernel"] = file[f"{WEIGHTS}/0"]


def _deep(path: Path, levels: int) -> None:
    with variables(path) as file:
        file["/".join(["layers", *("g" for _ in range(levels - 2)), "vars", "0"])] = BIAS


@contained("levels_64.weights.h5", "64 levels of groups are read", "the limit is 64", weights=5)
def _64(path: Path) -> None:
    _deep(path, 64)


@refused("levels_65.weights.h5", "65 levels of groups are refused", "the limit is 64", UNSAFE)
def _65(path: Path) -> None:
    _deep(path, 65)


@refused("levels_5000.weights.h5", "5,000 levels of groups are refused", "the limit is 64", UNSAFE)
def _5000(path: Path) -> None:
    with variables(path, libver="latest") as file:
        group = file["layers"].id
        for _ in range(5000):
            group = h5g.create(group, b"g")


@contained(
    "wide_links.weights.h5", "100,000 links to one weight are one weight", "names cost little", weights=4, large=True
)
def _wide_links(path: Path) -> None:
    with variables(path, libver="latest") as file:
        group, weight = file.create_group("layers/wide/vars").id, file[f"{WEIGHTS}/0"].id
        group.link(b"/" + WEIGHTS.encode() + b"/0", b"0", h5g.LINK_HARD, file.id)
        for number in range(1, 100_000):
            h5py.h5o.link(weight, group, b"%d" % number)


def _many(path: Path, create: Callable[[Any, bytes], object], where: str, **options: Any) -> None:
    with variables(path, **options) as file:
        group = file.create_group(where).id
        for number in range(100_000):
            create(group, b"%d" % number)


@contained("wide_groups.weights.h5", "100,000 empty groups are no obstacle", "they hold nothing", large=True)
def _wide_groups(path: Path) -> None:
    _many(path, h5g.create, "layers/wide", libver="latest")


@contained("wide_datasets.weights.h5", "100,000 weights are edited", "the limit is far higher", large=True)
def _wide_datasets(path: Path) -> None:
    space, creation = h5s.create(h5s.SCALAR), h5p.create(h5p.DATASET_CREATE)
    creation.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    _many(
        path,
        lambda group, name: h5d.create(group, name, h5t.IEEE_F32LE, space, creation),
        "layers/wide/vars",
    )


@refused("wide_soft_links.weights.h5", "100,000 soft links are refused at the first", OUT, UNSAFE)
def _wide_soft(path: Path) -> None:
    with variables(path, libver="latest") as file:
        group = file.create_group("layers/wide").id
        for number in range(100_000):
            group.links.create_soft(b"%d" % number, b"/nowhere")
