#!/usr/bin/env python3
"""Writes the small models in Tests/Core/WakeModelTests/Operators: one operator each, or two, with weights at random.
usage: Benchmarks/wake/operators.py [--ties] FOLDER

With --ties all scales are powers of two, so that many results lie in the middle between two whole numbers: there
TensorFlow Lite's kernels differ in how they round. The tests have all models with ties (NAME-ties.tflite) below 4 kB,
and some without. Needs numpy and what requirements.txt names."""

import pathlib
import sys

import numpy as np

from build import Graph, model

# Scales, shapes and options are in the order of TensorFlow Lite's schema; f3=("b", 1) is the option of field 3.
r = np.random.default_rng(1)


def i8(*sh):
    return r.integers(-127, 128, sh).astype(np.int8).tobytes()


def i32(*v):
    return np.array(v, dtype=np.int32).tobytes()


def AS(v):
    return {0.1: 0.125, 1.5: 1.0, 0.6: 0.5, 1.2: 1.0, 0.13: 0.125, 0.2: 0.25}.get(v, v) if P2 else v


def pad4(g, x, n):
    q = g.tensors[x]
    t = g.tensor("b", [1, n, 1, 40], q[2], q[3])
    s = g.tensor("i", [4], data=i32(1, n, 1, 40))
    g.operator("RESHAPE", [x, s], [t])
    return t


def start(n, scale=0.1, zero=-128):
    scale = AS(scale)
    g = Graph()
    x = g.tensor("b", [1, n, 40], scale, zero)
    g.inputs = [x]
    return (g, x)


P2 = "--ties" in sys.argv


def rs(lo=-9, hi=-3):
    v = r.uniform(lo, hi)
    return float(2.0 ** (round(v) if P2 else v))


