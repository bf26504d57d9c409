import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import { type AppOptions, buildApp } from '../../src/server/app.ts'
import type { Fleet } from '../../src/server/observe/fleet.ts'
import { Metrics } from '../../src/server/observe/metrics.ts'
import { CARD, emitting, GOOD, literalQueue, TEXT } from '../routes/literal-parts.ts'

export const NO_FLEET: Fleet = { workerStatistics: async () => [], workersByState: {}, deaths: 0, failovers: 0, isQueueReachable: true }

/** The app with literal dependencies, each of which a test can replace. */
export function testApp(changes: Partial<AppOptions> = {}) {
  return buildApp({
    queue: literalQueue(emitting('a', 'b')),
    text: TEXT,
    card: CARD,
    status: GOOD,
    metrics: new Metrics(CARD.servedModelName, NO_FLEET),
    isDraining: () => false,
    apiKeys: [],
    bindHost: '127.0.0.1',
    strictParams: false,
    clock: () => 1_700_000_000_500,
    ...changes
  })
}

/** A logger with a method that waits for a line. */
export function readableLog() {
  const lines: Record<string, unknown>[] = []
  const waiting: (() => void)[] = []
  const logger: FastifyBaseLogger = pino(
    {},
    {
      write(text: string) {
        lines.push(JSON.parse(text))
        for (const wake of waiting.splice(0)) wake()
      }
    }
  )
  async function line(message: string): Promise<Record<string, unknown>> {
    for (;;) {
      const found = lines.find(one => one['msg'] === message)
      if (found !== undefined) return found
      await new Promise<void>(resolve => waiting.push(resolve))
    }
  }
  return { logger, lines, line }
}
