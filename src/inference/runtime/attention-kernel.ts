/** Longer rows are worked on in tiles: all scores of a run take heads × tokens × positions × 4 bytes. */
const MAX_UNTILED_POSITIONS = 32_768

/**
 * Whether attention computes the scores of a run in tiles, for rows of this many positions. Without, it is faster:
 * ragged rows are taken side by side instead of one by one, and a single query's products are not packed first. In
 * tiles, a token left alone behind whole tiles of 64 or more is in another numeric class than its neighbours.
 *
 * Source: ONNX Runtime, contrib_ops/cpu/bert/gqa_attention_base.h, core/mlas/lib/flashattn_gqa.cpp
 */
export function attendsInTiles(contextLength: number): boolean {
  return contextLength > MAX_UNTILED_POSITIONS
}

/** For sessions that this process creates from now on. */
export function chooseAttentionKernel(contextLength: number): void {
  // biome-ignore lint/style/noProcessEnv: ONNX Runtime can be told in no other way
  process.env['ORT_GQA_DISABLE_FLASH_ATTENTION'] = attendsInTiles(contextLength) ? '0' : '1'
}
