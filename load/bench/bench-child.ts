import type { BenchCase, BenchSamples, SideOptions, SideReadiness } from './bench-case.ts'

/**
 * Runs in the child process of a side: reports readiness, then measures the cases that the parent sends, one at a time,
 * until the parent disconnects.
 */
export async function serveSide(
  open: (
    options: SideOptions
  ) => Promise<{ readonly readiness: SideReadiness; readonly measure: (what: BenchCase) => Promise<BenchSamples> }>
): Promise<void> {
  const { readiness, measure } = await open(JSON.parse(process.argv[2] ?? '{}') as SideOptions)
  process.on('message', (what: BenchCase) => {
    measure(what).then(
      samples => process.send?.(samples),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      }
    )
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.(readiness)
}

/**
 * A fixed sequence of token ids, so that both sides compute the same tokens. Ids below 1,000 exist in every relevant
 * vocabulary.
 */
export function someTokens(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => 100 + (((from + index) * 7919) % 900))
}

/** The duration of each step in milliseconds, except of the first, which warms up. */
export async function timeSteps(steps: number, step: (index: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = []
  for (let index = 0; index <= steps; index++) {
    const startedAt = performance.now()
    await step(index)
    if (index > 0) samples.push(performance.now() - startedAt)
  }
  return samples
}
