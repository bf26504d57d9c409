import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/

/** Samples in Prometheus's text format, by name and labels. */
export type Samples = ReadonlyMap<string, number>

/** @throws at the first invalid line */
export function parseSamples(text: string): Samples {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ') || line.startsWith('# TYPE ')) continue
    const [, name, labels, value] = LINE.exec(line) ?? []
    if (name === undefined || value === undefined) throw new Error(`invalid sample: ${line}`)
    const key = labels === undefined ? name : `${name}{${labels}}`
    if (samples.has(key)) throw new Error(`duplicate sample: ${key}`)
    samples.set(key, Number(value))
  }
  return samples
}

export async function scrape(app: FastifyInstance): Promise<Samples> {
  const response = await app.inject({ url: '/metrics' })
  if (response.statusCode !== 200) throw new Error(`/metrics answers ${response.statusCode}`)
  return parseSamples(response.body)
}

/** Scrapes repeatedly, once per turn of the event loop. */
export async function scrapeUntil(app: FastifyInstance, isThere: (samples: Samples) => boolean): Promise<Samples> {
  for (;;) {
    const samples = await scrape(app)
    if (isThere(samples)) return samples
    await nextTurn()
  }
}

/** The differences between two scrapes, without unchanged samples. */
export function changes(before: Samples, after: Samples, prefix: string): Record<string, number> {
  return Object.fromEntries(
    [...after]
      .map(([key, value]) => [key, value - (before.get(key) ?? 0)] as const)
      .filter(([key, change]) => key.startsWith(prefix) && change !== 0)
  )
}

/** The sum of a metric over all labels. */
export function total(samples: Samples, name: string): number {
  return [...samples].filter(([key]) => key === name || key.startsWith(`${name}{`)).reduce((sum, [, value]) => sum + value, 0)
}
