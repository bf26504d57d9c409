/** The death of a worker, as it concerns one request that the worker had. */
export interface WorkerDeath {
  /** The request took part in the run during which the worker died. */
  readonly wasInRun: boolean
  /** Something of it was computed since its last start; recomputation counts. */
  readonly hadAdvanced: boolean
  /** It ran as a suspect, with no other request beside it. */
  readonly wasAlone: boolean
  /** Entries in its log. */
  readonly logEntries: number
}

/** The deaths that a request has behind it. Each new `logEntries` starts `fruitless` and `unstarted` at 0. */
export interface DeathRecord {
  /** Deaths that count against it. */
  readonly counted: number
  /** Deaths in its runs at this length of the log. */
  readonly fruitless: number
  /** Deaths before any run of it at this length of the log. */
  readonly unstarted: number
  /** Entries in its log at the last of these; -1 before the first. */
  readonly logEntries: number
}

/** The request is run again, run again with no other request beside it, or failed. */
export type DeathVerdict = 'again' | 'alone' | 'poisoned'

export const CLEAN_RECORD: DeathRecord = { counted: 0, fruitless: 0, unstarted: 0, logEntries: -1 }

/** Counted deaths that make a request a suspect. */
const DEATHS_OF_A_SUSPECT = 2

/** The number of deaths at the same length of the log from which on each of them counts. */
export const FRUITLESS_DEATHS_THAT_COUNT = 10

/**
 * Finds the request that kills workers. A death counts against a request only if the request was in the fatal run and
 * nothing of it had been computed since it was started: a request that merely shared a batch with the culprit soon
 * advances. A request that kills at a later position advances that far each time, but its log stops growing: of deaths
 * in its runs at the same length of the log, the tenth and all later ones count too. The same holds, counted
 * separately, for deaths before any run of it, so that no request is retried without end. Two counted deaths make a
 * suspect, and only a counted death while it runs alone proves it.
 */
export function judgeDeath(before: DeathRecord, death: WorkerDeath): { readonly record: DeathRecord; readonly verdict: DeathVerdict } {
  const { wasInRun, hadAdvanced, wasAlone, logEntries } = death
  if (!wasInRun && hadAdvanced) return { record: before, verdict: isSuspect(before.counted) ? 'alone' : 'again' }
  const isSameLog = logEntries === before.logEntries
  const fruitless = (isSameLog ? before.fruitless : 0) + Number(wasInRun)
  const unstarted = (isSameLog ? before.unstarted : 0) + Number(!wasInRun)
  const counts = (wasInRun && !hadAdvanced) || (wasInRun ? fruitless : unstarted) >= FRUITLESS_DEATHS_THAT_COUNT
  const record = { counted: before.counted + Number(counts), fruitless, unstarted, logEntries }
  if (counts && wasAlone) return { record, verdict: 'poisoned' }
  return { record, verdict: isSuspect(record.counted) ? 'alone' : 'again' }
}

/**
 * The same verdict from the number of counted deaths, for a queue in which a suspect always runs alone: there, each
 * counted death of a suspect is one alone.
 */
export function verdictOn(countedDeaths: number): DeathVerdict {
  if (countedDeaths > DEATHS_OF_A_SUSPECT) return 'poisoned'
  return isSuspect(countedDeaths) ? 'alone' : 'again'
}

function isSuspect(countedDeaths: number): boolean {
  return countedDeaths >= DEATHS_OF_A_SUSPECT
}

/** Message of the error that the client receives. */
export const POISONED_MESSAGE = 'workers crashed repeatedly while they ran this request, the last one while it ran no other request'
