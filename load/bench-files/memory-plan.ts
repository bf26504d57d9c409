import { type BenchCase, caseName, positionsOf, rowsOf } from '../bench/bench-case.ts'

/** What a file needs in memory on each side, in bytes. */
export interface FileSizes {
  readonly ourWeights: number
  readonly peerWeights: number
  readonly ourCachePerToken: number
  readonly peerCachePerToken: number
}

/** Cases that are measured by the same pair of processes. */
export interface CaseGroup {
  readonly cases: readonly BenchCase[]
  readonly rows: number
  /** Positions of a row. */
  readonly capacity: number
  /** Whether both sides fit into memory at once; otherwise one is closed while the other is measured. */
  readonly together: boolean
}

/** What the system needs besides, and both sides for their activations. */
const USABLE_SHARE = 0.9

/**
 * Groups cases by context, so that a cache is no larger than the case needs, and omits those whose cache does not fit.
 *
 * @param least  positions of a row that are requested anyway
 */
export function planGroups(
  cases: readonly BenchCase[],
  sizes: FileSizes,
  { availableBytes, least }: { readonly availableBytes: number; readonly least: number }
): { readonly groups: readonly CaseGroup[]; readonly skipped: readonly string[] } {
  const usable = availableBytes * USABLE_SHARE
  const skipped: string[] = []
  const groups = new Map<string, BenchCase[]>()
  const firstContext = cases.find(what => what.kind === 'decode')?.past ?? 0
  for (const what of cases) {
    const { ours, peer } = bytesOf(what, sizes, least)
    if (Math.max(ours, peer) > usable) {
      skipped.push(`${caseName(what)}: needs ${gigabytes(Math.max(ours, peer))} GB of memory, ${gigabytes(usable)} GB can be used`)
      continue
    }
    const key = `${what.kind === 'decode' ? what.past : firstContext} ${ours + peer <= usable}`
    groups.set(key, [...(groups.get(key) ?? []), what])
  }
  return { groups: [...groups].map(([key, group]) => toGroup(group, key.endsWith('true'), least)), skipped }
}

function toGroup(cases: readonly BenchCase[], together: boolean, least: number): CaseGroup {
  return { cases, rows: Math.max(...cases.map(rowsOf)), capacity: Math.max(least, ...cases.map(positionsOf)), together }
}

function bytesOf(what: BenchCase, sizes: FileSizes, least: number): { readonly ours: number; readonly peer: number } {
  const tokens = rowsOf(what) * Math.max(least, positionsOf(what))
  return {
    ours: sizes.ourWeights + tokens * sizes.ourCachePerToken,
    peer: sizes.peerWeights + tokens * sizes.peerCachePerToken
  }
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1)
}
