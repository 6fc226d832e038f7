"""Pairs of models whose mapping is known: their layers and the answers are written down here, one model a function."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

import numpy as np

from weightkit import suggest
from weightkit.access.ref import Kind, Source, WeightRef


class Model(list):
    """The references of a store that knows the order of its layers."""

    ordered = True


class Unordered(Model):
    ordered = False


@dataclass(frozen=True)
class Spec:
    """A layer as it is written down here: its class, and the shapes of its weights."""

    layer_class: str
    shapes: dict


def dense(rows, columns):
    return Spec("Dense", {"kernel": (rows, columns), "bias": (columns,)})


def conv(size, rows, columns, layer_class="Conv2D"):
    return Spec(layer_class, {"kernel": (size, size, rows, columns), "bias": (columns,)})


def depthwise(channels):
    return Spec("DepthwiseConv2D", {"depthwise_kernel": (3, 3, channels, 1), "bias": (channels,)})


def norm(width):
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return Spec("BatchNormalization", dict.fromkeys(names, (width,)))


def layer_norm(width):
    return Spec("LayerNormalization", dict.fromkeys(("gamma", "beta"), (width,)))


def embedding(rows, width):
    return Spec("Embedding", {"embeddings": (rows, width)})


def lstm(rows, units):
    shapes = {"kernel": (rows, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    return Spec("LSTM", shapes)


def refs(layers, into=Model):
    """The references of a model's layers: ``{"block1/conv": conv(3, 3, 8)}``."""
    return into(
        WeightRef(
            structure=f"{layer}/{name}",
            layer=layer,
            index=index,
            name=name,
            shape=shape,
            dtype=np.dtype("f4"),
            kind=Kind.PARAMETER,
            layer_class=spec.layer_class,
            trainable=True,
            known_from=Source.FILE,
        )
        for layer, spec in layers.items()
        for index, (name, shape) in enumerate(spec.shapes.items())
    )


@dataclass(frozen=True)
class Case:
    """Two models, and the layer of the source that each of the target's is; None where it is none."""

    target: dict
    source: dict
    answer: dict
    into: type = Model

    def suggested(self):
        return suggest(refs(self.target, self.into), refs(self.source, self.into))


def paired(layers, **more):
    """A case from one list of (name in the target, name in the source, spec); None where a side has it not."""
    return Case(
        {ours: spec for ours, _, spec in layers if ours},
        {theirs: spec for _, theirs, spec in layers if theirs},
        {ours: theirs for ours, theirs, _ in layers if ours},
        **more,
    )


def vgg16():
    """keras.applications.VGG16 and torchvision's indices, where activations and pooling count too."""
    found, index, before = [], 0, 3
    for block, (count, width) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for number in range(1, count + 1):
            found.append((f"block{block}_conv{number}", f"features.{index}", conv(3, before, width)))
            index, before = index + 2, width
        index += 1
    heads = [("fc1", 0, dense(25088, 4096)), ("fc2", 3, dense(4096, 4096)), ("predictions", 6, dense(4096, 1000))]
    return paired(found + [(name, f"classifier.{index}", spec) for name, index, spec in heads])


def resnet50():
    """keras.applications.ResNet50, whose shortcut comes before the third convolution, and torchvision's."""
    target = {"conv1_conv": conv(7, 3, 64), "conv1_bn": norm(64)}
    source = {"conv1": conv(7, 3, 64), "bn1": norm(64)}
    answer = {"conv1_conv": "conv1", "conv1_bn": "bn1"}
    before = 64
    for stage, (count, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)]):
        for block in range(count):
            ours, theirs = f"conv{stage + 2}_block{block + 1}", f"layer{stage + 1}.{block}"
            specs = {1: conv(1, before, width), 2: conv(3, width, width), 3: conv(1, width, 4 * width)}
            specs[0] = conv(1, before, 4 * width)
            widths = {0: 4 * width, 1: width, 2: width, 3: 4 * width}
            numbers = (0, 1, 2, 3) if block == 0 else (1, 2, 3)
            for number in numbers:
                last = (".downsample.0", ".downsample.1") if number == 0 else (f".conv{number}", f".bn{number}")
                answer |= {f"{ours}_{number}_conv": theirs + last[0], f"{ours}_{number}_bn": theirs + last[1]}
            for group in ((1,), (2,), (0, 3) if block == 0 else (3,)):
                target |= {f"{ours}_{number}_conv": specs[number] for number in group}
                target |= {f"{ours}_{number}_bn": norm(widths[number]) for number in group}
            for number in (1, 2, 3, 0):
                if number in numbers:
                    source[answer[f"{ours}_{number}_conv"]] = specs[number]
                    source[answer[f"{ours}_{number}_bn"]] = norm(widths[number])
            before = 4 * width
    target["predictions"] = source["fc"] = dense(2048, 1000)
    return Case(target, source, answer | {"predictions": "fc"})


