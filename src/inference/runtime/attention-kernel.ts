/** Longer rows are computed in tiles: all scores of a run would take heads × tokens × positions × 4 bytes. */
const MAX_UNTILED_POSITIONS = 32_768

/**
 * Whether attention computes the scores of a run in tiles, for rows of this many positions. It is faster without
 * tiles: ragged rows are computed in parallel instead of one by one, and a single query's products are not packed
 * first. With tiles, a lone token after whole tiles of 64 or more is in another numeric class than the tokens before
 * it.
 *
 * Source: ONNX Runtime, contrib_ops/cpu/bert/gqa_attention_base.h, core/mlas/lib/flashattn_gqa.cpp
 */
export function attendsInTiles(contextLength: number): boolean {
  return contextLength > MAX_UNTILED_POSITIONS
}

/** Takes effect for sessions that this process creates afterwards. */
export function chooseAttentionKernel(contextLength: number): void {
  // biome-ignore lint/style/noProcessEnv: ONNX Runtime reads this setting from the environment only
  process.env['ORT_GQA_DISABLE_FLASH_ATTENTION'] = attendsInTiles(contextLength) ? '0' : '1'
}
