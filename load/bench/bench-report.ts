import { z } from 'zod'
import { type BenchCase, caseName, tokensOf } from './bench-case.ts'

/** Samples of all rounds in milliseconds. */
export interface CaseSamples {
  readonly what: BenchCase
  readonly ours: number[]
  readonly between: number[]
  readonly peer: number[]
}

const Summary = z.object({
  medianMs: z.number(),
  leastMs: z.number(),
  /** Tokens per second at the median duration. */
  tokensPerSecond: z.number()
})
type Summary = Readonly<z.infer<typeof Summary>>

export const CaseReport = z.object({
  name: z.string(),
  everstream: Summary,
  llamaCpp: Summary.nullable(),
  /** Speed of everstream over that of llama.cpp, by medians. */
  ratioOfMedians: z.number().nullable(),
  /** The same by minima, which is more reliable on a shared machine. */
  ratioOfLeast: z.number().nullable(),
  /** Overhead of the engine per native run. */
  between: Summary.nullable(),
  engineShare: z.number().nullable()
})
export type CaseReport = Readonly<z.infer<typeof CaseReport>>

export function reportCase({ what, ours, between, peer }: CaseSamples): CaseReport {
  const tokens = tokensOf(what)
  const everstream = summary(ours, tokens)
  const llamaCpp = peer.length === 0 ? null : summary(peer, tokens)
  const added = between.length === 0 ? null : summary(between, tokens)
  return {
    name: caseName(what),
    everstream,
    llamaCpp,
    ratioOfMedians: llamaCpp === null ? null : round(llamaCpp.medianMs / everstream.medianMs, 2),
    ratioOfLeast: llamaCpp === null ? null : round(llamaCpp.leastMs / everstream.leastMs, 2),
    between: added,
    engineShare: added === null ? null : round(added.medianMs / (added.medianMs + everstream.medianMs), 4)
  }
}

/** A Markdown table. */
export function table(reports: readonly CaseReport[]): string {
  const lines = reports.map(({ name, everstream, llamaCpp, ratioOfMedians, ratioOfLeast, between, engineShare }) => [
    name,
    `${everstream.medianMs}`,
    `${everstream.leastMs}`,
    `${everstream.tokensPerSecond}`,
    ...(between === null
      ? [`${llamaCpp?.medianMs ?? ''}`, `${llamaCpp?.leastMs ?? ''}`, `${ratioOfMedians ?? ''}`, `${ratioOfLeast ?? ''}`]
      : [`engine adds ${between.medianMs} (min ${between.leastMs}), ${round((engineShare ?? 0) * 100, 1)} %`, '', '', ''])
  ])
  const head = ['rows x context', 'ms', 'min', 'tok/s', 'llama.cpp ms', 'min', 'ratio', 'ratio of min']
  const cells = [head, head.map(() => '---'), ...lines]
  return cells.map(row => `| ${row.join(' | ')} |`).join('\n')
}

function summary(samples: readonly number[], tokens: number): Summary {
  const sorted = samples.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  return { medianMs: round(median, 2), leastMs: round(sorted[0] ?? Number.NaN, 2), tokensPerSecond: round((tokens * 1000) / median, 0) }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
