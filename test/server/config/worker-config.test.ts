import { describe, expect, it } from 'vitest'
import { ExitError } from '../../../src/server/config/exit-error.ts'
import { readWorkerConfig } from '../../../src/server/config/worker-config.ts'

const MACHINE = { cores: 8, memoryBytes: 2 ** 34 }
const read = (argv: readonly string[]) => readWorkerConfig(argv, {}, MACHINE)

describe('the configuration of a worker', () => {
  it('requires a Redis URL, and takes the other defaults from the machine', () => {
    const config = read(['--redis-url', 'redis://cache', '--workers', '2'])
    expect(config).toMatchObject({ redisUrl: 'redis://cache', redisPrefix: 'everstream', redisShards: 1, drainSeconds: 30 })
    expect(config.load).toMatchObject({ workers: 2, threads: 4, cacheMemoryBytes: 2 ** 33 })
  })

  it.each([
    [[], 'worker needs --redis-url (REDIS_URL): the Redis that holds the queue'],
    [['--redis-url', 'redis://cache', '--workers', '0'], '--workers must be at least 1, not 0'],
    [['--redis-url', 'redis://cache', '--port', '1'], 'unknown option --port'],
    [['--redis-url', 'redis://cache', '--redis-prefix', 'a{b}'], '--redis-prefix must be']
  ])('%j is a mistake', (argv, message) => {
    expect(() => read(argv)).toThrow(ExitError)
    expect(() => read(argv)).toThrow(message)
  })

  it('never repeats a Redis URL, which may contain a password', () => {
    expect(() => read(['--redis-url', 'http://:secret@cache'])).toThrow(/^--redis-url must be an address such as/)
    expect(() => read(['--redis-url', 'http://:secret@cache'])).not.toThrow('secret')
  })
})
