import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DeathVerdict, judgeDeath, type WorkerDeath } from '../../src/queue/poison-rule.ts'

const GUILTY: WorkerDeath = { wasInRun: true, hadAdvanced: false, wasAlone: false }

function verdicts(deaths: readonly WorkerDeath[]): DeathVerdict[] {
  let counted = 0
  return deaths.map(death => {
    const judged = judgeDeath(counted, death)
    counted = judged.counted
    return judged.verdict
  })
}

describe('the poison rule', () => {
  it('runs a request alone after two deaths that count, and fails it when it then dies alone', () => {
    expect(verdicts([GUILTY, GUILTY, { ...GUILTY, wasAlone: true }])).toEqual(['again', 'alone', 'poisoned'])
  })

  it('counts no death of a request that was not in the run, or had come further since its start', () => {
    const innocent = fc.oneof(
      fc.record({ wasInRun: fc.constant(false), hadAdvanced: fc.boolean(), wasAlone: fc.constant(false) }),
      fc.record({ wasInRun: fc.boolean(), hadAdvanced: fc.constant(true), wasAlone: fc.constant(false) })
    )
    fc.assert(fc.property(fc.array(innocent), deaths => verdicts(deaths).every(verdict => verdict === 'again')))
  })

  it('forgives a suspect whose worker dies of something else', () => {
    expect(verdicts([GUILTY, GUILTY, { wasInRun: true, hadAdvanced: true, wasAlone: true }])).toEqual(['again', 'alone', 'alone'])
  })

  it('never fails a request that did not die alone', () => {
    const death = fc.record({ wasInRun: fc.boolean(), hadAdvanced: fc.boolean(), wasAlone: fc.constant(false) })
    fc.assert(fc.property(fc.array(death), deaths => !verdicts(deaths).includes('poisoned')))
  })
})
