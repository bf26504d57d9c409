import { z } from 'zod'
import { ModelShape, type QuantizationChoice } from '../prepared-model.ts'
import { sha256 } from '../source-hash.ts'
import { LogitDistance } from './logit-distance.ts'
import { ChannelLists } from './measure-task.ts'
import { readMeasured, writeMeasured } from './measured-file.ts'

/**
 * All that determines a graph besides the model's files. What was measured on this machine is part of it, so that equal
 * recipes give equal tokens on any machine.
 */
export const Recipe = z.strictObject({
  quantization: ModelShape.shape.quantization,
  /** Input channels that stay in float32, by activation; null where there are none. */
  exactChannels: ChannelLists.nullable()
})
export type Recipe = Readonly<z.infer<typeof Recipe>>

/** A recipe that took a measurement to find, and how good it is. */
const MeasuredRecipe = z.strictObject({
  recipe: Recipe,
  /** From the same weights with `--quantization auto`. */
  distance: LogitDistance
})
export type MeasuredRecipe = Readonly<z.infer<typeof MeasuredRecipe>>

/** Identifies a recipe and the files that it is applied to. */
export function recipeHash(weightsHash: string, recipe: Recipe, builderVersion: number): string {
  const { quantization, exactChannels } = recipe
  const measured = exactChannels === null ? '' : ` ${JSON.stringify(exactChannels)}`
  return sha256(`${weightsHash} ${quantization}${measured} ${builderVersion}`)
}

/** What was measured for these files before; null if nothing was, or its file was changed. */
export async function savedRecipe(cacheFolder: string, weightsHash: string, choice: QuantizationChoice): Promise<MeasuredRecipe | null> {
  return await readMeasured(cacheFolder, `${weightsHash} ${choice}`, MeasuredRecipe)
}

export async function saveRecipe(
  cacheFolder: string,
  weightsHash: string,
  choice: QuantizationChoice,
  measured: MeasuredRecipe
): Promise<void> {
  await writeMeasured(cacheFolder, `${weightsHash} ${choice}`, MeasuredRecipe, measured)
}
