/** The death of a worker, as it concerns one of its requests. */
export interface WorkerDeath {
  /** The request was in the run during which the worker died. */
  readonly wasInRun: boolean
  /** Something of the request was computed since it was started on this worker, again or for the first time. */
  readonly hadAdvanced: boolean
  /** The request ran as a suspect, alone on the worker. */
  readonly wasAlone: boolean
  /** Length of its log. */
  readonly logEntries: number
}

/** The record of a request over all deaths of its workers. */
export interface DeathRecord {
  /** Deaths that count against the request. */
  readonly counted: number
  /** Deaths in a row with the request in the fatal run, without growth of its log. */
  readonly fruitless: number
  /** Deaths in a row before any run of the request, without growth of its log. */
  readonly unstarted: number
  /** Length of the log at the last of these deaths. */
  readonly logEntries: number
}

/** Whether the request is run again, run again alone, or failed. */
export type DeathVerdict = 'again' | 'alone' | 'poisoned'

export const CLEAN_RECORD: DeathRecord = { counted: 0, fruitless: 0, unstarted: 0, logEntries: -1 }

/** A request with this many counted deaths is a suspect. */
const DEATHS_OF_A_SUSPECT = 2

/** In a row of deaths without growth of the log, deaths from this one on count that did not count before. */
export const FRUITLESS_DEATHS_THAT_COUNT = 10

/**
 * Decides which request kills workers.
 *
 * - A death counts against a request if it was in the fatal run and had not advanced since it was started: a request
 *   that only shared a batch with the one that kills soon advances.
 * - A request that kills at a later position advances to it each time, but its log does not grow: the tenth and all
 *   later deaths in its runs at the same length of the log count.
 * - Deaths before any run of the request count in the same way, separately. So no request is retried without end.
 * - Two counted deaths make a request a suspect, which runs alone. A counted death of a suspect proves it.
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
