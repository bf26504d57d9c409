import { describe, it, type TestOptions } from 'vitest'
import { whyNoRedis } from './redis-server.ts'

/**
 * As `describe`. Without a redis-server, one skipped test with the reason replaces all tests. In CI it fails instead.
 */
export function describeWithRedis(name: string, body: () => void, options: TestOptions = {}): void {
  const reason = whyNoRedis()
  describe(name, options, reason === null ? body : () => it('needs redis-server in PATH', context => skipOrFail(reason, context)))
}

/** As `it`. Without a redis-server the test is skipped; in CI it fails instead. */
export function itWithRedis(name: string, options: TestOptions, body: () => Promise<void>): void {
  const reason = whyNoRedis()
  it(name, options, reason === null ? body : context => skipOrFail(reason, context))
}

function skipOrFail(reason: string, { skip }: { readonly skip: (remark: string) => never }): void {
  if (process.env['CI'] === 'true') throw new Error(reason)
  skip(reason)
}
