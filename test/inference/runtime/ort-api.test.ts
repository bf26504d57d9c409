import { expect, it } from 'vitest'
import { ServiceError } from '../../../src/inference/contract/errors.ts'
import { OrtApi } from '../../../src/inference/runtime/native/ort-api.ts'

const TOO_LONG = 'k'.repeat(3000)

it('frees the status of each failed call: 100,000 of them retain no memory', () => {
  const api = new OrtApi()
  const settings = api.create('CreateSessionOptions')
  const refused = (): void => api.call('AddSessionConfigEntry', settings, TOO_LONG, '1')
  const refuse = (times: number): number => {
    for (let time = 0; time < times; time++) if (!caught(refused)) throw new Error('not refused')
    const { rss, heapTotal } = process.memoryUsage()
    return rss - heapTotal
  }
  expect(refused).toThrow(/ONNX Runtime: Config key/)
  const before = refuse(20_000)
  // A status takes about 100 bytes.
  expect(refuse(100_000) - before).toBeLessThan(4 * 2 ** 20)
  api.release('ReleaseSessionOptions', settings)
})

function caught(action: () => void): boolean {
  try {
    action()
    return false
  } catch (error) {
    return error instanceof ServiceError && error.code === 'engine_failure'
  }
}
