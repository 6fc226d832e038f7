# ruff: noqa: UP006, UP035
"""One model of each kind, which every Keras can build: for files of each era, and to load them with the newest.

Python 3.6; see golden_files.py. A weight's values follow from its place in the model, so a model of another Keras can
be told what each of its weights should be, without a name or an order that a file says. Automatic and given names are
mixed, and layers of one shape stand side by side.
"""

import itertools
import re
import zlib
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import golden_cases
import numpy as np

RECURRENT = {"LSTM", "GRU", "SimpleRNN", "RNN"}


class Era(NamedTuple):
    """What one Keras can build and save."""

    saved: Dict[str, Tuple[str, ...]]
    """The endings of the files of each kind."""
    cells: bool = True
    """Whether it stacks cells in one recurrent layer."""
    attention: bool = True
    reset_after: bool = True
    """Whether a GRU by default has its reset gate after the recurrent kernel."""
    many: int = 3
    """How many Dense layers stand in a row: more than ten, where a file would sort them by name."""


ERAS = {
    "keras1": Era(
        {"sequential": (".weights_only.h5",), "functional": (".h5",), "recurrent": (".weights_only.h5",)},
        cells=False,
        attention=False,
        reset_after=False,
    ),
    "keras20": Era(
        {"sequential": (".h5",), "functional": (".weights_only.h5",), "recurrent": (".h5",)},
        cells=False,
        attention=False,
        reset_after=False,
    ),
    "keras22": Era(
        {"sequential": (".weights_only.h5",), "functional": (".h5",), "recurrent": (".weights_only.h5",)},
        attention=False,
        reset_after=False,
    ),
    "tfkeras24": Era(
        {
            "sequential": (".h5",),
            "functional": (".h5",),
            "subclassed": (".weights_only.h5",),
            "recurrent": (".weights_only.h5",),
        },
    ),
    "tfkeras211": Era(
        {
            "sequential": (".weights_only.h5",),
            "functional": (".weights_only.h5",),
            "subclassed": (".weights_only.h5",),
            "recurrent": (".h5",),
        },
    ),
    "tfkeras213": Era(
        {
            "sequential": (".weights.h5",),
            "functional": (".keras",),
            "subclassed": (".weights.h5",),
            "recurrent": (".weights.h5",),
        },
        many=11,
    ),
    "tfkeras215": Era(
        {
            "sequential": (".keras",),
            "functional": (".weights.h5", ".h5"),
            "subclassed": (".weights.h5", ".weights_only.h5"),
            "recurrent": (".weights.h5",),
        },
        many=11,
    ),
    "keras35": Era(
        {
            "sequential": (".weights.h5",),
            "functional": (".keras", ".h5"),
            "subclassed": (".weights.h5",),
            "recurrent": (".keras",),
        },
        many=11,
    ),
    "keras315": Era(
        {
            "sequential": (".keras",),
            "functional": (".weights.h5", ".h5"),
            "subclassed": (".weights.h5",),
            "recurrent": (".weights.h5",),
        },
        many=11,
    ),
}


def cases(family: str) -> Dict[str, Callable[[], golden_cases.Case]]:
    """The cases of one Keras by the kind of their model."""

    def case(kind: str, suffixes: Tuple[str, ...]) -> Callable[[], golden_cases.Case]:
        saves = {suffix: _way_to_save(suffix) for suffix in suffixes}
        return lambda: (saves, filled(built(kind, ERAS[family])))

    saved = ERAS[family].saved if family in ERAS else {}
    return {kind: case(kind, suffixes) for kind, suffixes in saved.items()}


def _way_to_save(suffix: str) -> Callable[[Any, str], None]:
    return golden_cases.save if suffix in {".h5", ".keras"} else golden_cases.save_weights


# --- the models --------------------------------------------------------------------------------------------


def built(kind: str, era: Era, head: int = 2) -> Any:
    """A model of one kind, as it is in files of an era, in the Keras of this interpreter.

    Args:
        kind: ``sequential``, ``functional``, ``subclassed`` or ``recurrent``.
        era: Of the file.
        head: Units of the last layer.
    """
    return KINDS[kind](golden_cases.running_keras(), era, head)


def _sequential(keras: Any, era: Era, head: int) -> Any:
    layers = keras.layers
    stack = [layers.Conv1D(2, 2, input_shape=(3, 2)), layers.BatchNormalization(name="norm"), layers.Flatten()]
    row = [layers.Dense(2) for _ in range(era.many - 1)]
    row.insert(1, layers.Dense(2, name="middle"))
    return keras.models.Sequential([*stack, *row, layers.Dense(head)])


