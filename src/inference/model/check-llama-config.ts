import type { LlamaConfig } from '../graph/llama-config.ts'
import { ModelFileError } from '../weights/model-file-error.ts'

/** Cosines that we lay out for all positions: 256 MiB of them. The largest published Llamas have an eighth. */
const MAX_ROTARY_ANGLES = 2 ** 26

/**
 * What the graph needs, whatever file the numbers came from.
 *
 * @throws {ModelFileError} the attention kernel takes no such heads, or the rotary tables would be too large
 */
export function checkLlamaConfig(path: string, config: LlamaConfig): LlamaConfig {
  const { heads, kvHeads, headDim, context, rotary } = config
  const problem =
    (heads % kvHeads !== 0 && `${heads} heads are no multiple of ${kvHeads} key/value heads`) ||
    (headDim % 16 !== 0 && `heads have ${headDim} dimensions, must be a multiple of 16`) ||
    (rotary.dims % 16 !== 0 && `${rotary.dims} rotated dimensions, must be a multiple of 16`) ||
    (rotary.dims > headDim && `${rotary.dims} rotated dimensions in heads of ${headDim}`) ||
    ((context * rotary.dims) / 2 > MAX_ROTARY_ANGLES && `a context of ${context} with ${rotary.dims} rotated dimensions is too large`)
  if (problem !== false) throw new ModelFileError(`${path}: ${problem}`)
  return config
}
