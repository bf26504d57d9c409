import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CLEAN_RECORD,
  type DeathRecord,
  type DeathVerdict,
  FRUITLESS_DEATHS_THAT_COUNT,
  judgeDeath,
  verdictOn,
  type WorkerDeath
} from '../../src/queue/poison-rule.ts'

const IN_RUN: WorkerDeath = { wasInRun: true, hadAdvanced: false, wasAlone: false, logEntries: 0 }
/** A death at a position that is reached again each time. */
const LATE: WorkerDeath = { ...IN_RUN, hadAdvanced: true, logEntries: 50 }
/** The longest row of such deaths that do not count. */
const UNCOUNTED: readonly WorkerDeath[] = Array(FRUITLESS_DEATHS_THAT_COUNT - 1).fill(LATE)
const UNCOUNTED_VERDICTS = UNCOUNTED.map(() => 'again')

function verdicts(deaths: readonly WorkerDeath[]): DeathVerdict[] {
  let before = CLEAN_RECORD
  return deaths.map(death => {
    const judged = judgeDeath(before, death)
    before = judged.record
    return judged.verdict
  })
}

describe('the poison rule', () => {
  it('runs a request alone after two counted deaths, and fails it when its worker then dies again', () => {
    expect(verdicts([IN_RUN, IN_RUN, { ...IN_RUN, wasAlone: true }])).toEqual(['again', 'alone', 'poisoned'])
  })

  it('counts no death if the request was not in the run, or if it had advanced and its log grows', () => {
    const elsewhere = { ...IN_RUN, wasInRun: false }
    const harmless = fc.tuple(fc.boolean(), fc.boolean(), fc.nat(3))
    fc.assert(
      fc.property(fc.array(harmless), kinds => {
        const deaths = kinds.map(([wasInRun, hadAdvanced, more], index) =>
          wasInRun ? { ...LATE, logEntries: 4 * index + more } : { ...elsewhere, hadAdvanced, logEntries: 4 * index }
        )
        return verdicts(deaths).every(verdict => verdict === 'again')
      })
    )
  })

  it('counts deaths in its runs from the tenth on without growth of its log, although it advances each time', () => {
    const alone = { ...LATE, wasAlone: true }
    expect(verdicts([...UNCOUNTED, LATE, LATE, alone])).toEqual([...UNCOUNTED_VERDICTS, 'again', 'alone', 'poisoned'])
    expect(verdicts([...UNCOUNTED, { ...LATE, logEntries: 51 }, LATE, LATE])).not.toContain('alone')
  })

  it('ignores deaths in runs of other requests', () => {
    const elsewhere = { ...LATE, wasInRun: false }
    const between = UNCOUNTED.flatMap(death => [death, elsewhere])
    expect(verdicts([...between, LATE, elsewhere, LATE])).toEqual([...between, LATE, elsewhere].map(() => 'again').concat('alone'))
  })

  it('ends every row of deaths in or before the runs of a request whose log does not grow', () => {
    const death = fc.constantFrom(LATE, IN_RUN, { ...IN_RUN, wasInRun: false })
    fc.assert(
      fc.property(fc.array(death, { minLength: 2 * FRUITLESS_DEATHS_THAT_COUNT + 2 }), deaths => {
        let record = CLEAN_RECORD
        let verdict: DeathVerdict = 'again'
        for (const { wasInRun, hadAdvanced } of deaths) {
          if (verdict === 'poisoned') break
          ;({ record, verdict } = judgeDeath(record, { ...LATE, wasInRun, hadAdvanced, wasAlone: verdict === 'alone' }))
        }
        expect(verdict).toBe('poisoned')
      })
    )
  })

  it('counts deaths before any run of a request from the tenth on without growth of its log', () => {
    const early = { ...IN_RUN, wasInRun: false }
    const uncounted = UNCOUNTED.map(() => early)
    expect(verdicts([...uncounted, early, early, { ...early, wasAlone: true }])).toEqual([
      ...UNCOUNTED_VERDICTS,
      'again',
      'alone',
      'poisoned'
    ])
    expect(verdicts([...uncounted, { ...early, logEntries: 1 }, early, early])).not.toContain('alone')
  })

  it('does not fail a suspect that had advanced when its worker died', () => {
    expect(verdicts([IN_RUN, IN_RUN, { ...IN_RUN, hadAdvanced: true, wasAlone: true }])).toEqual(['again', 'alone', 'alone'])
  })

  it('never fails a request that did not run alone', () => {
    const death = fc.record({ wasInRun: fc.boolean(), hadAdvanced: fc.boolean(), wasAlone: fc.constant(false), logEntries: fc.nat(2) })
    fc.assert(fc.property(fc.array(death), deaths => !verdicts(deaths).includes('poisoned')))
  })

  it('has the same verdict by the number of counted deaths alone, where every suspect runs alone', () => {
    const death = fc.record({ wasInRun: fc.boolean(), hadAdvanced: fc.boolean(), logEntries: fc.nat(1) })
    fc.assert(
      fc.property(fc.array(death, { maxLength: 60 }), deaths => {
        let [record, verdict]: [DeathRecord, DeathVerdict] = [CLEAN_RECORD, 'again']
        for (const met of deaths) {
          ;({ record, verdict } = judgeDeath(record, { ...met, wasAlone: verdict === 'alone' }))
          expect(verdictOn(record.counted)).toBe(verdict)
          if (verdict === 'poisoned') return
        }
      })
    )
  })
})