def conv(n=4, kh=2, kw=1, o=12, sy=1, same=0, act=0, dil=1, groups=1, shape=None, sx=1, outscale=None):
    g, x = start(n)
    sh = shape or [1, n, 1, 40]
    q = g.tensor("b", sh, AS(0.1), -128)
    s = g.tensor("i", [4], data=i32(*sh))
    g.operator("RESHAPE", [x, s], [q])
    ci = sh[3] // groups
    w = g.tensor("b", [o, kh, kw, ci], [rs(-8, -5) for _ in range(o)], 0, i8(o, kh, kw, ci))
    b = g.tensor("i", [o], [1.0] * o, 0, r.integers(-3000, 3000, o).astype(np.int32).tobytes())
    dh = (kh - 1) * dil + 1
    dw = (kw - 1) * dil + 1
    oh = -(-sh[1] // sy) if same else (sh[1] - dh) // sy + 1
    ow = -(-sh[2] // sx) if same else (sh[2] - dw) // sx + 1
    y = g.tensor("b", [1, oh, ow, o], outscale or AS(1.5), int(r.integers(-20, 20)))
    g.operator(
        "CONV_2D",
        [q, w, b],
        [y],
        f0=("b", 0 if same else 1),
        f1=("i", sx),
        f2=("i", sy),
        f3=("b", act),
        f4=("i", dil),
        f5=("i", dil),
    )
    g.outputs = [y]
    return g


def dw(n=4, kh=3, kw=1, sh=None, mult=1, sy=1, sx=1, same=0, act=0, dil=1):
    g, x = start(n, 0.1, -100)
    sh = sh or [1, n, 1, 40]
    q = g.tensor("b", sh, AS(0.1), -100)
    s = g.tensor("i", [4], data=i32(*sh))
    g.operator("RESHAPE", [x, s], [q])
    o = sh[3] * mult
    w = g.tensor("b", [1, kh, kw, o], [rs(-8, -5) for _ in range(o)], 0, i8(1, kh, kw, o), 3)
    b = g.tensor("i", [o], [1.0] * o, 0, r.integers(-3000, 3000, o).astype(np.int32).tobytes())
    dh = (kh - 1) * dil + 1
    dw_ = (kw - 1) * dil + 1
    oh = -(-sh[1] // sy) if same else (sh[1] - dh) // sy + 1
    ow = -(-sh[2] // sx) if same else (sh[2] - dw_) // sx + 1
    y = g.tensor("b", [1, oh, ow, o], AS(0.6), int(r.integers(-20, 20)))
    g.operator(
        "DEPTHWISE_CONV_2D",
        [q, w, b],
        [y],
        f0=("b", 0 if same else 1),
        f1=("i", sx),
        f2=("i", sy),
        f3=("i", mult),
        f4=("b", act),
        f5=("i", dil),
        f6=("i", dil),
    )
    g.outputs = [y]
    return g


def fc(n=2, o=5, per=0, bias=1, act=0, rows=1):
    g, x = start(n)
    q = g.tensor("b", [rows, n * 40 // rows], AS(0.1), -128)
    s = g.tensor("i", [2], data=i32(rows, n * 40 // rows))
    g.operator("RESHAPE", [x, s], [q])
    w = g.tensor(
        "b", [o, n * 40 // rows], [rs(-8, -5) for _ in range(o)] if per else rs(-8, -5), 0, i8(o, n * 40 // rows)
    )
    ins = [q, w]
    if bias:
        ins.append(
            g.tensor(
                "i",
                [o],
                AS(0.1) * g.tensors[w][2][0] if not per else [AS(0.1) * v for v in g.tensors[w][2]],
                0,
                r.integers(-3000, 3000, o).astype(np.int32).tobytes(),
            )
        )
    else:
        ins.append(-1)
    y = g.tensor("b", [rows, o], AS(1.2), -3)
    g.operator("FULLY_CONNECTED", ins, [y], f0=("b", act))
    g.outputs = [y]
    return g


def pair(op, n=4, cut=None, s2=None, const=False, shape2=None, act=0, so=None):
    g, x = start(n, 0.1, -20)
    a = g.tensor("b", [1, n, 40], 0.1, -20)
    z = g.tensor("b", shape2 or [1, n, 40], s2 or (0.0625 if P2 else 0.043), 7, i8(*(shape2 or [1, n, 40])))
    y = g.tensor("b", [1, n, 40], so or AS(0.13 if op == "ADD" else 0.2), -5)
    g.operator(op, [x, z], [y], f0=("b", act))
    g.outputs = [y]
    return g


def pool(op, n=6, sh=None, kh=2, kw=2, sy=2, sx=1, same=0, act=0):
    g, x = start(n)
    q = g.tensor("b", sh, AS(0.1), -128)
    s = g.tensor("i", [4], data=i32(*sh))
    g.operator("RESHAPE", [x, s], [q])
    oh = -(-sh[1] // sy) if same else (sh[1] - kh) // sy + 1
    ow = -(-sh[2] // sx) if same else (sh[2] - kw) // sx + 1
    y = g.tensor("b", [1, oh, ow, sh[3]], AS(0.1), -128)
    g.operator(
        op, [q], [y], f0=("b", 0 if same else 1), f1=("i", sx), f2=("i", sy), f3=("i", kw), f4=("i", kh), f5=("b", act)
    )
    g.outputs = [y]
    return g


def mean(n, sh, axes, keep, so=0.1, zo=-128, si=0.1, zi=-128):
    g, x = start(n, si, zi)
    q = g.tensor("b", sh, AS(si), zi)
    s = g.tensor("i", [len(sh)], data=i32(*sh))
    g.operator("RESHAPE", [x, s], [q])
    a = g.tensor("i", [len(axes)], data=i32(*axes))
    osh = [1 if i in axes else v for i, v in enumerate(sh)] if keep else [v for i, v in enumerate(sh) if i not in axes]
    y = g.tensor("b", osh, so, zo)
    g.operator("MEAN", [q, a], [y], f0=("B", keep))
    g.outputs = [y]
    return g


def logistic(s, z):
    g, x = start(4, s, z)
    y = g.tensor("b", [1, 4, 40], 1 / 256, -128)
    g.operator("LOGISTIC", [x], [y])
    g.outputs = [y]
    return g


def quant(s, z, so, zo, k="B"):
    g, x = start(4, s, z)
    y = g.tensor(k, [1, 4, 40], so, zo)
    g.operator("QUANTIZE", [x], [y])
    g.outputs = [y]
    return g


def deq():
    g, x = start(4, 0.1, 3)
    y = g.tensor("f", [1, 4, 40])
    g.operator("DEQUANTIZE", [x], [y])
    z = g.tensor("b", [1, 4, 40], 0.05, -3)
    g.operator("QUANTIZE", [y], [z])
    g.outputs = [z]
    return g


def padop():
    g, x = start(2, 0.1, 5)
    p = g.tensor("i", [3, 2], data=i32(0, 0, 1, 2, 0, 3))
    y = g.tensor("b", [1, 5, 43], AS(0.1), 5)
    g.operator("PAD", [x, p], [y])
    g.outputs = [y]
    return g


def packop():
    g, x = start(2, 0.1, 5)
    y = g.tensor("b", [1, 2, 3, 40], AS(0.1), 5)
    c = g.tensor("b", [1, 2, 40], AS(0.1), 5, i8(1, 2, 40))
    g.operator("PACK", [x, c, x], [y], f0=("i", 3), f1=("i", 2))
    g.outputs = [y]
    return g


def slices(b, e, s, bm, em, shr, osh):
    g, x = start(6, 0.1, 5)
    q = g.tensor("b", [1, 6, 4, 10], AS(0.1), 5)
    sh = g.tensor("i", [4], data=i32(1, 6, 4, 10))
    g.operator("RESHAPE", [x, sh], [q])
    t = [g.tensor("i", [4], data=i32(*v)) for v in (b, e, s)]
    y = g.tensor("b", osh, AS(0.1), 5)
    g.operator("STRIDED_SLICE", [q] + t, [y], f0=("i", bm), f1=("i", em), f4=("i", shr))
    g.outputs = [y]
    return g


def catop():
    g, x = start(2, 0.1, 5)
    q = g.tensor("b", [1, 2, 5, 8], AS(0.1), 5)
    sh = g.tensor("i", [4], data=i32(1, 2, 5, 8))
    g.operator("RESHAPE", [x, sh], [q])
    c = g.tensor("b", [1, 2, 5, 3], AS(0.1), 5, i8(1, 2, 5, 3))
    y = g.tensor("b", [1, 2, 5, 19], AS(0.1), 5)
    g.operator("CONCATENATION", [q, c, q], [y], f0=("i", -1))
    g.outputs = [y]
    return g


def addvar(n=3):
    g, x = start(n, 0.1, -128)
    v = g.tensor("r", [])
    g.operator("CALL_ONCE", [], [], f0=("i", 1))
    g.operator("VAR_HANDLE", [], [v], f0=("s", ""), f1=("s", "v"))
    a = g.tensor("b", [1, n, 40], AS(0.1), -128)
    g.operator("READ_VARIABLE", [v], [a])
    y = g.tensor("b", [1, n, 40], AS(0.1), -128)
    g.operator("ADD", [a, x], [y], f0=("b", 0))
    g.operator("ASSIGN_VARIABLE", [v, y], [])
    g.outputs = [y]
    h = Graph()
    w = h.tensor("r", [])
    c = h.tensor("b", [1, n, 40], AS(0.1), -128, i8(1, n, 40))
    h.operator("VAR_HANDLE", [], [w], f0=("s", ""), f1=("s", "v"))
    h.operator("ASSIGN_VARIABLE", [w, c], [])
    return [g, h]


cases = dict(
    conv=conv(),
    conv1x1=conv(4, 1, 1, 8),
    convs=conv(6, 3, 1, 16, 2),
    convact=conv(6, 3, 1, 9, 1, 0, 1),
    convsame=conv(6, 3, 3, 9, 1, 1, shape=[1, 6, 5, 8]),
    convsame2=conv(6, 3, 3, 9, 2, 1, shape=[1, 6, 5, 8], sx=2, act=3),
    convdil=conv(8, 3, 1, 7, 1, 0, 0, 2),
    convgr=conv(4, 2, 1, 8, groups=4),
    convbig=conv(4, 2, 1, 12, outscale=0.001),
    conv2d=conv(6, 3, 2, 9, 1, 0, shape=[1, 6, 5, 8]),
    dw=dw(),
    dw5=dw(4, 2, 1, [1, 8, 4, 5]),
    dw20=dw(4, 2, 2, [1, 4, 2, 20]),
    dw7=dw(7, 3, 1, [1, 10, 4, 7]),
    dw6=dw(6, 3, 1, [1, 10, 4, 6]),
    dw3=dw(6, 3, 1, [1, 20, 4, 3]),
    dw33same=dw(8, 3, 3, [1, 8, 5, 8], 1, 1, 1, 1),
    dw33s2=dw(8, 3, 3, [1, 8, 5, 8], 1, 2, 2, 1),
    dwm2=dw(4, 2, 1, [1, 8, 4, 5], 2),
    dwm3=dw(4, 2, 1, [1, 8, 4, 5], 3),
    dwm8=dw(4, 2, 1, [1, 16, 10, 1], 8),
    dwdil=dw(8, 3, 1, None, 1, 1, 1, 0, 1, 2),
    dw64=dw(8, 5, 1, [1, 5, 1, 64]),
    fc=fc(),
    fcper=fc(per=1),
    fcnob=fc(bias=0),
    fc1=fc(o=1),
    fc17=fc(2, 17, act=1),
    fcrows=fc(4, 6, rows=4),
    add=pair("ADD"),
    adds=pair("ADD", shape2=[1, 4, 1], s2=0.21, so=0.4),
    adds1=pair("ADD", shape2=[1], s2=0.03, so=0.2),
    addw=pair("ADD", shape2=[40], s2=0.03, so=0.2),
    add2=pair("ADD", n=1, s2=0.3, so=0.7),
    addact=pair("ADD", n=3, act=1),
    addb=pair("ADD", shape2=[40]),
    addb1=pair("ADD", shape2=[1]),
    addb4=pair("ADD", shape2=[1, 4, 1]),
    mul=pair("MUL"),
    mulact=pair("MUL", act=1),
    mulb=pair("MUL", shape2=[40]),
    mulb1=pair("MUL", shape2=[1]),
    mulb4=pair("MUL", shape2=[1, 4, 1]),
    mulsmall=pair("MUL", so=0.03),
    avg=pool("AVERAGE_POOL_2D", 6, [1, 6, 4, 10]),
    avgs=pool("AVERAGE_POOL_2D", 6, [1, 6, 4, 10], 3, 3, 1, 1, 1),
    max=pool("MAX_POOL_2D", 6, [1, 6, 4, 10]),
    maxs=pool("MAX_POOL_2D", 6, [1, 6, 4, 10], 3, 3, 2, 2, 1),
    avgbig=pool("AVERAGE_POOL_2D", 6, [1, 6, 1, 40], 6, 1, 1, 1),
    avga=pool("AVERAGE_POOL_2D", 6, [1, 6, 4, 10], act=1),
    mean12=mean(6, [1, 6, 4, 10], [1, 2], 1),
    mean12n=mean(6, [1, 6, 4, 10], [1, 2], 0),
    mean12q=mean(6, [1, 6, 4, 10], [1, 2], 1, 0.07, -3, 0.1, -20),
    mean1=mean(6, [1, 6, 4, 10], [1], 1, AS(0.1), -128),
    mean1q=mean(6, [1, 6, 4, 10], [1], 0, 0.07, 3, 0.1, -20),
    mean3=mean(6, [1, 6, 40], [2], 0, 0.07, 3, 0.1, -20),
    mean1s=mean(6, [1, 6, 40], [1], 0, AS(0.1), -128),
    mean1k=mean(6, [1, 6, 40], [1], 1, 0.05, -128),
    log=logistic(0.1, 0),
    log2=logistic(0.0947403, 36),
    log3=logistic(0.02, -5),
    log4=logistic(0.18, 30),
    q=quant(0.1, -5, 0.1, 123),
    q2=quant(0.1, -5, 0.043, 2),
    q3=quant(0.1, 3, 0.23, -7, "b"),
    q4=quant(0.125, 3, 0.5, 100),
    q5=quant(0.25, -20, 1.0, 100),
    deq=deq(),
    pad=padop(),
    pack=packop(),
    cat=catop(),
    var=addvar(),
    sl1=slices((0, 1, 0, 0), (1, 5, 4, 10), (1, 2, 1, 1), 0, 0, 0, [1, 2, 4, 10]),
    sl2=slices((0, -2, 0, 0), (0, 0, 0, 0), (1, 1, 1, 1), 13, 15, 0, [1, 2, 4, 10]),
    sl3=slices((0, 5, 3, 9), (1, 1, -5, 2), (1, -2, -1, -3), 0, 0, 0, [1, 2, 4, 3]),
    sl4=slices((0, 2, 0, 0), (1, 3, 4, 10), (1, 1, 1, 2), 0, 0, 2, [1, 4, 5]),
    sl5=slices((0, 0, 1, 3), (1, 6, 3, -2), (1, 1, 1, 1), 0, 0, 0, [1, 6, 2, 5]),
)


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[-1])
    for name, graph in cases.items():
        data = model(graph if isinstance(graph, list) else [graph])
        suffix = "-ties" if P2 else ""
        (folder / f"{name}{suffix}.tflite").write_bytes(data)
