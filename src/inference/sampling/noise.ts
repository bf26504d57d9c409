type Words4 = readonly [number, number, number, number]
type Words2 = readonly [number, number]

const ROUNDS = 10
const MULTIPLIERS: Words2 = [0xd2511f53, 0xcd9e8d57]
const WEYL: Words2 = [0x9e3779b9, 0xbb67ae85]

/**
 * Noise of one draw, two numbers in [0, 1) with 53 bits. A pure function, so that resuming a sequence needs no
 * generator state.
 *
 * @param seed      an integer from -2^63 to 2^64; its low 64 bits in two's complement are the key
 * @param choice    below 2^32
 * @param position  of the token within its choice, from 0
 * @param attempt   of the draw, from 0; each attempt has independent noise
 */
export function uniforms(seed: number, choice: number, position: number, attempt = 0): readonly [first: number, second: number] {
  const [a, b, c, d] = philox4x32([position >>> 0, choice >>> 0, attempt >>> 0, 0], [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0])
  return [toUniform(a, b), toUniform(c, d)]
}

function toUniform(first: number, second: number): number {
  return ((first >>> 5) * 2 ** 26 + (second >>> 6)) / 2 ** 53
}

/**
 * Philox4x32-10, a counter-based generator: 128 bits of counter and 64 of key in, 128 random bits out, all as uint32
 * words.
 *
 * Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
 * Tested with the known answers of the authors' library Random123.
 */
export function philox4x32(counter: Words4, key: Words2): Words4 {
  let [a, b, c, d] = counter
  let [left, right] = key
  for (let round = 0; round < ROUNDS; round++) {
    const nextA = (high(MULTIPLIERS[1], c) ^ b ^ left) >>> 0
    const nextC = (high(MULTIPLIERS[0], a) ^ d ^ right) >>> 0
    b = Math.imul(MULTIPLIERS[1], c) >>> 0
    d = Math.imul(MULTIPLIERS[0], a) >>> 0
    a = nextA
    c = nextC
    left = (left + WEYL[0]) >>> 0
    right = (right + WEYL[1]) >>> 0
  }
  return [a, b, c, d]
}

/** Upper 32 bits of a product of two uint32: the 16-bit halves keep every sum below 2^53. */
function high(a: number, b: number): number {
  const aHigh = a >>> 16
  const aLow = a & 0xffff
  const bHigh = b >>> 16
  const bLow = b & 0xffff
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carried = aLow * bHigh + (middle & 0xffff)
  return aHigh * bHigh + (middle >>> 16) + (carried >>> 16)
}
