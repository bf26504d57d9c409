"""Makes dequantized.json: random blocks of each tensor type and what ggml's own Python package makes of them.

Usage: python make-dequantized.py   (pip install gguf==0.19.0)
"""
import base64, json, pathlib
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

BLOCKS = 3
# Byte offsets of the float16 fields in a block: random bits there would be infinities.
HALVES = {'F16': [0], 'BF16': [], 'Q4_0': [0], 'Q4_1': [0, 2], 'Q5_0': [0], 'Q5_1': [0, 2], 'Q8_0': [0], 'Q4_K': [0, 2], 'Q5_K': [0, 2], 'Q6_K': [208]}

rng = np.random.default_rng(7)
cases = []
for name, halves in HALVES.items():
    elements, size = GGML_QUANT_SIZES[T[name]]
    count = BLOCKS if elements > 1 else 64
    data = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for at in halves:
        data[:, at:at + 2] = rng.normal(0, 0.1, (count, 1)).astype(np.float16).view(np.uint8)
    if name == 'BF16':
        data = (rng.normal(0, 1, (count, 1)).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    values = dequantize(data, T[name]).astype('<f4')
    cases.append({'type': name, 'bytes': base64.b64encode(data.tobytes()).decode(), 'values': base64.b64encode(values.tobytes()).decode()})

path = pathlib.Path(__file__).parent / 'dequantized.json'
path.write_text(json.dumps(cases, indent=1) + '\n')
