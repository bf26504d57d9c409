import { describe, it, type TestOptions } from 'vitest'
import { whyNoRedis } from './redis-server.ts'

/**
 * As `describe`. Without a redis-server, one skipped test with the reason replaces all tests; in CI that is an error.
 */
export function describeAtRedis(name: string, body: () => void, options: TestOptions = {}): void {
  const reason = whyNoRedis()
  describe(name, options, reason === null ? body : () => it('needs a Redis of its own', context => doWithout(reason, context)))
}

/** As `it`. */
export function itAtRedis(name: string, options: TestOptions, body: () => Promise<void>): void {
  const reason = whyNoRedis()
  it(name, options, reason === null ? body : context => doWithout(reason, context))
}

function doWithout(reason: string, { skip }: { readonly skip: (remark: string) => never }): void {
  if (process.env['CI'] === 'true') throw new Error(reason)
  skip(reason)
}
