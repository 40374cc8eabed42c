"""Writes small TensorFlow Lite models: one operator each, for tests."""
import struct

import flatbuffers

CODES = dict(ADD=0, AVERAGE_POOL_2D=1, CONCATENATION=2, CONV_2D=3, DEPTHWISE_CONV_2D=4, DEQUANTIZE=6, FULLY_CONNECTED=9,
             LOGISTIC=14, MAX_POOL_2D=17, MUL=18, RESHAPE=22, PAD=34, MEAN=40, STRIDED_SLICE=45, PACK=83, SPLIT_V=102,
             QUANTIZE=114, CALL_ONCE=129, VAR_HANDLE=142, READ_VARIABLE=143, ASSIGN_VARIABLE=144, SOFTMAX=25)
# The number of each operator's options in the schema's union.
OPTIONS = dict(ADD=11, AVERAGE_POOL_2D=5, CONCATENATION=10, CONV_2D=1, DEPTHWISE_CONV_2D=2, DEQUANTIZE=38, FULLY_CONNECTED=8,
               LOGISTIC=0, MAX_POOL_2D=5, MUL=21, RESHAPE=17, PAD=22, MEAN=27, STRIDED_SLICE=32, PACK=59, SPLIT_V=79,
               QUANTIZE=83, CALL_ONCE=103, VAR_HANDLE=111, READ_VARIABLE=112, ASSIGN_VARIABLE=113, SOFTMAX=9)
VERSIONS = dict(ADD=2, AVERAGE_POOL_2D=2, CONCATENATION=2, CONV_2D=3, DEPTHWISE_CONV_2D=3, DEQUANTIZE=2, FULLY_CONNECTED=4,
                LOGISTIC=2, MAX_POOL_2D=2, MUL=2, PAD=2, MEAN=2, STRIDED_SLICE=2, PACK=2, SPLIT_V=2)
TYPES = dict(f=(0, 4), i=(2, 4), B=(3, 1), b=(9, 1), r=(13, 4))


class Graph:
    """Tensors and operators of a subgraph."""

    def __init__(self):
        self.tensors, self.operators, self.inputs, self.outputs = [], [], [], []

    def tensor(self, kind, shape, scale=None, zero=0, data=None, axis=0):
        scales = [] if scale is None else list(scale) if isinstance(scale, (list, tuple)) else [scale]
        self.tensors.append((kind, list(shape), scales, zero, data, axis))
        return len(self.tensors) - 1

    def operator(self, name, inputs, outputs, **options):
        """Options: f<number of the field>=(struct letter, value)."""
        self.operators.append((name, inputs, outputs, options))


def vector(builder, letter, values):
    size = struct.calcsize(letter)
    builder.StartVector(size, len(values), size)
    for value in reversed(values):
        builder.Prep(size, 0)
        builder.head -= size
        struct.pack_into("<" + letter, builder.Bytes, builder.head, value)
    return builder.EndVector()


def table(builder, fields):
    """Fields: number -> (letter or 'o' for an offset, value)."""
    builder.StartObject(max(fields, default=-1) + 1)
    for number, (letter, value) in fields.items():
        if letter == "o":
            builder.PrependUOffsetTRelativeSlot(number, value, 0)
        else:
            slot = {"b": builder.PrependInt8Slot, "i": builder.PrependInt32Slot, "I": builder.PrependUint32Slot,
                    "B": builder.PrependUint8Slot}[letter]
            slot(number, value, None)
    return builder.EndObject()


def offsets(builder, values):
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependUOffsetTRelative(value)
    return builder.EndVector()


def model(graphs):
    builder = flatbuffers.Builder(1024)
    names = sorted({operator[0] for graph in graphs for operator in graph.operators})
    codes = [table(builder, {0: ("b", min(CODES[n], 127)), 2: ("i", VERSIONS.get(n, 1)), 3: ("i", CODES[n])}) for n in names]
    buffers = [table(builder, {})]
    subgraphs = []
    for graph in graphs:
        tensors = []
        for kind, shape, scales, zero, data, axis in graph.tensors:
            number = 0
            if data is not None:
                builder.StartVector(1, len(data), 16)
                builder.head -= len(data)
                builder.Bytes[builder.head : builder.head + len(data)] = data
                buffers.append(table(builder, {0: ("o", builder.EndVector())}))
                number = len(buffers) - 1
            fields = {0: ("o", vector(builder, "i", shape)), 1: ("b", TYPES[kind][0]), 2: ("I", number)}
            if scales:
                scale = vector(builder, "f", scales)
                zeros = vector(builder, "q", [zero] * len(scales))
                fields[4] = ("o", table(builder, {2: ("o", scale), 3: ("o", zeros), 6: ("i", axis)}))
            tensors.append(table(builder, fields))
        operators = []
        for name, inputs, outputs, options in graph.operators:
            fields = {}
            for key, (letter, value) in options.items():
                if letter == "s":
                    letter, value = "o", builder.CreateString(value)
                fields[int(key[1:])] = (letter, value)
            made = table(builder, fields)
            operators.append(table(builder, {0: ("I", names.index(name)), 1: ("o", vector(builder, "i", inputs)),
                                             2: ("o", vector(builder, "i", outputs)), 3: ("B", OPTIONS[name]), 4: ("o", made)}))
        tensors, operators = offsets(builder, tensors), offsets(builder, operators)
        inputs, outputs = vector(builder, "i", graph.inputs), vector(builder, "i", graph.outputs)
        subgraphs.append(table(builder, {0: ("o", tensors), 1: ("o", inputs), 2: ("o", outputs), 3: ("o", operators)}))
    parts = [offsets(builder, part) for part in (codes, subgraphs, buffers)]
    root = table(builder, {0: ("I", 3), 1: ("o", parts[0]), 2: ("o", parts[1]), 4: ("o", parts[2])})
    builder.Finish(root, b"TFL3")
    return bytes(builder.Output())
