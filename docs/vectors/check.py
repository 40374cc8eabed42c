#!/usr/bin/env python3
"""Checks messages.txt and pairing.txt with nothing but PROTOCOL.md and Python's library: python3 docs/vectors/check.py"""

import hashlib
import hmac
import json
import pathlib

HERE = pathlib.Path(__file__).parent


def blocks(name):
    lines = [line for line in (HERE / name).read_text().splitlines() if not line.startswith("#")]
    for block in "\n".join(lines).strip().split("\n\n"):
        head, *body = block.splitlines()
        yield head, [line.strip() for line in body]


def sha1(*parts):
    return hashlib.sha1(b"".join(parts)).digest()


def number(data):
    return int.from_bytes(data, "big")


def check_messages():
    """§2: 9 bytes of header, little-endian, then the payload; §3: the error's payload."""
    count = 0
    for head, (meaning, *lines) in blocks("messages.txt"):
        name, _, fields = head.split(" | ")
        kind, sequence, timestamp = fields.split()
        data = bytes.fromhex("".join(lines))
        payload = data[9:]
        assert data[0] == int(kind, 16), name
        assert data[1:3] == int(sequence.removeprefix("seq=")).to_bytes(2, "little"), name
        assert data[3:7] == int(timestamp.removeprefix("ts_ms=")).to_bytes(4, "little"), name
        assert data[7:9] == len(payload).to_bytes(2, "little"), name
        if kind in ("C1", "C2"):
            assert json.loads(payload) == json.loads(meaning), name
        elif kind == "FF":
            text = payload[4:].decode()
            assert payload[2:4] == len(payload[4:]).to_bytes(2, "little") and f'"{text}"' in meaning, name
        count += 1
    return count


def check_pairing():
    """§13: SRP-6a (RFC 5054), the transcript and both proofs."""
    rows = {head.split(":")[0]: body for head, body in blocks("pairing.txt")}
    value = {name: bytes.fromhex("".join(body)) for name, body in rows.items() if not name.startswith("pair_")}
    modulus, generator = number(value["N"]), number(value["g"])

    def pad(n):
        return n.to_bytes(384, "big")

    x = sha1(value["salt"], sha1(value["I"], b":", value["P"]))
    verifier = pow(generator, number(x), modulus)
    k = sha1(pad(modulus), pad(generator))
    a, b = number(value["a"]), number(value["b"])
    key_a = pow(generator, a, modulus)
    key_b = (number(k) * verifier + pow(generator, b, modulus)) % modulus
    u = sha1(pad(key_a), pad(key_b))
    shared = pow(key_b - number(k) * verifier, a + number(u) * number(x), modulus)
    assert shared == pow(key_a * pow(verifier, number(u), modulus), b, modulus)
    key = hashlib.sha256(pad(shared)).digest()
    label = b"puck pairing 1, SRP-6a, RFC 5054 group 3072, SHA-256"
    certificate = hashlib.sha256(value["certificate"]).digest()
    parts = [label, value["salt"], pad(key_a), pad(key_b), certificate, value["X"]]
    transcript = hashlib.sha256(b"".join(len(part).to_bytes(2, "big") + part for part in parts)).digest()
    proofs = {
        who: hmac.digest(key, f"puck pairing 1, {who}".encode() + transcript, "sha256") for who in ("puck", "hub")
    }
    computed = {
        "x": x, "v": pad(verifier), "k": k, "A": pad(key_a), "B": pad(key_b), "u": u, "S": pad(shared), "K": key,
        "F": certificate, "T": transcript, "puck_proof": proofs["puck"], "hub_proof": proofs["hub"],
    }
    for name, data in computed.items():
        assert data == value[name], name
    said = {name: json.loads(rows[name][0]) for name in rows if name.startswith("pair_")}
    assert said["pair_begin"]["key"] == value["A"].hex()
    assert said["pair_challenge"]["salt"] == value["salt"].hex() and said["pair_challenge"]["key"] == value["B"].hex()
    assert said["pair_proof"]["proof"] == value["puck_proof"].hex()
    assert said["pair_done"]["proof"] == value["hub_proof"].hex()
    return len(computed)


print(f"{check_messages()} messages and {check_pairing()} values of a pairing are as PROTOCOL.md says")
