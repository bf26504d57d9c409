import { z } from 'zod'
import { modelProcessEnvironment, readEnvironment } from '../../src/server/config/environment.ts'
import { type BenchCase, caseName, positionsOf } from '../bench/bench-case.ts'
import type { BenchOptions } from '../bench/bench-options.ts'
import { CaseReport, type CaseSamples, reportCase } from '../bench/bench-report.ts'
import { BenchSide } from '../bench/bench-side.ts'
import { type BenchFile, sizesOf } from './bench-file.ts'
import { type CaseGroup, planGroups } from './memory-plan.ts'
import { ownCommit } from './own-commit.ts'

export const FileReport = z.object({
  name: z.string(),
  date: z.string(),
  fileBytes: z.number(),
  versions: z.record(z.string(), z.string()),
  cases: z.array(CaseReport),
  /** What was not measured, and why. */
  skipped: z.array(z.string())
})
export type FileReport = Readonly<z.infer<typeof FileReport>>

/** Measures one file on both sides. */
export async function measureFile(options: BenchOptions, file: BenchFile): Promise<FileReport> {
  const { contextLength } = file.prepared
  if (options.capacity > contextLength) throw new RangeError(`${options.capacity} positions are requested; the model has ${contextLength}`)
  const cases = options.cases.map(what => within(contextLength, what))
  const sizes = { ...(await sizesOf(file)), ...(options.peer ? {} : { peerWeights: 0, peerCachePerToken: 0 }) }
  const { groups, skipped } = planGroups(cases, sizes, { availableBytes: process.availableMemory(), least: options.capacity })
  const samples: CaseSamples[] = []
  const missing = new Set<string>()
  let versions: Readonly<Record<string, string>> = { everstream: ownCommit() ?? 'unknown commit' }
  for (const group of groups) {
    const measured = await measureGroup(options, file, group)
    samples.push(...measured.samples)
    versions = { ...versions, ...measured.versions }
    if (measured.missing !== null) missing.add(measured.missing)
  }
  const order = new Map(cases.map((what, index) => [what, index]))
  samples.sort((a, b) => (order.get(a.what) ?? 0) - (order.get(b.what) ?? 0))
  return {
    name: file.name,
    date: new Date().toISOString(),
    fileBytes: file.bytes,
    versions,
    cases: samples.map(reportCase),
    skipped: [...skipped, ...missing]
  }
}

/** Where a context fills the whole model, its last step is at the last position. */
function within(contextLength: number, what: BenchCase): BenchCase {
  const excess = positionsOf(what) - contextLength
  if (excess <= 0) return what
  if (what.kind === 'decode' && what.past <= contextLength && what.past > excess) return { ...what, past: what.past - excess }
  throw new RangeError(`${caseName(what)} needs ${positionsOf(what)} positions; the model has ${contextLength}`)
}

interface GroupSamples {
  readonly samples: readonly CaseSamples[]
  readonly versions: Readonly<Record<string, string>>
  /** Why there is no peer. */
  readonly missing: string | null
}

async function measureGroup(options: BenchOptions, { path, prepared }: BenchFile, group: CaseGroup): Promise<GroupSamples> {
  const { threads, spinning, chunkTokens, llamaBuild } = options
  const { graphPath, layers, kvHeads, headDim, vocabularySize, cacheScales } = prepared
  const graph = { graphPath, layers, kvHeads, headDim, vocabularySize, cacheScales }
  const { rows, capacity } = group
  const side = { graph, weightsPath: path, threads, spinning, rows, capacity, chunkTokens, llamaBuild }
  const ours = new BenchSide('bench-everstream.ts', side, modelProcessEnvironment(readEnvironment()))
  const peer = new BenchSide(llamaBuild === null ? 'bench-llama.ts' : 'bench-llama-build.ts', side, readEnvironment())
  try {
    const peerReadiness = options.peer ? await peer.open() : null
    if (!group.together) await peer.close()
    const ourReadiness = await ours.open()
    const hasPeer = peerReadiness !== null && 'versions' in peerReadiness
    return {
      samples: await measureInTurn(group, options.rounds, {
        ours,
        peer: hasPeer ? peer : null,
        wantsMeans: hasPeer && peerReadiness.meansOnly === true
      }),
      versions: { ...('versions' in ourReadiness ? ourReadiness.versions : {}), ...(hasPeer ? peerReadiness.versions : {}) },
      missing: peerReadiness !== null && 'missing' in peerReadiness ? peerReadiness.missing : null
    }
  } finally {
    await Promise.all([ours.close(), peer.close()])
  }
}

interface Sides {
  readonly ours: BenchSide
  readonly peer: BenchSide | null
  /** Whether the peer reports means over the steps of a round. */
  readonly wantsMeans: boolean
}

/**
 * Alternates within each round, and the first side from round to round: other load on the machine affects both alike.
 */
async function measureInTurn({ cases, together }: CaseGroup, rounds: number, { ours, peer, wantsMeans }: Sides): Promise<CaseSamples[]> {
  const samples = cases.map((what): CaseSamples => ({ what, ours: [], between: [], peer: [] }))
  const measureOurs = async (one: CaseSamples): Promise<void> => {
    const measured = await ours.measure(one.what)
    one.ours.push(...(wantsMeans ? [mean(measured.native)] : measured.native))
    one.between.push(...measured.between)
  }
  const measurePeer = async (one: CaseSamples): Promise<void> => {
    if (peer !== null && one.what.kind !== 'engine') one.peer.push(...(await peer.measure(one.what)).native)
  }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [measureOurs, measurePeer] : [measurePeer, measureOurs]
    const report = (one: CaseSamples) => process.stderr.write(`round ${round + 1}/${rounds}: ${caseName(one.what)}\n`)
    if (together) {
      for (const one of samples) {
        report(one)
        for (const measure of order) await measure(one)
      }
      continue
    }
    for (const measure of order) {
      for (const one of samples) {
        report(one)
        await measure(one)
      }
      await Promise.all([ours.close(), peer?.close()])
    }
  }
  return samples
}

function mean(samples: readonly number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length
}
