import type { PreparedModel } from '../inference/model/prepared-model.ts'

/** One line for each option of the model's form whose effect on its predictions was measured. */
export function measuredQuality({ distance, cacheDistance }: Pick<PreparedModel, 'distance' | 'cacheDistance'>): readonly string[] {
  return [line('--quantization auto', distance), line('--cache-type f32', cacheDistance)].filter(each => each !== null)
}

function line(reference: string, distance: PreparedModel['distance']): string | null {
  if (distance === null) return null
  const share = `${(distance.sameToken * 100).toFixed(1)} %`
  return `Distance from ${reference}, measured on a text: mean KL divergence ${distance.meanKl.toFixed(4)}, same most likely token ${share}`
}
