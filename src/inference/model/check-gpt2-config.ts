import type { Gpt2Config } from '../graph/gpt2-config.ts'
import { ModelFileError } from '../weights/model-file-error.ts'

/**
 * What the graph needs, whatever file the numbers came from.
 *
 * @throws {ModelFileError} the attention kernel takes no such heads
 */
export function checkGpt2Config(path: string, config: Gpt2Config): Gpt2Config {
  const { hidden, heads, headDim } = config
  if (hidden % heads !== 0) throw new ModelFileError(`${path}: ${hidden} hidden dimensions are no multiple of ${heads} heads`)
  if (headDim % 8 !== 0) throw new ModelFileError(`${path}: heads have ${headDim} dimensions, must be a multiple of 8`)
  return config
}
