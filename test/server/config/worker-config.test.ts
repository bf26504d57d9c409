import { describe, expect, it } from 'vitest'
import { ExitError } from '../../../src/server/config/exit-error.ts'
import { readWorkerConfig } from '../../../src/server/config/worker-config.ts'

const MACHINE = { cores: 8, memoryBytes: 2 ** 34 }
const read = (argv: readonly string[]) => readWorkerConfig(argv, {}, MACHINE)

describe('the configuration of a worker', () => {
  it('needs the queue that it works for, and leaves the rest to the machine', () => {
    const config = read(['--redis-url', 'redis://cache', '--workers', '2'])
    expect(config).toMatchObject({ redisUrl: 'redis://cache', redisPrefix: 'everstream', redisShards: 1, drainSeconds: 30 })
    expect(config.load).toMatchObject({ workers: 2, threads: 4, cacheMemoryBytes: 2 ** 33 })
  })

  it.each([
    [[], 'a worker needs --redis-url (REDIS_URL): the queue it works for'],
    [['--redis-url', 'redis://cache', '--workers', '0'], '--workers 0 is no worker at all'],
    [['--redis-url', 'redis://cache', '--port', '1'], 'unknown option --port'],
    [['--redis-url', 'redis://cache', '--redis-prefix', 'a{b}'], '--redis-prefix must be']
  ])('%j is a mistake', (argv, message) => {
    expect(() => read(argv)).toThrow(ExitError)
    expect(() => read(argv)).toThrow(message)
  })

  it('never repeats an address of Redis, which may hold a password', () => {
    expect(() => read(['--redis-url', 'http://:secret@cache'])).toThrow(/^--redis-url must be an address such as/)
    expect(() => read(['--redis-url', 'http://:secret@cache'])).not.toThrow('secret')
  })
})