def mobilenet():
    """keras.applications.MobileNet and a Sequential of Sequentials."""
    found = [("conv1", "model.0.0", conv(3, 3, 32)), ("conv1_bn", "model.0.1", norm(32))]
    before = 32
    for block, width in enumerate([64, 128, 128, 256, 256, *[512] * 6, 1024, 1024], 1):
        found += [
            (f"conv_dw_{block}", f"model.{block}.0", depthwise(before)),
            (f"conv_dw_{block}_bn", f"model.{block}.1", norm(before)),
            (f"conv_pw_{block}", f"model.{block}.3", conv(1, before, width)),
            (f"conv_pw_{block}_bn", f"model.{block}.4", norm(width)),
        ]
        before = width
    return paired([*found, ("conv_preds", "fc", conv(1, 1024, 1000))])


ENCODER = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
    "attention_output": "attention.output.dense", "attention_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense", "output": "output.dense", "output_norm": "output.LayerNorm",
}  # fmt: skip


def encoder_spec(part):
    if "norm" in part:
        return layer_norm(64)
    return {"intermediate": dense(64, 256), "output": dense(256, 64)}.get(part, dense(64, 64))


def bert():
    """An encoder as in a Keras hub and as in Hugging Face's bert, with another pooler."""
    found = [
        ("word_embeddings", "bert.embeddings.word_embeddings", embedding(1000, 64)),
        ("position_embeddings", "bert.embeddings.position_embeddings", embedding(512, 64)),
        ("embeddings_norm", "bert.embeddings.LayerNorm", layer_norm(64)),
    ]
    found += [
        (f"encoder/layer_{number}/{ours}", f"bert.encoder.layer.{number}.{theirs}", encoder_spec(ours))
        for number in range(12)
        for ours, theirs in ENCODER.items()
    ]
    return paired([*found, ("pooler", "bert.pooler.dense", dense(64, 64))])


def counted_from_one():
    """The same blocks, from 0 here and from 1 there."""
    parts = [part for part in ENCODER if part != "key"]
    return paired(
        [
            (f"transformer_layer_{number}/{part}", f"encoder/block{number + 1}/{part}", encoder_spec(part))
            for number in range(6)
            for part in parts
        ]
    )


def keras1():
    """Automatic names and weights' names of Keras 1, and those of Keras 3."""
    target = {"conv2d": conv(3, 3, 8), "conv2d_1": conv(3, 8, 8), "conv2d_2": conv(3, 8, 8), "dense": dense(32, 10)}
    names = ["convolution2d_1", "convolution2d_2", "convolution2d_3", "dense_1"]
    old = {"Conv2D": "Convolution2D"}
    source = {
        name: Spec(old.get(spec.layer_class, spec.layer_class), dict(zip("Wb", spec.shapes.values(), strict=True)))
        for name, spec in zip(names, target.values(), strict=True)
    }
    return Case(target, source, dict(zip(target, names, strict=True)))


def new_head():
    """A backbone of the same names; the head has another name and another number of classes."""
    body = {f"stage{n}_conv": conv(3, 8 * n, 8 * n + 8) for n in range(1, 7)} | {"hidden": dense(56, 32)}
    target, source = body | {"logits": dense(32, 5)}, body | {"predictions": dense(32, 1000)}
    return Case(target, source, {name: name for name in body} | {"logits": "predictions"})


def renamed_heads():
    """Two heads of equal looks with new names, of which one word stays; they come in another order."""
    body = {f"trunk_{n}": dense(16, 16) for n in range(1, 4)}
    target = body | {"age_output": dense(16, 4), "gender_output": dense(16, 4)}
    source = body | {"head/gender": dense(16, 4), "head/age": dense(16, 4)}
    answer = {name: name for name in body} | {"age_output": "head/age", "gender_output": "head/gender"}
    return Case(target, source, answer)


