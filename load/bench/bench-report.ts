import { type BenchCase, caseName, tokensOf } from './bench-case.ts'

/** Samples of all rounds in milliseconds. */
export interface CaseSamples {
  readonly what: BenchCase
  readonly ours: number[]
  readonly between: number[]
  readonly peer: number[]
}

export interface Summary {
  readonly medianMs: number
  readonly leastMs: number
  /** Tokens per second at the median duration. */
  readonly tokensPerSecond: number
}

export interface CaseReport {
  readonly name: string
  readonly everstream: Summary
  readonly llamaCpp: Summary | null
  /** Speed of everstream over that of llama.cpp, by medians. */
  readonly ratioOfMedians: number | null
  /** The same by minima, which is more reliable on a shared machine. */
  readonly ratioOfLeast: number | null
  /** Overhead of the engine per native run. */
  readonly between: Summary | null
  readonly engineShare: number | null
}

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
