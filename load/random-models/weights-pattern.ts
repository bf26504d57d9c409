import { createCipheriv } from 'node:crypto'
import { BLOCK_TYPES, type BlockTypeName } from './block-types.ts'

/**
 * Blocks of a pattern. A prime above the largest vocabulary: the rows of a matrix start at different blocks of the
 * pattern, so that no two of them are equal.
 */
const BLOCKS = 131_101

/** Of a block's scale, which is uniform in 0.5 to 1.5 times the mean. */
const SCALE_ROOT_MEAN_SQUARE = Math.sqrt(13 / 12)

/**
 * Random blocks with a standard deviation of 1/√columns, so that a product with a normalized vector is of its size. The
 * same on every machine.
 */
export function weightsPattern(typeName: BlockTypeName, columns: number, seed: number): Uint8Array {
  const { bytes, rootMeanSquare, shape } = BLOCK_TYPES[typeName]
  const pattern = randomBytes(BLOCKS * bytes, `${typeName} ${seed}`)
  const view = new DataView(pattern.buffer)
  const scale = 1 / (Math.sqrt(columns) * rootMeanSquare * SCALE_ROOT_MEAN_SQUARE)
  // By multiplicative hashing: scales must not depend on the codes, or the mean of the weights would not be 0.
  for (let block = 0; block < BLOCKS; block++) shape(view, block * bytes, scale * (0.5 + (Math.imul(block, 0x9e3779b1) >>> 24) / 256))
  return pattern
}

/** AES in counter mode: fast, and random enough for weights. */
function randomBytes(count: number, seed: string): Uint8Array<ArrayBuffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16))
  return Uint8Array.from(cipher.update(new Uint8Array(count)))
}