def inserted():
    """Batch normalization after each convolution, which the source does not have, and other words."""
    found = []
    for number in range(1, 9):
        width = 16 if number < 5 else 32
        before = 3 if number == 1 else 16 if number < 6 else 32
        found += [(f"conv_{number}", f"c{number}", conv(3, before, width)), (f"norm_{number}", None, norm(width))]
    return paired([*found, ("top", "classifier", dense(32, 10))])


def removed():
    """A model without the fourth of six blocks, which have their names."""
    found = [("stem", "net.stem", conv(3, 3, 16))]
    for block in "abcdef":
        kept = block != "d"
        found += [
            (f"block_{block}/{part}" if kept else None, f"net.block_{block}.{part}", spec)
            for part, spec in (("expand", conv(1, 16, 64)), ("project", conv(1, 64, 16)), ("norm", norm(16)))
        ]
    return paired([*found, ("head", "net.head", dense(16, 10))])


def nested():
    """A flat model, and the same with its body in a nested one with an automatic name."""
    body = [(f"block{b}_conv{n}", f"model_1/block{b}_conv{n}", conv(3, 8, 8)) for b in range(1, 5) for n in (1, 2)]
    return paired([*body, ("dense", "dense_4", dense(8, 8)), ("dense_1", "dense_5", dense(8, 2))])


def branches():
    """Two branches of equal looks, in another order there."""
    left = [(f"left_{n}", f"branch_left/conv{n}", conv(3, 8, 8)) for n in range(1, 5)]
    right = [(f"right_{n}", f"branch_right/conv{n}", conv(3, 8, 8)) for n in range(1, 5)]
    first, second = paired([*left, *right]), paired([*right, *left])
    return Case(first.target, second.source, first.answer)


def siamese():
    """Twins without a common word, in the same order."""
    return paired(
        [
            (f"{ours}/conv{n}", f"{theirs}/layer_{n}", conv(3, 3 if n == 1 else 8, 8))
            for ours, theirs in (("left", "tower_1"), ("right", "tower_2"))
            for n in range(1, 4)
        ]
        + [("distance", "similarity", dense(16, 1))]
    )


def one_in_front():
    """Only automatic names, and a new layer in front, so that all numbers are others."""
    shapes = [(16, 32), (32, 32), (32, 32), (32, 64), (64, 64), (64, 10)]
    target = {"dense": dense(16, 16)} | {f"dense_{n}": dense(*shape) for n, shape in enumerate(shapes, 1)}
    source = {f"dense_{n + 7}": dense(*shape) for n, shape in enumerate(shapes)}
    return Case(target, source, {"dense": None} | {f"dense_{n}": f"dense_{n + 6}" for n in range(1, 7)})


def autoencoder():
    """Halves whose shapes are mirrored."""
    sizes = [784, 256, 128, 64]
    down = list(itertools.pairwise(sizes))
    found = [(f"encoder/dense_{n}", f"enc_fc{n}", dense(*shape)) for n, shape in enumerate(down, 1)]
    found += [
        (f"decoder/dense_{n}", f"dec_fc{n}", dense(*reversed(shape))) for n, shape in enumerate(reversed(down), 1)
    ]
    return paired(found)


def gan():
    """Generator and discriminator with automatic names in them, and the discriminator first there."""
    generator = [
        ("generator/dense", "gen/dense_3", dense(100, 512)),
        ("generator/conv2d_transpose", "gen/conv2d_transpose_4", conv(5, 64, 128, "Conv2DTranspose")),
        ("generator/conv2d_transpose_1", "gen/conv2d_transpose_5", conv(5, 32, 64, "Conv2DTranspose")),
        ("generator/batch_normalization", "gen/batch_normalization_2", norm(64)),
    ]
    discriminator = [
        ("discriminator/conv2d", "disc/conv2d", conv(5, 3, 64)),
        ("discriminator/conv2d_1", "disc/conv2d_1", conv(5, 64, 128)),
        ("discriminator/dense_1", "disc/dense", dense(2048, 1)),
    ]
    first, second = paired([*generator, *discriminator]), paired([*discriminator, *generator])
    return Case(first.target, second.source, first.answer)


def unet():
    """Convolutions of equal shapes on the way down and up."""
    found = []
    for level, width in enumerate([16, 32, 64]):
        before = 3 if level == 0 else width // 2
        found += [
            (f"down{level}_a", f"encoder.{level}.conv.0", conv(3, before, width)),
            (f"down{level}_b", f"encoder.{level}.conv.3", conv(3, width, width)),
        ]
    for level, width in reversed(list(enumerate([16, 32]))):
        found += [
            (f"up{level}_t", f"decoder.{level}.up", conv(2, width, 2 * width, "Conv2DTranspose")),
            (f"up{level}_a", f"decoder.{level}.conv.0", conv(3, 2 * width, width)),
            (f"up{level}_b", f"decoder.{level}.conv.3", conv(3, width, width)),
        ]
    return paired([*found, ("mask", "outc", conv(1, 16, 1))])


