import type { BenchCase, BenchSamples, SideHello, SideOptions } from './bench-case.ts'

/**
 * The child's half of a side: says hello, then measures what it is sent, one case at a time, until the parent lets go.
 */
export async function serveSide(
  open: (options: SideOptions) => Promise<{ readonly hello: SideHello; readonly measure: (what: BenchCase) => Promise<BenchSamples> }>
): Promise<void> {
  const { hello, measure } = await open(JSON.parse(process.argv[2] ?? '{}') as SideOptions)
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
  process.send?.(hello)
}

/**
 * Seeded neither by time nor by place: both sides compute the same tokens. Ids below 1,000 exist in every vocabulary
 * worth measuring.
 */
export function someTokens(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => 100 + (((from + index) * 7919) % 900))
}

/** The time of each step; the first is a warm-up and not told. */
export async function timeSteps(steps: number, step: (index: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = []
  for (let index = 0; index <= steps; index++) {
    const startedAt = performance.now()
    await step(index)
    if (index > 0) samples.push(performance.now() - startedAt)
  }
  return samples
}