def _functional(keras: Any, era: Era, head: int) -> Any:
    """A model in a model in a model, one layer used twice, one frozen."""
    layers = keras.layers
    inner = keras.models.Sequential([layers.Dense(2, input_shape=(2,)), layers.Dense(2, name="deep")])
    start = layers.Input((2,))
    outputs = layers.BatchNormalization()(inner(layers.Dense(2)(start)))
    encoder = keras.models.Model(start, outputs, name="encoder")
    inner.layers[0].trainable = False
    left, right, ids = layers.Input((2,)), layers.Input((2,)), layers.Input((2,))
    shared = layers.Dense(2, name="shared")
    words = layers.Embedding(3, 2)(ids)
    if era.attention:
        words = layers.MultiHeadAttention(1, 2, name="attention")(words, words)
    branches = [encoder(shared(left)), layers.Dense(2)(shared(right)), layers.Flatten()(words)]
    both = layers.concatenate(branches) if hasattr(layers, "concatenate") else layers.merge(branches, mode="concat")
    return keras.models.Model([left, right, ids], layers.Dense(head)(both))


def _recurrent(keras: Any, era: Era, head: int) -> Any:
    layers = keras.layers
    knows = golden_cases.version()[:3] not in {"1.2", "2.0"}
    how = {"reset_after": era.reset_after} if knows else {}
    stack = [
        layers.LSTM(2, return_sequences=True, input_shape=(2, 2)),
        layers.GRU(2, return_sequences=True, name="gated", **how),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="both"),
        layers.SimpleRNN(2, return_sequences=True),
    ]
    if era.cells:
        cells = [layers.LSTMCell(2), layers.GRUCell(2, **how)]
        stack.append(layers.RNN(cells, return_sequences=True, name="stacked"))
    stack += [
        layers.TimeDistributed(layers.Dense(2)),
        layers.TimeDistributed(layers.Dense(2, name="deep"), name="each"),
    ]
    return keras.models.Sequential([*stack, layers.Flatten(), layers.Dense(head)])


def _subclassed(keras: Any, era: Era, head: int) -> Any:  # noqa: ARG001 - all that can build it build the same
    """Layers in lists and dicts, whose keys are not sorted."""
    layers = keras.layers

    class Block(layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.hidden = [layers.Dense(2), layers.Dense(2)]
            self.ways = {"b": layers.Dense(2, name="beta"), "a": layers.Dense(2, name="alpha")}
            self.norm = layers.LayerNormalization()

        def build(self, shape: Any) -> None:
            self.gain = self.add_weight(name="gain", shape=(2,))
            super().build(shape)

        def call(self, inputs: Any) -> Any:
            for layer in [*self.hidden, self.ways["a"], self.ways["b"], self.norm]:
                inputs = layer(inputs)
            return inputs * self.gain

    class Classifier(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = layers.Dense(2)
            self.blocks = [Block(), Block(name="last")]
            self.towers = {"z": layers.Dense(2), "y": layers.Dense(2, name="tower")}
            self.head = layers.Dense(head)

        def call(self, inputs: Any) -> Any:
            hidden = self.encoder(inputs)
            for layer in [*self.blocks, *self.towers.values()]:
                hidden = layer(hidden)
            return self.head(hidden)

    model = Classifier()
    model(np.zeros((1, 2), "float32"))
    return model


KINDS = {
    "sequential": _sequential,
    "functional": _functional,
    "subclassed": _subclassed,
    "recurrent": _recurrent,
}


# --- their values ------------------------------------------------------------------------------------------


def filled(model: Any) -> Any:
    """Gives every weight the values of its place."""
    for place, variable in placed(model):
        values = drawn(place, tuple(int(size) for size in variable.shape))
        if golden_cases.version()[0] == "3":
            variable.assign(values)
        else:
            golden_cases.running_keras().backend.set_value(variable, values)
    return model


def drawn(place: str, shape: Tuple[int, ...]) -> np.ndarray:
    """The values of the weight at a place."""
    draw = np.random.RandomState(zlib.crc32(place.encode()))
    return draw.uniform(0.1, 1.0, shape).astype("float32")


def placed(model: Any) -> Iterator[Tuple[str, Any]]:
    """Yields each variable with its place: its layer's given name, or class and number; and its own number there.

    What is in a recurrent layer counts as its own: most versions make no layers of cells.
    """
    labels = {}  # type: Dict[int, str]
    counts = {}  # type: Dict[str, Iterator[int]]
    for chain, variable in golden_cases.variables(model):
        owner = next((layer for layer in chain if type(layer).__name__ in RECURRENT), chain[-1])
        if id(owner) not in labels:
            labels[id(owner)] = _label([*chain[1 : chain.index(owner)], owner], counts)
        label = labels[id(owner)]
        yield f"{label}/{next(counts.setdefault(label, itertools.count()))}", variable


def _label(chain: List[Any], counts: Dict[str, Iterator[int]]) -> str:
    """Given names around and of a layer, and class and number of one with an automatic name."""
    given = [layer.name for layer in chain if not _is_automatic(layer)]
    own = type(chain[-1]).__name__.replace("Convolution", "Conv")
    if not _is_automatic(chain[-1]):
        return "/".join(given)
    around = "/".join([*given, own])
    return f"{around}#{next(counts.setdefault(around, itertools.count()))}"


def _is_automatic(layer: Any) -> bool:
    base = re.sub("[^a-z0-9]", "", type(layer).__name__.lower())
    name = re.sub("^(forward|backward)_", "", layer.name)
    return re.sub("(_[0-9]+)?$", "", name).replace("_", "") in {base, "model"} or not name
