import { BLOCK_TYPES, type BlockTypeName } from './block-types.ts'
import type { ModelShape } from './shapes.ts'

/** A matrix of the model, by the name that GGUF gives to it. */
export type Part = 'token_embd' | 'output' | 'attn_q' | 'attn_k' | 'attn_v' | 'attn_output' | 'ffn_gate' | 'ffn_up' | 'ffn_down'

/** Where a matrix is in the model. */
interface Position {
  readonly layer: number
  readonly layers: number
  /** Query heads per key/value head. */
  readonly groupSize: number
}

interface Mixture {
  readonly base: BlockTypeName
  /** Matrices that may have another type than `base`. */
  readonly parts?: Partial<Readonly<Record<Part, (position: Position) => BlockTypeName>>>
}

/**
 * The types that llama.cpp's quantizer gives to the matrices of a Llama without an importance matrix.
 * Source: llama.cpp, `llama_tensor_get_type_impl` in llama-quant.cpp.
 */
const MIXTURES = {
  F32: { base: 'F32' },
  F16: { base: 'F16' },
  BF16: { base: 'BF16' },
  Q4_0: { base: 'Q4_0' },
  Q4_1: { base: 'Q4_1' },
  Q5_0: { base: 'Q5_0' },
  Q5_1: { base: 'Q5_1' },
  Q8_0: { base: 'Q8_0' },
  Q2_K: {
    base: 'Q2_K',
    parts: {
      attn_v: ({ groupSize }) => (groupSize >= 4 ? 'Q4_K' : 'Q3_K'),
      attn_output: () => 'Q3_K',
      ffn_down: () => 'Q3_K'
    }
  },
  Q3_K_S: { base: 'Q3_K' },
  Q3_K_M: {
    base: 'Q3_K',
    parts: {
      attn_v: ({ layer }) => (layer < 2 ? 'Q5_K' : 'Q4_K'),
      attn_output: () => 'Q4_K',
      ffn_down: ({ layer, layers }) => (layer < Math.floor(layers / 16) ? 'Q5_K' : 'Q4_K')
    }
  },
  Q3_K_L: { base: 'Q3_K', parts: { attn_v: () => 'Q5_K', attn_output: () => 'Q5_K', ffn_down: () => 'Q5_K' } },
  Q4_K_S: {
    base: 'Q4_K',
    parts: {
      attn_v: ({ layer }) => (layer < 4 ? 'Q5_K' : 'Q4_K'),
      ffn_down: position => (inFirstEighth(position) ? 'Q5_K' : 'Q4_K')
    }
  },
  Q4_K_M: { base: 'Q4_K', parts: { attn_v: moreBitsThan('Q4_K'), ffn_down: moreBitsThan('Q4_K') } },
  Q5_K_S: { base: 'Q5_K' },
  Q5_K_M: { base: 'Q5_K', parts: { attn_v: moreBitsThan('Q5_K'), ffn_down: moreBitsThan('Q5_K') } },
  Q6_K: { base: 'Q6_K' },
  IQ4_NL: { base: 'IQ4_NL', parts: nonLinear('IQ4_NL') },
  IQ4_XS: { base: 'IQ4_XS', parts: nonLinear('IQ4_XS') }
} as const satisfies Readonly<Record<string, Mixture>>

/** The type of a file, as people name it. */
export type MixtureName = keyof typeof MIXTURES

export const MIXTURE_NAMES = Object.keys(MIXTURES) as readonly MixtureName[]

export function isMixtureName(text: string): text is MixtureName {
  return Object.hasOwn(MIXTURES, text)
}

/** What replaces a type whose blocks do not divide a row. Source: llama.cpp, `tensor_type_fallback`. */
const FALLBACKS: Partial<Readonly<Record<BlockTypeName, BlockTypeName>>> = {
  Q2_K: 'Q4_0',
  Q3_K: 'Q4_0',
  Q4_K: 'Q5_0',
  Q5_K: 'Q5_1',
  Q6_K: 'Q8_0',
  IQ4_XS: 'IQ4_NL'
}

/** @param columns  elements of a row */
export function typeOfPart(name: MixtureName, part: Part, layer: number, { layers, heads, kvHeads, tied }: ModelShape, columns: number) {
  const { base, parts }: Mixture = MIXTURES[name]
  const type =
    part === 'output' || (part === 'token_embd' && tied)
      ? headType(base)
      : (parts?.[part]?.({ layer, layers, groupSize: heads / kvHeads }) ?? base)
  return columns % BLOCK_TYPES[type].elements === 0 ? type : (FALLBACKS[type] ?? type)
}

function headType(base: BlockTypeName): BlockTypeName {
  return base === 'Q8_0' || base === 'F32' || base === 'F16' || base === 'BF16' ? base : 'Q6_K'
}

/** The first and the last eighth of the layers, and every third one between. */
function moreBitsThan(base: BlockTypeName): (position: Position) => BlockTypeName {
  return position => {
    const { layer, layers } = position
    const isLate = layer >= Math.floor((7 * layers) / 8)
    return inFirstEighth(position) || isLate || (layer - Math.floor(layers / 8)) % 3 === 2 ? 'Q6_K' : base
  }
}

function nonLinear(base: BlockTypeName): NonNullable<Mixture['parts']> {
  return {
    attn_v: ({ groupSize }) => (groupSize >= 4 ? 'Q5_K' : base),
    ffn_down: position => (inFirstEighth(position) ? 'Q5_K' : base)
  }
}

function inFirstEighth({ layer, layers }: Position): boolean {
  return layer < Math.floor(layers / 8)
}
