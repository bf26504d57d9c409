/** Every float16 as a number, by its bits. 256 KiB; twenty times as fast as arithmetic per element. */
const FLOAT16 = Float32Array.from({ length: 2 ** 16 }, (_, bits) => decodeFloat16(bits))

/** IEEE 754 binary16 at a byte offset. */
export function float16At(bytes: Uint8Array, offset: number): number {
  return FLOAT16[(bytes[offset] ?? 0) | ((bytes[offset + 1] ?? 0) << 8)] ?? 0
}

/** IEEE 754 binary16, little-endian. */
export function fromFloat16(bytes: Uint8Array): Float32Array {
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => float16At(bytes, 2 * i))
}

/** bfloat16, little-endian: the upper half of a float32. */
export function fromBfloat16(bytes: Uint8Array): Float32Array {
  const bits = new Uint32Array(bytes.length / 2)
  for (let i = 0; i < bits.length; i++) bits[i] = (((bytes[2 * i] ?? 0) | ((bytes[2 * i + 1] ?? 0) << 8)) << 16) >>> 0
  return new Float32Array(bits.buffer)
}

function decodeFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
