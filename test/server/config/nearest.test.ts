import { expect, it } from 'vitest'
import { nearest } from '../../../src/server/config/nearest.ts'

const FLAGS = ['port', 'host', 'model', 'workers', 'max-slots', 'max-context', 'drain-seconds']

it.each([
  ['prot', 'port'],
  ['prt', 'port'],
  ['hosst', 'host'],
  ['worker', 'workers'],
  ['max_slots', 'max-slots'],
  ['drain', 'drain-seconds']
])('takes %s for %s', (word, meant) => {
  expect(nearest(word, FLAGS)).toBe(meant)
})

it.each(['', 'x', 'redis-url', 'temperature'])('suggests nothing for %j', word => {
  expect(nearest(word, FLAGS)).toBeNull()
})