def recurrent():
    """Both directions of two layers, with and without the cell in each."""
    found = [("tokens", "embedding_3", embedding(500, 32))]
    for number, rows in enumerate((32, 64)):
        ours, theirs = (f"bidirectional{f'_{n}' if n else ''}" for n in (number, number + 5))
        for direction in ("forward", "backward"):
            inside = f"{direction}_lstm"
            found.append((f"{ours}/{inside}", f"{theirs}/{inside}_{number + 5}/lstm_cell", lstm(rows, 32)))
    return paired([*found, ("tags", "dense_3", dense(64, 9))])


def efficientnet():
    """Blocks of several widths with squeeze and excitation, and timm's names."""
    found, before = [("stem_conv", "conv_stem", conv(3, 3, 16)), ("stem_bn", "bn1", norm(16))], 16
    for stage, (count, width) in enumerate([(1, 16), (2, 24), (3, 40), (3, 80)]):
        for block in range(count):
            ours, theirs, inside = f"block{stage + 1}{'abc'[block]}_", f"blocks.{stage}.{block}.", 6 * before
            found += [
                (f"{ours}expand_conv", f"{theirs}conv_pw", conv(1, before, inside)),
                (f"{ours}expand_bn", f"{theirs}bn1", norm(inside)),
                (f"{ours}dwconv", f"{theirs}conv_dw", depthwise(inside)),
                (f"{ours}bn", f"{theirs}bn2", norm(inside)),
                (f"{ours}se_reduce", f"{theirs}se.conv_reduce", conv(1, inside, before // 4)),
                (f"{ours}se_expand", f"{theirs}se.conv_expand", conv(1, before // 4, inside)),
                (f"{ours}project_conv", f"{theirs}conv_pwl", conv(1, inside, width)),
                (f"{ours}project_bn", f"{theirs}bn3", norm(width)),
            ]
            before = width
    return paired([*found, ("predictions", "classifier", dense(80, 1000))])


def without_order():
    """Stores that do not know the order of their layers; one has a prefix around everything."""
    names = [*(f"block{b}/{part}" for b in range(1, 6) for part in ("conv", "shortcut")), "head"]
    found = [(name, f"model/{name.replace('/', '_')}", conv(3, 8, 8)) for name in names]
    source = random.Random(0).sample(found, len(found))  # noqa: S311
    first, second = paired(found), paired(source)
    return Case(first.target, second.source, first.answer, into=Unordered)


def resized_vocabulary():
    """Another vocabulary, more positions, and the same encoder under another prefix."""
    inside = {f"layer{n}/{part}": encoder_spec(part) for n in range(4) for part in ENCODER}
    target = {"token_embedding": embedding(1200, 64), "position_embedding": embedding(256, 64)} | inside
    source = {"token_embedding": embedding(1000, 64), "position_embedding": embedding(128, 64)}
    source |= {f"backbone/{name}": spec for name, spec in inside.items()}
    return Case(target, source, {name: f"backbone/{name}" if name in inside else name for name in target})


def encoder_decoder():
    """Layers of equal looks in an encoder and a decoder, which come in another order there."""
    parts = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}
    inside = {"encoder": {"self_attention": "self_attn"}}
    inside["decoder"] = inside["encoder"] | {"cross_attention": "encoder_attn"}
    sides = {
        side: [
            (f"{side}_layer_{n}/{ours}/{part}", f"model.{side}.layers.{n}.{theirs}.{name}", dense(32, 32))
            for n in range(4)
            for ours, theirs in attentions.items()
            for part, name in parts.items()
        ]
        for side, attentions in inside.items()
    }
    first, second = paired(sides["encoder"] + sides["decoder"]), paired(sides["decoder"] + sides["encoder"])
    return Case(first.target, second.source, first.answer)


CASES = [
    vgg16, resnet50, mobilenet, bert, counted_from_one, keras1, new_head, renamed_heads, inserted, removed, nested,
    branches, siamese, one_in_front, autoencoder, gan, unet, recurrent, efficientnet, without_order, resized_vocabulary,
    encoder_decoder,
]  # fmt: skip
