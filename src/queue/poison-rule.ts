/** How the death of its worker met a request. */
export interface WorkerDeath {
  /** It took part in the run that the worker did not survive. */
  readonly wasInRun: boolean
  /** Something of it was computed since its last start. */
  readonly hadAdvanced: boolean
  /** It ran as a suspect, and nothing else did. */
  readonly wasAlone: boolean
}

/** What becomes of it: it is run again, run again with nothing beside it, or failed. */
export type DeathVerdict = 'again' | 'alone' | 'poisoned'

/** Counted deaths that make a request a suspect. */
const DEATHS_OF_A_SUSPECT = 2

/**
 * Which request kills workers? A death counts against a request only if it was in the fatal run and had not come a step further since it was
 * started: who only shared a batch with the culprit soon has. Two counted deaths make a suspect, and only dying alone proves it.
 *
 * @param countedBefore  deaths that counted against it so far
 */
export function judgeDeath(countedBefore: number, death: WorkerDeath): { readonly counted: number; readonly verdict: DeathVerdict } {
  const counts = death.wasInRun && !death.hadAdvanced
  const counted = countedBefore + (counts ? 1 : 0)
  if (counts && death.wasAlone) return { counted, verdict: 'poisoned' }
  return { counted, verdict: counted >= DEATHS_OF_A_SUSPECT ? 'alone' : 'again' }
}

/** What a client is told. */
export const POISONED_MESSAGE = 'every worker that computed this request died of it, the last one while it computed nothing else'
