/** How keys and values are stored: as they are, or as 8-bit integers with one scale per layer and side. */
export type CacheType = 'f32' | 'int8'

export const CACHE_ELEMENT_BYTES = { f32: 4, int8: 1 } as const satisfies Record<CacheType, number>

/** Number of keys and values of one position: `layers` × 2 × `kvHeads` × `headDim`. */
export function cacheBytesPerToken(
  { layers, kvHeads, headDim }: { readonly layers: number; readonly kvHeads: number; readonly headDim: number },
  type: CacheType
): number {
  return 2 * layers * kvHeads * headDim * CACHE_ELEMENT_BYTES[type]
}
