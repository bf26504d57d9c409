/** How the death of its worker met a request. */
export interface WorkerDeath {
  /** It took part in the run that the worker did not survive. */
  readonly wasInRun: boolean
  /** Something of it was computed since its last start; what is computed again counts. */
  readonly hadAdvanced: boolean
  /** It ran as a suspect, and nothing else did. */
  readonly wasAlone: boolean
  /** What its log held. */
  readonly logEntries: number
}

/** What the deaths of its workers have left against a request. */
export interface DeathRecord {
  /** Deaths that count against it. */
  readonly counted: number
  /** Deaths in a row that it was in the fatal run of while its log grew by nothing. */
  readonly fruitless: number
  /** Deaths in a row that its worker died before any run of it, while its log grew by nothing. */
  readonly unstarted: number
  /** What its log held at the last of these. */
  readonly logEntries: number
}

/** What becomes of it: it is run again, run again with nothing beside it, or failed. */
export type DeathVerdict = 'again' | 'alone' | 'poisoned'

export const CLEAN_RECORD: DeathRecord = { counted: 0, fruitless: 0, unstarted: 0, logEntries: -1 }

/** Counted deaths that make a request a suspect. */
const DEATHS_OF_A_SUSPECT = 2

/** From which death on, in a row without growth of the log, deaths count that do not at first. */
export const FRUITLESS_DEATHS_THAT_COUNT = 10

/**
 * Which request kills workers? A death counts against a request only if it was in the fatal run and had not come a step
 * further since it was started: who only shared a batch with the culprit soon has. One that kills at a later position
 * comes that far again each time; it is told by its log, which grows no more: of deaths in its runs at the same log,
 * the tenth and all after it count too. So do, counted for themselves, deaths before any run of it: no request is
 * retried without end. Two counted deaths make a suspect, and only dying alone proves it.
 */
export function judgeDeath(before: DeathRecord, death: WorkerDeath): { readonly record: DeathRecord; readonly verdict: DeathVerdict } {
  const { wasInRun, hadAdvanced, wasAlone, logEntries } = death
  if (!wasInRun && hadAdvanced) return { record: before, verdict: verdictOn(before) }
  const isSameLog = logEntries === before.logEntries
  const fruitless = (isSameLog ? before.fruitless : 0) + Number(wasInRun)
  const unstarted = (isSameLog ? before.unstarted : 0) + Number(!wasInRun)
  const counts = (wasInRun && !hadAdvanced) || (wasInRun ? fruitless : unstarted) >= FRUITLESS_DEATHS_THAT_COUNT
  const record = { counted: before.counted + Number(counts), fruitless, unstarted, logEntries }
  return { record, verdict: counts && wasAlone ? 'poisoned' : verdictOn(record) }
}

function verdictOn({ counted }: DeathRecord): DeathVerdict {
  return counted >= DEATHS_OF_A_SUSPECT ? 'alone' : 'again'
}

/** What a client is told. */
export const POISONED_MESSAGE = 'every worker that computed this request died of it, the last one while it computed nothing else'
